/* The steps of a purge; see purge.h. */
#include "services/provisioning/purge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit_proto.h"
#include "auth_proto.h"
#include "learning_proto.h"
#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/purge.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "notification_proto.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"
#include "services/provisioning/replica.h"

/* What the log calls provisioning's own part; the others' parts are operations. */
static const struct op OWN_PURGE = { .name = "tenant_purge",
	.audit = { "entity_management.delete", 3004, 4 } };

static const char NEXT[] = "SELECT id, customer_tenant_id, purge_step FROM provisioning.contract"
			   " WHERE state = 'purging' ORDER BY id <= $1::uuid, id LIMIT 1";

/* Another instance may have been faster. */
static const char STEP_DONE[] = "UPDATE provisioning.contract SET purge_step = purge_step + 1"
				" WHERE id = $1::uuid AND purge_step = $2::integer";

static const char STORE_PUT[] =
	"INSERT INTO provisioning.contract_store AS s (contract_id, store, removed)"
	" VALUES ($1::uuid, $2, $3::bigint) ON CONFLICT (tenant_id, contract_id, store)"
	" DO UPDATE SET removed = excluded.removed";

static const char KEYS_PUT[] =
	"UPDATE provisioning.contract SET erased_keys = $2, erased_keys_at = $3::timestamptz,"
	" ledger_hash = $4, waits_for = $5 WHERE id = $1::uuid";

static const char ERASED[] = "UPDATE provisioning.contract SET erased_event_id = $2::uuid"
			     " WHERE id = $1::uuid";

#define NO_ID "00000000-0000-0000-0000-000000000000"

/* One purge, for the length of a part of a step. */
struct purge {
	const char *contract_id, *tenant_id;
	int64_t step;
	struct common_purge_step part; /* what a service answered */
	const char *waits_for; /* replicas of the keyring that are away; NULL: none */
};

/* A step enters the customer's tenant or the operator's, as it needs. */
typedef enum err purge_step(struct call *c, struct purge *purge);

/* ---- steps ---- */

/* Until here it let its administrators in; a backup may have opened it altogether. */
static enum err shut(struct call *c, struct purge *purge)
{
	const struct auth_tenant_access_put_in in = { .tenant_id = purge->tenant_id,
		.access = "shut" };
	return auth_tenant_access_put_call(c, &in);
}

static enum err purge_auth(struct call *c, struct purge *purge)
{
	return auth_tenant_purge_call(c, &purge->part);
}

static enum err purge_learning(struct call *c, struct purge *purge)
{
	return learning_tenant_purge_call(c, &purge->part);
}

static enum err purge_notification(struct call *c, struct purge *purge)
{
	return notification_tenant_purge_call(c, &purge->part);
}

static enum err purge_audit(struct call *c, struct purge *purge)
{
	return audit_tenant_purge_call(c, &purge->part);
}

static enum err purge_own(struct call *c, struct purge *purge)
{
	enum err e = purge_rows(c, &purge->part.more);
	if (!e)
		e = outbox_record(c, &OWN_PURGE, NULL);
	return e ? e : purge_noted(c, &common_purged_store_shape, &purge->part.stores);
}

/* How many files the receipt names: `a=…,b=…`, or `-` for none. */
static int64_t count_keys(const char *keys)
{
	int64_t n = 0;
	for (; (keys = strchr(keys, '=')); keys++)
		n++;
	return n;
}

/* Not over before they are gone from every replica; people are told which one it waits for. */
static enum err destroy_keys(struct call *c, struct purge *purge)
{
	struct erasure receipt;
	if (keyring_destroy(c->keyring, c->arena, purge->tenant_id, &receipt))
		return fail(c, ERR_UNAVAILABLE, "the keys cannot be destroyed");
	enum err e = replica_end(c, purge->tenant_id, &purge->waits_for);
	purge->part.more = purge->waits_for != NULL;
	if (!e && !purge->waits_for) {
		const struct replica_stores stores = replica_stores(c, count_keys(receipt.keys));
		purge->part.stores.items = stores.items;
		purge->part.stores.n = stores.n;
	}
	if (!e)
		e = service_enter_tenant(c, OPERATOR_TENANT);
	return e ? e
		 : db_exec_one(c, KEYS_PUT,
			   DB_ARGS(purge->contract_id, receipt.keys, receipt.at, receipt.hash,
				   purge->waits_for));
}

static enum err finish(struct call *c, struct purge *purge)
{
	const struct move move = { .contract_id = purge->contract_id,
		.to = "erased",
		.mover = MOVER_CLOCK,
		.event_id = uuid_make(c->arena) };
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = lifecycle_move(c, &move);
	return e ? e : db_exec_one(c, ERASED, DB_ARGS(purge->contract_id, move.event_id));
}

static purge_step *const STEPS[] = {
	shut,
	purge_learning,
	purge_notification,
	purge_auth,
	purge_audit,
	purge_own,
	destroy_keys,
	purge_learning,
	purge_notification,
	purge_auth,
	purge_audit,
	purge_own,
	finish,
};
static_assert(sizeof(STEPS) / sizeof(STEPS[0]) == PURGE_STEPS, "purge.h tells how many");

/* ---- running them ---- */

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct purge *purge = arg;
	purge->contract_id = columns[0];
	purge->tenant_id = columns[1];
	purge->step = strtoll(columns[2], NULL, 10);
	return OK;
}

static enum err note(struct call *c, const struct purge *purge)
{
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	for (size_t i = 0; i < purge->part.stores.n && !e; i++) {
		const struct common_purged_store *store = &purge->part.stores.items[i];
		e = db_later(c, STORE_PUT,
			DB_ARGS(purge->contract_id, store->store, db_integer(c, store->removed)));
	}
	if (!e && !purge->part.more)
		e = db_exec(c, STEP_DONE, DB_ARGS(purge->contract_id, db_integer(c, purge->step)));
	return e;
}

/* No transaction that has written is open while another service is asked. */
static enum err run_step(struct call *c, struct purge *purge)
{
	if (purge->step < 0 || purge->step >= PURGE_STEPS)
		return fail(c, ERR_INTERNAL, "contract %s: no step %lld", purge->contract_id,
			(long long)purge->step);
	enum err e = service_enter_tenant(c, purge->tenant_id);
	if (!e)
		e = STEPS[purge->step](c, purge);
	return e ? e : note(c, purge);
}

/* One part of one contract after the other, so that one that fails holds up no other. Only the one
 * job thread comes here. */
enum err purge_run(struct call *c, bool *more)
{
	static char last[UUID_SIZE] = NO_ID;
	struct purge purge = { 0 };
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_each(c, NEXT, DB_ARGS(last), on_next, &purge);
	if (e || !purge.contract_id)
		return e;
	memcpy(last, purge.contract_id, UUID_SIZE);
	e = run_step(c, &purge);
	*more = !purge.waits_for; /* a disk that is away is looked for again with the next turn */
	return e;
}

enum err purge_leavings(struct call *c, const char *tenant_id)
{
	struct purge purge = { .tenant_id = tenant_id };
	enum err e = service_enter_tenant(c, tenant_id);
	for (size_t i = 0; STEPS[i] != destroy_keys && !e; i++) {
		do {
			purge.part.more = false;
			e = STEPS[i](c, &purge);
		} while (!e && purge.part.more);
	}
	return e;
}
