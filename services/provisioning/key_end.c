/*
 * Counting under versions of keys, and destroying those whose time has come; see key_end.h.
 *
 * What is known of each version is a row of the operator's tenant. That it is to be destroyed is
 * committed before it is, so that a crash in between loses no record of it.
 */
#include "services/provisioning/key_end.h"

#include <stdlib.h>
#include <string.h>

#include "learning_proto.h"
#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/log.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "notification_proto.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"
#include "services/provisioning/record.h"
#include "services/provisioning/replica.h"

/* Who has looked up a key seals with it longer than this at no time: neither a request nor a job
 * lasts so long. Before that an old version is not empty, whatever is counted. */
#define SETTLED_MS 600000

static const struct op CREATE = { .name = "key_version_create",
	.audit = { "entity_management.create", 3004, 1 } };
static const struct op DESTROY = { .name = "key_version_destroy",
	.audit = { "entity_management.delete", 3004, 4 } };

/* ---- what there is to do ---- */

/* $1 and $2 are the versions that are here, $3 whether each is an old one; $4 days. First what is
 * decided, then what was not tried for longest. The newest are counted once a day, to be shown. A
 * key that somebody brought back is counted like one that never went. */
static const char NEXT[] =
	"SELECT customer, version, task FROM ("
	" SELECT s.customer_tenant_id AS customer, s.version, 'destroy' AS task, s.tried_at"
	" FROM provisioning.key_version s"
	" WHERE s.destroying_at IS NOT NULL AND s.destroyed_at IS NULL"
	" UNION ALL SELECT k.customer, k.version,"
	"  CASE WHEN k.is_old AND s.destroyed_at IS NULL"
	"   AND s.empty_since + $4::integer * interval '1 day' <= now() THEN 'decide'"
	"   ELSE 'count' END, s.tried_at"
	" FROM unnest($1::uuid[], $2::integer[], $3::boolean[]) AS k(customer, version, is_old)"
	" LEFT JOIN provisioning.key_version s"
	"  ON s.customer_tenant_id = k.customer AND s.version = k.version"
	" WHERE (s.destroying_at IS NULL OR s.destroyed_at IS NOT NULL)"
	"  AND CASE WHEN NOT k.is_old THEN"
	"    coalesce(s.counted_at < now() - interval '1 day', true)"
	"   WHEN s.empty_since IS NULL OR s.destroyed_at IS NOT NULL THEN true"
	"   ELSE s.empty_since + $4::integer * interval '1 day' <= now() END"
	") AS due WHERE coalesce(tried_at < now() - interval '45 seconds', true)"
	" ORDER BY task = 'destroy' DESC, tried_at NULLS FIRST, customer, version LIMIT 1";

static const char TRIED[] =
	"INSERT INTO provisioning.key_version (customer_tenant_id, version, tried_at)"
	" VALUES ($1::uuid, $2::integer, now()) ON CONFLICT"
	" (tenant_id, customer_tenant_id, version) DO UPDATE SET tried_at = now()"
	" RETURNING xmax = 0";

static const char COUNTED[] =
	"INSERT INTO provisioning.key_version AS s"
	" (customer_tenant_id, version, tried_at, counted_at, sealed, empty_since)"
	" VALUES ($1::uuid, $2::integer, now(), now(), $3::bigint,"
	"  CASE WHEN $4::boolean THEN now() END)"
	" ON CONFLICT (tenant_id, customer_tenant_id, version) DO UPDATE SET tried_at = now(),"
	"  counted_at = now(), sealed = excluded.sealed, empty_since = CASE WHEN $4::boolean"
	"   THEN coalesce(CASE WHEN s.destroyed_at IS NULL THEN s.empty_since END, now()) END,"
	"  destroying_at = NULL, destroyed_at = NULL, waits_for = NULL, fingerprint = NULL"
	" RETURNING xmax = 0";

static const char DECIDE[] =
	"UPDATE provisioning.key_version SET destroying_at = now(), tried_at = '-infinity'"
	" WHERE customer_tenant_id = $1::uuid AND version = $2::integer";

