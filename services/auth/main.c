/* auth: who is this, and is the session still alive. */
#include <unistd.h>

#include "libcommon/log.h"
#include "services/auth/auth.h"

#define AT(field_) offsetof(struct auth_conf, field_)

static const struct option options[] = {
	{ "capability-key", OPTION_SECRET, NULL, AT(capability_key), 64, 64,
		"file with the Ed25519 seed that signs capabilities, 32 bytes as hex" },
	{ "tenant-mac-key", OPTION_SECRET, NULL, AT(tenant_mac_key), 64, 64,
		"file with the key that the database believes tenants by, 32 bytes as hex" },
	{ "password-key", OPTION_SECRET, NULL, AT(password_key), 64, 64,
		"file with the key that seals password hashes, 32 bytes as hex" },
	{ "bootstrap-secret", OPTION_SECRET, "", AT(bootstrap_secret), 16, 256,
		"file with the one-time secret of the first operator; used while there is none" },
	{ "second-factor-required", OPTION_TEXT, "staff", AT(second_factor_required), 1, 256,
		"whose sessions need a second factor for what is of class II and above: `staff`, "
		"`privileged` (operators and contractors), or `none: ` and the reason why not" },
	{ "keyring", OPTION_READS, NULL, AT(keyring), 1, 4096,
		"directory of the tenant keys: auth reads the salts that it finds login names "
		"and seals passwords with" },
};

static const struct job jobs[] = {
	{ .name = "bootstrap", .every_ms = 2000, .run = tenant_bootstrap },
	{ .name = "session_expire", .every_ms = 600000, .run = session_expire },
	{ .name = "slots", .every_ms = 60000, .run = keys_drop_idle },
};

/* Two workers stay free of Argon2, whatever comes in. */
static unsigned hash_limit(void)
{
	int64_t workers = service_workers();
	return workers > 2 ? (unsigned)workers - 2 : 1;
}

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static enum err auth_start(void)
{
	enum err e = second_factor_policy_read();
	if (!e)
		e = keys_open();
	return e ? e : hash_pool_start(cores(), hash_limit());
}

static void auth_stop(void)
{
	hash_pool_stop();
	keys_close();
}

int main(int argc, char **argv)
{
	static const struct service auth = {
		.name = "auth",
		.ops = auth_ops,
		.ops_n = AUTH_OPS_N,
		.options = options,
		.options_n = sizeof options / sizeof *options,
		.conf = &auth_conf,
		.jobs = jobs,
		.jobs_n = sizeof jobs / sizeof *jobs,
		.workers = 8,
		.start = auth_start,
		.stop = auth_stop,
		.service_capability = auth_own_capability,
	};
	return service_main(argc, argv, &auth);
}
