/* `manabiyactl health`: is the system ready? For people, containers and monitoring. */
#ifndef MANABIYA_CTL_HEALTH_H
#define MANABIYA_CTL_HEALTH_H

/*
 * health --url URL [--ca FILE]: GET URL (usually …/readyz of the admin listener) and print the
 * answer. Returns 0 ready, 1 an answer that is not 200, 2 usage, 6 no answer.
 */
int health_command(int argc, char **argv);

#endif
