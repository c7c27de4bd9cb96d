/* `manabiyactl outbox`: what could not be delivered, and sending it again. */
#ifndef MANABIYA_CTL_OUTBOX_H
#define MANABIYA_CTL_OUTBOX_H

/*
 * outbox list    --database CONNINFO: one line per dead letter of every service
 * outbox redrive --database CONNINFO [--service NAME] [--id N]: make them due again
 * Bodies are never printed: they may hold personal data. Returns the exit status: 0 ok, 1 failed,
 * 2 usage, 6 database unavailable. argv[0] is the command's name, argv[1] list or redrive.
 */
int outbox_command(int argc, char **argv);

#endif