/* The key may be gone already, so it stays decided, whatever was counted a moment ago. */
static const char AGAIN[] =
	"UPDATE provisioning.key_version SET destroying_at = now(), tried_at = now(),"
	" waits_for = $3 WHERE customer_tenant_id = $1::uuid AND version = $2::integer";

static const char IS_DOOMED[] =
	"SELECT count(*) FROM provisioning.key_version WHERE customer_tenant_id = $1::uuid"
	" AND version = $2::integer AND destroying_at IS NOT NULL AND destroyed_at IS NULL";

static const char DESTROYED[] =
	"UPDATE provisioning.key_version SET destroyed_at = $3::timestamptz, fingerprint = $4,"
	" waits_for = NULL WHERE customer_tenant_id = $1::uuid AND version = $2::integer";

/* A version whose turn it is. */
struct turn {
	struct keyring_version key;
	const char *task; /* NULL: there is none */
	bool is_old;
};

/* What is here, as arrays for SQL. */
struct stock {
	struct buf tenants, versions, olds;
	size_t n;
};

static bool is_settled(struct call *c, const struct keyring_version *newest)
{
	int64_t made_ms;
	return !keyring_made(c->keyring, newest->tenant_id, newest->version, &made_ms) &&
		made_ms + SETTLED_MS <= clock_unix_ms();
}

static bool same_tenant(const struct keyring_version *a, const struct keyring_version *b)
{
	return strcmp(a->tenant_id, b->tenant_id) == 0;
}

static void stock_add(struct stock *stock, const struct keyring_version *key, bool is_old)
{
	const char *comma = stock->n++ ? "," : "{";
	buf_printf(&stock->tenants, "%s%s", comma, key->tenant_id);
	buf_printf(&stock->versions, "%s%u", comma, (unsigned)key->version);
	buf_printf(&stock->olds, "%s%s", comma, is_old ? "t" : "f");
}

static void stock_end(struct buf *array)
{
	buf_text(array, array->n ? "}" : "{}");
}

/* Without the old ones of a tenant whose key was rotated a moment ago. */
static enum err stock_take(struct call *c, struct stock *stock)
{
	struct keyring_list list;
	if (keyring_list(c->keyring, c->arena, &list))
		return fail(c, ERR_UNAVAILABLE, "the keyring store cannot be read");
	for (size_t first = 0, next; first < list.n; first = next) {
		for (next = first + 1;
			next < list.n && same_tenant(&list.items[first], &list.items[next]);)
			next++;
		const struct keyring_version *newest = &list.items[next - 1];
		bool is_old = next - first > 1 && is_settled(c, newest);
		for (size_t i = first; is_old && i < next - 1; i++)
			stock_add(stock, &list.items[i], true);
		stock_add(stock, newest, false);
	}
	stock_end(&stock->tenants);
	stock_end(&stock->versions);
	stock_end(&stock->olds);
	return OK;
}

static enum err on_turn(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct turn *turn = arg;
	memcpy(turn->key.tenant_id, columns[0], UUID_SIZE);
	turn->key.version = (uint32_t)strtoul(columns[1], NULL, 10);
	turn->task = arena_strdup(c->arena, columns[2]);
	return OK;
}

static enum err next_turn(struct call *c, struct turn *out)
{
	struct stock stock = { { .arena = c->arena }, { .arena = c->arena }, { .arena = c->arena },
		0 };
	uint32_t newest;
	enum err e = stock_take(c, &stock);
	if (!e)
		e = db_each(c, NEXT,
			DB_ARGS(stock.tenants.data, stock.versions.data, stock.olds.data,
				db_integer(c, lifecycle_conf.key_days)),
			on_turn, out);
	if (e || !out->task)
		return e;
	out->is_old = !keyring_newest(c->keyring, out->key.tenant_id, &newest) &&
		out->key.version < newest;
	return OK;
}

/* ---- asking everybody ---- */

