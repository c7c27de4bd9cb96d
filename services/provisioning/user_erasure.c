/*
 * Erasing users whose time of grace is over, a step at a time: what there is of the person is
 * counted, then it goes and the key with it, and when every service has nothing left and the log
 * proves it, audit signs a certificate. Each step is one transaction that moves the row on, so a
 * crash costs one step.
 */
#include <string.h>

#include "audit_proto.h"
#include "learning_proto.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "notification_proto.h"
#include "services/provisioning/erasure.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"
#include "services/provisioning/record.h"
#include "services/provisioning/replica.h"

#define NO_ID "00000000-0000-0000-0000-000000000000"

/* What the log calls it. */
static const struct op USER_ERASE = { .name = "user_erase",
	.audit = { "account_change.delete", 3001, 6 } };
static const struct op CERTIFY = { .name = "user_certify",
	.audit = { "entity_management.update", 3004, 3 } };

static const char NEXT[] =
	"SELECT tenant_id, id, user_id, step FROM provisioning.user_erasure_next($1::uuid)";

/* Restored meanwhile, or held? Behind the locks that whoever does it has too. */
static const char IS_DUE[] = "SELECT EXISTS (SELECT FROM provisioning.user_erasure"
			     " WHERE id = $1::uuid AND due_at <= now() AND erased_at IS NULL"
			     " AND provisioning.held_since() IS NULL)::text";

static const char OWN_ROWS[] =
	"SELECT 'provisioning.person' AS store, count(*) AS rows FROM provisioning.person"
	" WHERE id = $1::uuid UNION ALL"
	" SELECT 'provisioning.enrollment', count(*) FROM provisioning.enrollment"
	" WHERE user_id = $1::uuid UNION ALL"
	" SELECT 'provisioning.person_feature', count(*) FROM provisioning.person_feature"
	" WHERE user_id = $1::uuid";

static const char STORE_PUT[] =
	"INSERT INTO provisioning.user_erasure_store AS s (erasure_id, store, rows)"
	" VALUES ($1::uuid, $2, $3::bigint) ON CONFLICT (tenant_id, erasure_id, store)"
	" DO UPDATE SET rows = excluded.rows";
static const char COUNTED[] = "UPDATE provisioning.user_erasure SET counted_at = now()"
			      " WHERE id = $1::uuid AND counted_at IS NULL";

/* One whom a backup brought back has no row, or one of before. Until somebody has looked ($7), the
 * key may be in every replica. */
static const char ERASED[] =
	"INSERT INTO provisioning.user_erasure AS x (id, user_id, due_at, erased_at, erased_keys,"
	" ledger_hash, erased_event_id, waits_for) VALUES ($1::uuid, $2::uuid, now(),"
	" $3::timestamptz, $4, $5, $6::uuid, $7) ON CONFLICT (tenant_id, user_id)"
	" DO UPDATE SET erased_at = excluded.erased_at,"
	" erased_keys = excluded.erased_keys, ledger_hash = excluded.ledger_hash,"
	" erased_event_id = excluded.erased_event_id, certificate = NULL,"
	" waits_for = excluded.waits_for,"
	" due_at = least(x.due_at, excluded.due_at)";

static const char WAITS[] = "UPDATE provisioning.user_erasure SET waits_for = $2"
			    " WHERE id = $1::uuid AND waits_for IS DISTINCT FROM $2";

static const char TO_CERTIFY[] =
	"SELECT user_id, erased_event_id, erased_keys, tenancy.stamp(erased_at), ledger_hash"
	" FROM provisioning.user_erasure WHERE id = $1::uuid";
static const char STORES[] = "SELECT store, rows AS removed FROM provisioning.user_erasure_store"
			     " WHERE erasure_id = $1::uuid AND rows > 0 ORDER BY store";
static const char CERTIFICATE_PUT[] = "UPDATE provisioning.user_erasure SET certificate = $2"
				      " WHERE id = $1::uuid AND certificate IS NULL";

static const char CERTIFICATE_GET[] =
	"SELECT certificate FROM provisioning.user_erasure WHERE id = $1::uuid";

