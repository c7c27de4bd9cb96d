/*
 * Rotating a tenant's key, putting all keys under another root, and making directories replicas.
 * Rotating removes nothing: old versions are needed until nothing is sealed under them any more.
 */
#include "ctl/keyring.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/keyring_conf.h"
#include "libcommon/keyring_replica.h"

struct settings {
	const char *tenant, *replicas;
};

static enum err rotate(struct keyring *keyring, const char *tenant_id)
{
	uint32_t version = 0;
	enum err e = keyring_rotate(keyring, tenant_id);
	if (!e)
		e = keyring_newest(keyring, tenant_id, &version);
	if (e)
		(void)fprintf(stderr, "manabiyactl: %s: %s\n", tenant_id,
			e == ERR_NOT_FOUND ? "this tenant has no key here" : err_name(e));
	else
		(void)printf("%s\tversion %u\n", tenant_id, (unsigned)version);
	return e;
}

static enum err reseal(struct keyring *keyring)
{
	struct keyring_tally tally;
	enum err e = keyring_reseal(keyring, &tally);
	(void)printf("resealed %llu\tunchanged %llu\n", (unsigned long long)tally.resealed,
		(unsigned long long)tally.unchanged);
	if (e)
		(void)fprintf(stderr, "manabiyactl: %s: run it again\n", err_name(e));
	return e;
}

/* To standard output, for its owner to put in the place of the other. */
static enum err seal(const struct keyring_conf *conf)
{
	struct arena *arena = arena_new();
	auto_secret(root, KEY_SIZE);
	const char *reason = strlen(conf->passphrase) < KEYRING_PASSPHRASE_MIN
		? "the passphrase has fewer than 16 bytes"
		: keyring_root_open(conf->root, "", root);
	const char *text = reason ? NULL : keyring_root_seal(arena, root, conf->passphrase);
	if (text)
		(void)printf("%s\n", text);
	else
		(void)fprintf(stderr, "manabiyactl: %s\n",
			reason ? reason : "the memory for it cannot be had");
	arena_free(arena);
	return text ? OK : ERR_INVALID;
}

static const struct option seal_options[] = {
	{ "keyring-root", OPTION_SECRET, NULL, offsetof(struct keyring_conf, root), 1,
		KEYRING_ROOT_TEXT_MAX, "file with the root key, 32 bytes as hex" },
	{ "keyring-passphrase", OPTION_SECRET, NULL, offsetof(struct keyring_conf, passphrase), 1,
		KEYRING_PASSPHRASE_MAX,
		"file with the passphrase, 16 bytes at least; best 32 random ones as hex" },
};

/* provisioning fills them. */
static enum err join(struct keyring *keyring, const char *replicas)
{
	enum err e = keyring_replica_join(keyring, replicas);
	if (!e)
		(void)printf("joined: %s\n", replicas);
	else
		(void)fprintf(stderr, "manabiyactl: %s\n", err_name(e));
	return e;
}

static const struct option replica_option[] = {
	{ "keyring-replica", OPTION_TEXT, NULL, offsetof(struct settings, replicas), 1,
		OPTION_TEXT_MAX, "NAME=DIRECTORY,…, as provisioning has them; new ones are empty" },
};

static const struct option tenant_option[] = {
	{ "tenant", OPTION_TEXT, NULL, offsetof(struct settings, tenant), 36, 36,
		"id of the contract" },
};

static int usage(void)
{
	(void)fprintf(stderr,
		"usage: manabiyactl keyring rotate [--help]\n"
		"       manabiyactl keyring reseal [--help]\n"
		"       manabiyactl keyring join [--help]\n"
		"       manabiyactl keyring seal [--help]\n");
	return 2;
}

static int seal_command(int argc, char **argv)
{
	static struct keyring_conf conf;
	const struct option_set sets[] = { { seal_options, 2, &conf } };
	if (conf_read(argc, argv, sets, 1))
		return 2;
	crypto_start();
	return seal(&conf) ? 1 : 0;
}

/* What a command asks for beside the keyring. */
static const struct keyring_word {
	const char *name;
	const struct option *option;
} words[] = {
	{ "rotate", tenant_option },
	{ "reseal", NULL },
	{ "join", replica_option },
};

static const struct keyring_word *word_of(const char *name)
{
	for (size_t i = 0; name && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static enum err run(
	const struct keyring_word *word, struct keyring *keyring, const struct settings *settings)
{
	if (!keyring)
		return ERR_INVALID;
	if (word->option == tenant_option)
		return rotate(keyring, settings->tenant);
	return word->option ? join(keyring, settings->replicas) : reseal(keyring);
}

int keyring_command(int argc, char **argv)
{
	static struct settings settings;
	static struct keyring_conf conf;
	if (argc > 1 && strcmp(argv[1], "seal") == 0)
		return seal_command(argc - 1, argv + 1);
	const struct keyring_word *word = word_of(argc > 1 ? argv[1] : NULL);
	if (!word)
		return usage();
	const struct option_set sets[] = {
		{ keyring_options, KEYRING_OPTIONS_N, &conf },
		{ word->option, 1, &settings },
	};
	if (conf_read(argc - 1, argv + 1, sets, word->option ? 2 : 1))
		return 2;
	crypto_start();
	struct keyring *keyring = keyring_conf_open(&conf);
	enum err e = run(word, keyring, &settings);
	keyring_close(keyring);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}
