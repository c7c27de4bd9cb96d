/* `manabiyactl erased`: before the services start on a database that was restored from a backup. */
#ifndef MANABIYA_CTL_ERASED_H
#define MANABIYA_CTL_ERASED_H

int erased_command(int argc, char **argv);

#endif