static const char PAGE[] =
	"SELECT x.id, x.user_id, tenancy.stamp(x.requested_at) AS requested_at,"
	" tenancy.stamp(CASE WHEN x.erased_at IS NOT NULL OR provisioning.held_since() IS NULL"
	"  THEN x.due_at END) AS erase_at, tenancy.stamp(x.erased_at) AS erased_at,"
	" CASE WHEN x.certificate IS NOT NULL THEN 'certified' WHEN x.erased_at IS NOT NULL"
	"  THEN CASE WHEN x.waits_for IS NULL THEN 'erased' ELSE 'erasing' END"
	"  WHEN x.due_at <= now() AND provisioning.held_since() IS NULL"
	"  THEN 'erasing' ELSE 'tobedeleted' END AS state, x.waits_for,"
	" (SELECT p.label FROM provisioning.person p WHERE p.tenant_id = x.tenant_id"
	"  AND p.id = x.user_id) AS label"
	" FROM provisioning.user_erasure x WHERE $1::uuid IS NULL OR x.id < $1::uuid"
	" ORDER BY x.id DESC LIMIT $2::integer";

/* One erasure, for the length of a step. */
struct ending {
	const char *tenant_id, *id, *user_id, *step;
};

/* ---- counting ---- */

static enum err put_stores(
	struct call *c, const struct ending *ending, const struct common_user_rows *rows)
{
	enum err e = OK;
	for (size_t i = 0; i < rows->stores.n && !e; i++) {
		const struct common_store_rows *store = &rows->stores.items[i];
		e = db_later(c, STORE_PUT,
			DB_ARGS(ending->id, store->store, db_integer(c, store->rows)));
	}
	return e;
}

static enum err ask_others(struct call *c, const char *user_id, struct common_user_rows *learns,
	struct common_user_rows *is_told)
{
	const struct learning_user_rows_in of_learning = { .user_id = user_id };
	const struct notification_user_rows_in of_notification = { .user_id = user_id };
	enum err e = learning_user_rows_call(c, &of_learning, learns);
	return e ? e : notification_user_rows_call(c, &of_notification, is_told);
}

/* The others are asked before anything is written. */
static enum err count_rows(struct call *c, const struct ending *ending, bool *more)
{
	struct common_user_rows learns = { 0 }, is_told = { 0 }, own = { 0 };
	enum err e = ask_others(c, ending->user_id, &learns, &is_told);
	if (!e)
		e = db_rows(c, OWN_ROWS, DB_ARGS(ending->user_id), &common_store_rows_shape,
			&own.stores);
	if (!e)
		e = put_stores(c, ending, &learns);
	if (!e)
		e = put_stores(c, ending, &is_told);
	if (!e)
		e = put_stores(c, ending, &own);
	*more = !e;
	return e ? e : db_exec(c, COUNTED, DB_ARGS(ending->id));
}

/* ---- erasing ---- */

enum err user_erase(struct call *c, const char *user_id)
{
	const char *event_id = uuid_make(c->arena);
	struct erasure receipt = { 0 };
	enum err e = user_remove(c, user_id, &receipt);
	c->op = &USER_ERASE;
	if (!e)
		e = record_here(c, user_id, event_id);
	return e ? e
		 : db_exec_one(c, ERASED,
			   DB_ARGS(uuid_make(c->arena), user_id, receipt.at, receipt.keys,
				   receipt.hash, event_id, replica_all(c)));
}

static enum err erase(struct call *c, const struct ending *ending, bool *more)
{
	const char *is_due = "";
	enum err e = lock_legal_hold_share(c);
	if (!e)
		e = lock_roster_share(c);
	if (e == ERR_CONFLICT) /* an archive or an import is on its way in: later */
		return OK;
	if (!e)
		e = lock_hold(c, "user", ending->user_id);
	if (!e)
		e = db_text(c, IS_DUE, DB_ARGS(ending->id), &is_due);
	if (e || strcmp(is_due, "true") != 0)
		return e;
	e = user_erase(c, ending->user_id);
	*more = !e;
	return e;
}

/* ---- the certificate ---- */

static int64_t sum_of(const struct common_user_rows *rows)
{
	int64_t sum = 0;
	for (size_t i = 0; i < rows->stores.n; i++)
		sum += rows->stores.items[i].rows;
	return sum;
}

