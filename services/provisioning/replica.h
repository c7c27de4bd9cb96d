/*
 * The replicas of the keyring (libcommon/keyring_replica.h), of which this process is the only
 * writer but for manabiyactl. A job brings them level within seconds of whatever was written; the
 * end of a key does so itself, and waits.
 */
#ifndef MANABIYA_PROVISIONING_REPLICA_H
#define MANABIYA_PROVISIONING_REPLICA_H

#include "common_proto.h"
#include "libcommon/call.h"

/* With --keyring-replica; refuses a start that could do damage. */
must_check enum err replica_start(void);
void replica_stop(void);

void replica_metrics(struct buf *out);

/* A job (service.h). */
enum err replica_run(struct call *c, bool *more);

/* Destroy there what is destroyed of a tenant here. *waits_for: the names of those that are behind;
 * NULL when it is done everywhere. */
must_check enum err replica_end(struct call *c, const char *tenant_id, const char **waits_for);

/* The names of all, as replica_end() has them; NULL when there are none. */
const char *replica_all(struct call *c);

/* What a certificate says of a key's end: the keyring, in which `removed` files or slots were
 * overwritten, and each of its replicas, where nothing of these is any more. */
struct replica_stores {
	struct common_purged_store *items;
	size_t n;
};
struct replica_stores replica_stores(struct call *c, int64_t removed);

#endif
