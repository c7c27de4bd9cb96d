/* manabiyactl: the operator's tool. A table of commands; each lives in a file of its own. */
#include <stdio.h>
#include <string.h>

#include "ctl/algorithms.h"
#include "ctl/erased.h"
#include "ctl/health.h"
#include "ctl/keyring.h"
#include "ctl/keys.h"
#include "ctl/migrate.h"
#include "ctl/outbox.h"
#include "ctl/pipeline.h"
#include "ctl/witness.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "algorithms", algorithms_command, "what is encrypted, hashed and signed how" },
	{ "erased", erased_command, "shut out who is back although the ledger has them erased" },
	{ "health", health_command, "ask the system whether it is ready" },
	{ "keyring", keyring_command,
		"give a tenant a new key; seal keys under another root; make replicas" },
	{ "keys", keys_command, "make the keys of a deployment that are not there yet" },
	{ "migrate", migrate_command, "bring the database to this release's schema" },
	{ "outbox", outbox_command, "list or redrive what could not be delivered" },
	{ "pipeline", pipeline_command, "how far the log's sinks are; send one something again" },
	{ "witness", witness_command, "how far witnesses have signed the logs" },
};
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *out, int status)
{
	(void)fprintf(out, "usage: manabiyactl COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < COMMANDS_N; i++)
		(void)fprintf(out, "  %-12s%s\n", commands[i].name, commands[i].help);
	(void)fprintf(out,
		"\n`manabiyactl COMMAND --help` shows its options. Exit status: 0 ok, "
		"1 failed, 2 usage, 6 unavailable.\n");
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, 2);
	if (strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	for (size_t i = 0; i < COMMANDS_N; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return usage(stderr, 2);
}
