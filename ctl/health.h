/* `manabiyactl health`: is the system ready? For people, containers and monitoring. */
#ifndef MANABIYA_CTL_HEALTH_H
#define MANABIYA_CTL_HEALTH_H

/*
 * health --url https://… [--ca FILE]: GET the URL (usually …/readyz of the admin listener).
 * health --url tcp://… --service NAME --bus-keys DIRECTORY: ask one instance of a service over the
 * bus, as the gateway does for …/readyz.
 * Prints the answer. Returns 0 ready, 1 an answer that is not 200, 2 usage, 6 no answer.
 */
int health_command(int argc, char **argv);

#endif
