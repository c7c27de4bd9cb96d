/* provisioning: contracts, schools, people, classes, enrolments and function limits. */
#include <stddef.h>

#include "libcommon/keyring.h"
#include "libcommon/service.h"
#include "services/provisioning/provisioning.h"

static struct {
	const char *keyring, *keyring_root;
} conf;

static const struct option options[] = {
	{ .name = "keyring",
		.kind = OPTION_WRITES,
		.offset = offsetof(__typeof__(conf), keyring),
		.min = 1,
		.max = 4096,
		.help = "directory of the tenant keys, outside the database's backups" },
	{ .name = "keyring-root",
		.kind = OPTION_SECRET,
		.offset = offsetof(__typeof__(conf), keyring_root),
		.min = 2 * KEY_SIZE,
		.max = 2 * KEY_SIZE,
		.help = "file with the root key, 32 bytes as hex" },
};

static enum err start(void)
{
	provisioning_keyring = keyring_open(conf.keyring, conf.keyring_root);
	return provisioning_keyring != NULL ? OK : ERR_UNAVAILABLE;
}

static void stop(void)
{
	keyring_close(provisioning_keyring);
}

int main(int argc, char **argv)
{
	static const struct service provisioning = {
		.name = "provisioning",
		.ops = provisioning_ops,
		.ops_n = PROVISIONING_OPS_N,
		.options = options,
		.options_n = sizeof(options) / sizeof(options[0]),
		.conf = &conf,
		.workers = 4,
		.start = start,
		.stop = stop,
	};
	return service_main(argc, argv, &provisioning);
}
