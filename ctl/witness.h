/* `manabiyactl witness`: how far witnesses have signed each log. */
#ifndef MANABIYA_CTL_WITNESS_H
#define MANABIYA_CTL_WITNESS_H

/*
 * witness --database CONNINFO: one line per log: tenant, how many events are signed, and how many
 * of them are under a witness's signature, too witness --database CONNINFO --tenant ID: the latest
 * checkpoint of that log with the signatures Returns the exit status: 0 ok, 1 failed, or no witness
 * has signed that log, 2 usage, 6 database unavailable.
 */
int witness_command(int argc, char **argv);

#endif
