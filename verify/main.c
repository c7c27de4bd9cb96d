/* manabiya-verify: a table of commands and their options. No network, no database, no state. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "verify/verify.h"

#define EXIT_USAGE 2

static const struct command {
	const char *name;
	enum finding (*check)(struct request *request);
	bool proof, since; /* demands --proof, --since */
	const char *help;
} commands[] = {
	{ "checkpoint", check_checkpoint, false, false,
		"FILE is a checkpoint that the key signed" },
	{ "consistency", check_consistency, true, true,
		"the checkpoint FILE continues the one of --since" },
	{ "event", check_event, true, false, "FILE is one line that is in the log" },
	{ "export", check_export, true, false,
		"FILE is a run of lines of the log, or a table (CSV) of it, none missing, none "
		"changed" },
	{ "download", check_download, false, false,
		"FILE is what the page of the log gave: lines or a table with their proof in one" },
	{ "certificate", check_certificate, false, false,
		"FILE certifies an erasure, which is in the operator's log" },
	{ "archive", check_archive, false, false,
		"FILE is an export of everything: every file of it, and the log in it" },
};
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *out, int status)
{
	(void)fprintf(out,
		"usage: manabiya-verify COMMAND --key KEY [OPTION...] FILE\n\n"
		"監査ログを公開鍵だけで検証します。 Checks an audit log with its public key "
		"alone.\n\n");
	for (size_t i = 0; i < COMMANDS_N; i++)
		(void)fprintf(out, "  %-12s%s\n", commands[i].name, commands[i].help);
	(void)fprintf(out,
		"\n  --key KEY      verifier key of the log (name+id+base64); may stand several "
		"times,"
		" one must have signed\n"
		"  --witness KEY  verifier key of a witness that must have signed too; may stand "
		"several times\n"
		"  --proof FILE   what the API answered: tlog-proof of an event, range of an "
		"export,"
		" consistency\n"
		"  --since FILE   an earlier checkpoint, which must be the beginning of this "
		"one\n\n"
		"Exit status and first word of the answer (2: usage):\n");
	if (out == stdout)
		finding_list();
	return status;
}

static bool add_verifier(struct request *request, const char *text, enum note_kind kind,
	struct note_verifier *list, size_t *n)
{
	if (*n == VERIFIERS_MAX || note_verifier_read(request->arena, text, &list[*n]) ||
		list[*n].kind != kind) {
		(void)fprintf(stderr, "manabiya-verify: not a verifier key: %s\n", text);
		return false;
	}
	(*n)++;
	return true;
}

static bool read_options(int argc, char **argv, struct request *request)
{
	static const struct option options[] = { { "key", required_argument, NULL, 'k' },
		{ "witness", required_argument, NULL, 'w' },
		{ "proof", required_argument, NULL, 'p' },
		{ "since", required_argument, NULL, 's' }, { 0 } };
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		bool is_known = true;
		if (option == 'k')
			is_known = add_verifier(
				request, optarg, NOTE_ED25519, request->keys, &request->keys_n);
		else if (option == 'w')
			is_known = add_verifier(request, optarg, NOTE_COSIGNATURE,
				request->witnesses, &request->witnesses_n);
		else if (option == 'p')
			request->proof = optarg;
		else if (option == 's')
			request->since = optarg;
		else
			is_known = false;
		if (!is_known)
			return false;
	}
	request->file = argv[optind];
	return request->keys_n && request->file && !argv[optind + 1];
}

static int run(const struct command *command, int argc, char **argv)
{
	struct request request = { .arena = arena_new() };
	int status = EXIT_USAGE;
	if (read_options(argc, argv, &request) && (request.proof || !command->proof) &&
		(request.since || !command->since)) {
		enum finding finding = command->check(&request);
		status = finding_say(finding, request.detail);
	} else {
		(void)usage(stderr, status);
	}
	arena_free(request.arena);
	return status;
}

int main(int argc, char **argv)
{
	crypto_start();
	if (argc >= 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	for (size_t i = 0; argc >= 2 && i < COMMANDS_N; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	return usage(stderr, EXIT_USAGE);
}
