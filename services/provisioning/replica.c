/* Keeping the keyring's replicas level; see replica.h. */
#include "services/provisioning/replica.h"

#include <string.h>

#include "libcommon/keyring_replica.h"
#include "libcommon/log.h"
#include "libcommon/service.h"
#include "services/provisioning/lifecycle.h"

#define STORE "keyring"

static struct keyring_replicas *replicas; /* NULL: tests, which have none */

enum err replica_start(void)
{
	replicas = keyring_replicas_open(service_keyring(), lifecycle_conf.replicas);
	return replicas ? OK : ERR_INVALID;
}

void replica_stop(void)
{
	keyring_replicas_close(replicas);
	replicas = NULL;
}

void replica_metrics(struct buf *out)
{
	if (replicas)
		keyring_replicas_metrics(replicas, out);
}

/* One that is behind is said where it is noticed (keyring_replica.c). */
enum err replica_run(struct call *c, bool *more)
{
	const char *behind;
	enum err e = replicas ? keyring_replicas_level(replicas, c->arena, NULL, &behind) : OK;
	return e == ERR_UNAVAILABLE ? OK : e;
}

enum err replica_end(struct call *c, const char *tenant_id, const char **waits_for)
{
	*waits_for = NULL;
	if (!replicas)
		return OK;
	enum err e = keyring_replicas_level(replicas, c->arena, tenant_id, waits_for);
	return e && !*waits_for ? fail(c, e, "the keyring's replicas cannot be looked at") : OK;
}

const char *replica_all(struct call *c)
{
	struct buf out = { .arena = c->arena };
	if (!replicas)
		return NULL;
	const struct keyring_replica_names names = keyring_replicas_names(replicas, c->arena);
	for (size_t i = 0; i < names.n; i++)
		buf_printf(&out, "%s%s", i ? ", " : "", names.items[i]);
	return names.n ? out.data : NULL;
}

struct replica_stores replica_stores(struct call *c, int64_t removed)
{
	struct keyring_replica_names names = { 0 };
	if (replicas)
		names = keyring_replicas_names(replicas, c->arena);
	struct replica_stores stores = { arena_array(c->arena, names.n + 1, sizeof(*stores.items)),
		names.n + 1 };
	stores.items[0] = (struct common_purged_store){ .store = STORE, .removed = removed };
	for (size_t i = 0; i < names.n; i++)
		stores.items[i + 1] = (struct common_purged_store){
			.store = arena_printf(c->arena, STORE ".%s", names.items[i]),
			.removed = removed,
		};
	return stores;
}
