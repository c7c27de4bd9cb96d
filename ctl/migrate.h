/* `manabiyactl migrate`: bring a database to the schema that this release needs. */
#ifndef MANABIYA_CTL_MIGRATE_H
#define MANABIYA_CTL_MIGRATE_H

/*
 * migrate --database CONNINFO --migrations DIR --tenant-mac-key FILE
 * Applies what is not applied yet, each file in a transaction of its own, in the order of numbers;
 * refuses, before anything, when a file that was applied has changed or is gone. Returns the exit
 * status: 0 ok, 1 failed, 2 usage, 6 database unavailable. argv[0] is the command's name.
 */
int migrate_command(int argc, char **argv);

#endif
