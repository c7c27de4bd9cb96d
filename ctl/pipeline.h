/* `manabiyactl pipeline`: how far each sink of the log is, and sending it something again. */
#ifndef MANABIYA_CTL_PIPELINE_H
#define MANABIYA_CTL_PIPELINE_H

/*
 * pipeline list   --database CONNINFO: one line per sink: its name, how many events wait for it, of
 *                 how many tenants
 * pipeline rewind --database CONNINFO --sink NAME [--tenant ID] [--sequence N]: it gets everything
 *                 from N on again, of this tenant or of all
 * Returns the exit status: 0 ok, 1 failed, 2 usage, 6 database unavailable. argv[0] is the
 * command's name, argv[1] list or rewind.
 */
int pipeline_command(int argc, char **argv);

#endif