static enum err on_erased(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct audit_user_erasure_certify_in *)arg = (struct audit_user_erasure_certify_in){
		.user_id = arena_strdup(c->arena, columns[0]),
		.event_id = arena_strdup(c->arena, columns[1]),
		.keys = arena_strdup(c->arena, columns[2]),
		.keys_at = arena_strdup(c->arena, columns[3]),
		.ledger_hash = arena_strdup(c->arena, columns[4]),
	};
	return OK;
}

/* With the keyring and its replicas behind those that were counted. */
static enum err add_stores(
	struct call *c, const struct ending *ending, struct audit_user_erasure_certify_in *in)
{
	const struct replica_stores keys = replica_stores(c, 1);
	enum err e =
		db_rows(c, STORES, DB_ARGS(ending->id), &common_purged_store_shape, &in->stores);
	if (e || strcmp(in->keys, "-") == 0) /* one who is older than keys of users */
		return e;
	struct common_purged_store *all =
		arena_array(c->arena, in->stores.n + keys.n, sizeof(*all));
	if (in->stores.n)
		memcpy(all, in->stores.items, in->stores.n * sizeof(*all));
	memcpy(all + in->stores.n, keys.items, keys.n * sizeof(*all));
	in->stores.items = all;
	in->stores.n += keys.n;
	return OK;
}

static enum err ask_audit(struct call *c, const struct ending *ending, const char **certificate)
{
	struct audit_user_erasure_certify_in in = { 0 };
	struct audit_user_erasure_certify_out out = { 0 };
	enum err e = db_each(c, TO_CERTIFY, DB_ARGS(ending->id), on_erased, &in);
	if (!e)
		e = add_stores(c, ending, &in);
	if (!e)
		e = audit_user_erasure_certify_call(c, &in, &out);
	*certificate = out.certificate;
	return e;
}

static enum err certify(struct call *c, const struct ending *ending, bool *more)
{
	struct common_user_rows learns = { 0 }, is_told = { 0 };
	const char *waits_for, *certificate = NULL;
	enum err e = ask_others(c, ending->user_id, &learns, &is_told);
	if (e || sum_of(&learns) + sum_of(&is_told) > 0) /* the event is on its way */
		return e;
	e = replica_end(c, ending->tenant_id, &waits_for);
	if (!e && !waits_for)
		e = ask_audit(c, ending, &certificate);
	if (e && e != ERR_NOT_FOUND && e != ERR_CONFLICT)
		return e;
	e = db_exec(c, WAITS, DB_ARGS(ending->id, waits_for));
	if (e || !certificate) /* not proven yet */
		return e;
	*more = true;
	e = db_exec(c, CERTIFICATE_PUT, DB_ARGS(ending->id, certificate));
	return e ? e : outbox_record(c, &CERTIFY, ending->user_id);
}

/* ---- running them ---- */

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct ending *)arg = (struct ending){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]), arena_strdup(c->arena, columns[2]),
		arena_strdup(c->arena, columns[3]) };
	return OK;
}

/* A step of one after the other, so that one that fails holds up no other. Only the one job thread
 * comes here. */
enum err user_erasure_run(struct call *c, bool *more)
{
	static char last[UUID_SIZE] = NO_ID;
	struct ending ending = { 0 };
	enum err e = db_each(c, NEXT, DB_ARGS(last), on_next, &ending);
	if (e || !ending.id)
		return e;
	memcpy(last, ending.id, UUID_SIZE);
	e = service_enter_tenant(c, ending.tenant_id);
	if (e)
		return e;
	if (strcmp(ending.step, "count") == 0)
		return count_rows(c, &ending, more);
	return strcmp(ending.step, "erase") == 0 ? erase(c, &ending, more)
						 : certify(c, &ending, more);
}

/* ---- for administrators ---- */

enum err provisioning_user_erasure_list(struct call *c,
	const struct provisioning_user_erasure_list_in *in,
	struct provisioning_user_erasure_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, PAGE, DB_ARGS(page.after[0], page.rows),
			&provisioning_user_erasure_shape, &out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return e;
}

enum err provisioning_user_erasure_certificate(struct call *c,
	const struct provisioning_user_erasure_certificate_in *in,
	struct provisioning_user_erasure_certificate_out *out)
{
	return certificate_get(c, CERTIFICATE_GET, in->erasure_id, &out->body);
}
