/* provisioning: contracts, schools, people, classes, enrolments and function limits. */
#include <stddef.h>

#include "libcommon/keyring.h"
#include "libcommon/service.h"
#include "services/provisioning/access_ask.h"
#include "services/provisioning/erasure.h"
#include "services/provisioning/key_end.h"
#include "services/provisioning/key_root.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"
#include "services/provisioning/replica.h"

#define AT(field_) offsetof(struct lifecycle_conf, field_)
#define DAYS_MAX 3650 /* longer than any law wants records kept after a contract */

static const struct option options[] = {
	{ "contract-export-days", OPTION_INTEGER, "30", AT(export_days), 0, DAYS_MAX,
		"days after a contract is closed in which the customer is handed its data" },
	{ "contract-grace-days", OPTION_INTEGER, "30", AT(grace_days), 0, DAYS_MAX,
		"days after these in which the contract can still be restored, before its purge" },
	{ "user-grace-days", OPTION_INTEGER, "30", AT(user_grace_days), 0, DAYS_MAX,
		"days after a user is deleted in which the user can still be restored" },
	{ "keyring-replica", OPTION_WRITES_EACH, "", AT(replicas), 0, OPTION_TEXT_MAX,
		"further directories that hold the keyring and in which keys are destroyed too, on"
		" other disks or shares: up to four, NAME of a-z, 0-9 and -; each has joined"
		" (manabiyactl keyring join)" },
	{ "key-version-days", OPTION_INTEGER, "90", AT(key_days), 0, DAYS_MAX,
		"days that an old version of a tenant's key is kept when nothing lies under it any"
		" more: no fewer than backups are, which cannot be read without it" },
};

/* A contract's end is counted in days, but people who watch it wait for each of these. */
static const struct job jobs[] = {
	{ .name = "reseal", .every_ms = RESEAL_EVERY_MS, .run = reseal_run },
	/* As long as that, a new key exists once. */
	{ .name = "keyring_replica", .every_ms = 2000, .run = replica_run },
	{ .name = "key_end", .every_ms = KEY_END_EVERY_MS, .run = key_end_run },
	{ .name = "key_root", .every_ms = KEY_ROOT_EVERY_MS, .run = key_root_run },
	{ .name = "access_ask", .every_ms = 2000, .run = access_ask_run },
	{ .name = "contract_clock", .every_ms = 2000, .run = lifecycle_run },
	{ .name = "purge", .every_ms = 2000, .run = purge_run },
	{ .name = "certificate", .every_ms = 2000, .run = certificate_run },
	/* Things go by days; who has just set a rule sees within seconds that it works. */
	{ .name = "retention", .every_ms = 10000, .run = retention_run },
	{ .name = "user_erasure", .every_ms = 2000, .run = user_erasure_run },
	{ .name = "erasure_replay", .every_ms = 2000, .run = erasure_replay },
};

/* The operator's own tenant, which no contract opens, has a key too: for what it announces. Where
 * there is one, whoever keeps the root may be away. */
static enum err make_operator_key(void)
{
	uint32_t version;
	enum err e = keyring_newest(service_keyring(), OPERATOR_TENANT, &version);
	return e == ERR_NOT_FOUND ? keyring_create(service_keyring(), OPERATOR_TENANT) : e;
}

/* A backup of the keyring may have brought back what is erased: away with it before anybody asks.
 */
static enum err start(void)
{
	enum err e = replica_start();
	if (!e)
		e = keyring_destroy_again(service_keyring());
	return e ? e : make_operator_key();
}

int main(int argc, char **argv)
{
	static const struct service provisioning = {
		.name = "provisioning",
		.ops = provisioning_ops,
		.ops_n = PROVISIONING_OPS_N,
		.options = options,
		.options_n = sizeof(options) / sizeof(options[0]),
		.conf = &lifecycle_conf,
		.jobs = jobs,
		.jobs_n = sizeof(jobs) / sizeof(jobs[0]),
		.keyring = KEYRING_WRITES,
		.sealed = provisioning_sealed,
		.sealed_n = PROVISIONING_SEALED_N,
		.workers = 4,
		.start = start,
		.stop = replica_stop,
		.metrics = replica_metrics,
	};
	return service_main(argc, argv, &provisioning);
}
