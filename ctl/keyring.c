/* Rotating a tenant's key. It removes nothing: old versions are needed until nothing is sealed
 * under them any more. */
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

int keyring_command(int argc, char **argv)
{
	static struct settings settings;
	static struct keyring_conf conf;
	static const struct option options[] = {
		{ "tenant", OPTION_TEXT, NULL, offsetof(struct settings, tenant), 36, 36,
			"id of the contract" },
	};
	const struct option_set sets[] = {
		{ options, sizeof(options) / sizeof(options[0]), &settings },
		{ keyring_options, KEYRING_OPTIONS_N, &conf },
	};
	if (argc < 2 || strcmp(argv[1], "rotate") != 0) {
		(void)fprintf(stderr, "usage: manabiyactl keyring rotate [--help]\n");
		return 2;
	}
	if (conf_read(argc - 1, argv + 1, sets, 2))
		return 2;
	crypto_start();
	struct keyring *keyring = keyring_conf_open(&conf);
	enum err e = keyring ? rotate(keyring, settings.tenant) : ERR_INVALID;
	keyring_close(keyring);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}