/* Under one version, in all services. */
static enum err count_all(
	struct call *c, const struct keyring_version *key, struct common_key_left *all)
{
	const struct learning_key_left_in ask_learning = { .version = key->version };
	const struct notification_key_left_in ask_notification = { .version = key->version };
	struct common_key_left parts[3] = { 0 };
	enum err e = service_enter_tenant(c, key->tenant_id);
	if (!e)
		e = reseal_left(c, key->version, &parts[0].count, &parts[0].opens);
	if (!e)
		e = learning_key_left_call(c, &ask_learning, &parts[1]);
	if (!e)
		e = notification_key_left_call(c, &ask_notification, &parts[2]);
	*all = (struct common_key_left){ 0 };
	for (size_t i = 0; i < 3; i++) {
		all->count += parts[i].count;
		all->opens = all->opens || parts[i].opens;
	}
	enum err back = service_enter_tenant(c, OPERATOR_TENANT);
	return back ? back : e;
}

#define KEY_ARGS(c_, turn_) (turn_)->key.tenant_id, db_integer(c_, (turn_)->key.version)

/* ---- what the logs are told ---- */

static enum err record(struct call *c, const struct turn *turn, const struct op *op)
{
	const char *object =
		arena_printf(c->arena, "%s.%u", turn->key.tenant_id, (unsigned)turn->key.version);
	bool is_own = strcmp(turn->key.tenant_id, OPERATOR_TENANT) == 0;
	c->op = op;
	enum err e = is_own ? OK : record_for_customer(c, object, turn->key.tenant_id);
	return e ? e : record_here(c, object, uuid_make(c->arena));
}

static enum err on_noted(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(bool *)arg = columns[0][0] == 't';
	return OK;
}

/* Keys are rotated by a program that has no database (ctl/keyring.c), so who first sees a version
 * tells of it. The first one is made with its tenant. */
static enum err note(struct call *c, const struct turn *turn, const char *sql, struct db_args args)
{
	bool is_new = false;
	enum err e = db_each(c, sql, args, on_noted, &is_new);
	return !e && is_new && turn->key.version > 1 ? record(c, turn, &CREATE) : e;
}

/* *is_empty: everybody has said so. Nobody's silence is taken for it. */
static enum err count(struct call *c, const struct turn *turn, bool *is_empty)
{
	struct common_key_left left;
	*is_empty = false;
	enum err e = count_all(c, &turn->key, &left);
	if (e) {
		log_warning("keys: what lies under version %u of %s cannot be counted: %s",
			(unsigned)turn->key.version, turn->key.tenant_id, err_name(e));
		return note(c, turn, TRIED, DB_ARGS(KEY_ARGS(c, turn)));
	}
	*is_empty = turn->is_old && !left.opens;
	return note(c, turn, COUNTED,
		DB_ARGS(KEY_ARGS(c, turn), db_integer(c, left.count), *is_empty ? "t" : "f"));
}

/* ---- the end ---- */

static bool is_here(struct call *c, const struct keyring_version *key)
{
	int64_t made_ms;
	return keyring_made(c->keyring, key->tenant_id, key->version, &made_ms) == OK;
}

/* Here, and in every replica. UNAVAILABLE, logged and named, when one is away: later. */
static enum err destroy_everywhere(struct call *c, const struct turn *turn,
	struct keyring_receipt *receipt, const char **waits_for)
{
	*waits_for = NULL;
	enum err e = keyring_version_destroy(c->keyring, c->arena, &turn->key, receipt);
	if (!e)
		e = replica_end(c, turn->key.tenant_id, waits_for);
	if (e || !*waits_for)
		return e;
	log_warning("keys: the end of version %u of %s waits for replicas of the keyring: %s",
		(unsigned)turn->key.version, turn->key.tenant_id, *waits_for);
	return ERR_UNAVAILABLE;
}

/* Everybody is asked again: days have passed, and a backup may have been restored. What was gone
 * when a crash came only has to be told. */
