/* manabiyactl algorithms: the inventory of cryptography that this build uses. */
#ifndef MANABIYA_CTL_ALGORITHMS_H
#define MANABIYA_CTL_ALGORITHMS_H

int algorithms_command(int argc, char **argv);

#endif
