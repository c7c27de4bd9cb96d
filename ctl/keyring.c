/*
 * Rotating a tenant's key, and putting all keys under another root. Rotating removes nothing: old
 * versions are needed until nothing is sealed under them any more.
 */
#include "ctl/keyring.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/keyring_conf.h"

struct settings {
	const char *tenant;
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

static const struct option tenant_option[] = {
	{ "tenant", OPTION_TEXT, NULL, offsetof(struct settings, tenant), 36, 36,
		"id of the contract" },
};

static int usage(void)
{
	(void)fprintf(stderr,
		"usage: manabiyactl keyring rotate [--help]\n"
		"       manabiyactl keyring reseal [--help]\n");
	return 2;
}

int keyring_command(int argc, char **argv)
{
	static struct settings settings;
	static struct keyring_conf conf;
	const struct option_set sets[] = {
		{ keyring_options, KEYRING_OPTIONS_N, &conf },
		{ tenant_option, 1, &settings },
	};
	bool rotates = argc > 1 && strcmp(argv[1], "rotate") == 0;
	if (argc < 2 || (!rotates && strcmp(argv[1], "reseal") != 0))
		return usage();
	if (conf_read(argc - 1, argv + 1, sets, rotates ? 2 : 1))
		return 2;
	crypto_start();
	struct keyring *keyring = keyring_conf_open(&conf);
	enum err e = !keyring ? ERR_INVALID
		: rotates     ? rotate(keyring, settings.tenant)
			      : reseal(keyring);
	keyring_close(keyring);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}