static enum err destroy(struct call *c, const struct turn *turn)
{
	struct keyring_receipt receipt;
	const char *doomed, *waits_for;
	enum err e = lock_hold(c, "key_version", turn->key.tenant_id);
	if (!e)
		e = db_text(c, IS_DOOMED, DB_ARGS(KEY_ARGS(c, turn)), &doomed);
	if (e || *doomed == '0') /* another instance was faster */
		return e;
	if (is_here(c, &turn->key)) {
		bool is_empty;
		e = count(c, turn, &is_empty);
		if (e || !is_empty)
			return e;
	}
	e = destroy_everywhere(c, turn, &receipt, &waits_for);
	if (e) /* logged there; the others do not wait for somebody to look */
		return db_exec_one(c, AGAIN, DB_ARGS(KEY_ARGS(c, turn), waits_for));
	e = db_exec_one(c, DESTROYED, DB_ARGS(KEY_ARGS(c, turn), receipt.at, receipt.key));
	return e ? e : record(c, turn, &DESTROY);
}

enum err key_end_run(struct call *c, bool *more)
{
	struct turn turn = { 0 };
	bool is_empty;
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = next_turn(c, &turn);
	if (e || !turn.task)
		return e;
	*more = true;
	if (strcmp(turn.task, "destroy") == 0)
		return destroy(c, &turn);
	if (strcmp(turn.task, "decide") == 0)
		return db_exec_one(c, DECIDE, DB_ARGS(KEY_ARGS(c, &turn)));
	return count(c, &turn, &is_empty);
}

/* ---- for the operator ---- */

/* $1 to $3 are the versions that are here, with the times they were made at; those that are not any
 * more come from the table. */
static const char LIST[] =
	"SELECT tenant_id, json_agg(json_strip_nulls(json_build_object('version', version,"
	" 'madeAt', tenancy.stamp(to_timestamp(made_ms / 1000.0)), 'sealed', sealed,"
	" 'countedAt', tenancy.stamp(counted_at), 'emptySince', tenancy.stamp(empty_since),"
	" 'destroyedAt', tenancy.stamp(destroyed_at), 'waitsFor', waits_for)) ORDER BY version) AS "
	"versions"
	" FROM (SELECT coalesce(k.customer, s.customer_tenant_id) AS tenant_id,"
	"  coalesce(k.version, s.version) AS version, k.made_ms, s.sealed, s.counted_at,"
	"  s.empty_since, s.destroyed_at, s.waits_for"
	"  FROM unnest($1::uuid[], $2::integer[], $3::bigint[]) AS k(customer, version, made_ms)"
	"  FULL JOIN provisioning.key_version s"
	"   ON s.customer_tenant_id = k.customer AND s.version = k.version) AS v"
	" WHERE $4::uuid IS NULL OR tenant_id > $4::uuid"
	" GROUP BY tenant_id ORDER BY tenant_id LIMIT $5::integer";

static const char *times_made(struct call *c, const struct keyring_list *list)
{
	struct buf out = { .arena = c->arena };
	int64_t made_ms = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct keyring_version *key = &list->items[i];
		bool is_known = !keyring_made(c->keyring, key->tenant_id, key->version, &made_ms);
		buf_text(&out, i ? "," : "{");
		buf_text(&out, is_known ? db_integer(c, made_ms) : "NULL");
	}
	stock_end(&out);
	return out.data;
}

static enum err list_page(struct call *c, const struct page *page, void *items)
{
	struct keyring_list list;
	struct stock all = { { .arena = c->arena }, { .arena = c->arena }, { .arena = c->arena },
		0 };
	if (keyring_list(c->keyring, c->arena, &list))
		return fail(c, ERR_UNAVAILABLE, "the keyring store cannot be read");
	for (size_t i = 0; i < list.n; i++)
		stock_add(&all, &list.items[i], false);
	stock_end(&all.tenants);
	stock_end(&all.versions);
	return db_rows(c, LIST,
		DB_ARGS(all.tenants.data, all.versions.data, times_made(c, &list), page->after[0],
			page->rows),
		&provisioning_tenant_keys_shape, items);
}

enum err provisioning_key_version_list(struct call *c,
	const struct provisioning_key_version_list_in *in,
	struct provisioning_key_version_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = list_page(c, &page, &out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].tenant_id, 1);
	return e;
}
