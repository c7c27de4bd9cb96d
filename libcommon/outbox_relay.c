/*
 * Shipping what the outbox holds; see outbox.h.
 *
 * A round takes due rows (the outbox is leased for 30 seconds, so that two relays do not ship the
 * same ones), sends them in groups, and settles each group. It never holds a transaction open while
 * it waits for another service: that would hold back the watermark of everyone.
 *
 * No row may block another: a refused group is sent again row by row, and a row that has failed
 * several times travels alone, so that one which kills its consumer dies by itself. No consumer may
 * block another: each has its own share of a round, and one that is away is asked once a round.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus.h"
#include "libcommon/capability_cache.h"
#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/service.h"

#define SHARE_MAX                                                                                  \
	500 /* rows of one consumer in a round: beyond it a call costs nothing any more            \
	     */
#define EVENTS_MAX 100 /* what EventBatch holds */
#define GROUP_BYTES (2 * 1024 * 1024) /* quoting may double it; a frame holds 6 MiB */
#define CONSUMERS_MAX 8 /* there are five services that take anything */
#define ROWS_MAX (SHARE_MAX * CONSUMERS_MAX)
#define ALONE_AFTER 4 /* failed attempts; a shorter trouble of the consumer costs no batching */
#define SHIP_TIMEOUT_MS 5000 /* every consumer may be away and the lease still holds */

static const char TAKE[] = "SELECT id, tenant_id, consumer, kind, type, event_id, body, created_at,"
			   " attempts, CASE WHEN kind = 'event' THEN"
			   " tenancy.event_proof(consumer, tenant_id, event_id) END"
			   " FROM outbox_take($1)";
static const char DONE[] = "SELECT outbox_done($1)";
static const char WAIT[] = "SELECT outbox_wait($1)";
static const char RELEASE[] = "SELECT outbox_release()";
static const char PUT_OFF[] = "SELECT outbox_put_off($1, $2)";

struct row {
	const char *id, *tenant_id, *consumer, *kind, *type, *event_id, *body, *created_at;
	const char *proof; /* of an event: that the outbox holds it */
	bool alone;
	bool broken; /* its body does not open */
	bool erased; /* it is about a user whose key is gone */
	bool shipped; /* belongs to a group that was dealt with */
};

struct rows {
	struct row items[ROWS_MAX];
	size_t n;
};

/* Rows that go in one call. */
struct group {
	const struct row *items[ROWS_MAX];
	size_t n;
};

static bool is_audit(const struct row *row)
{
	return strcmp(row->kind, "audit") == 0;
}

/* One that does not open is put off like one that is refused; the others go on. JSON begins with a
 * brace, what is sealed never does. */
static void open_body(struct call *c, struct row *row)
{
	if (is_audit(row) || *row->body == '{')
		return;
	const char *sealed = arena_printf(c->arena, "%s:%s", row->event_id, row->body);
	row->broken = !c->keyring ||
		personal_open_of(c, row->tenant_id, &outbox_body, sealed, &row->body) != OK;
	row->erased = row->body == personal_erased[0];
	c->failure = (struct failure){ 0 };
}

static enum err on_row(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct rows *rows = arg;
	if (rows->n == ROWS_MAX)
		return fail(c, ERR_INTERNAL, "outbox_take gave too many rows");
	rows->items[rows->n++] = (struct row){ .id = columns[0],
		.tenant_id = columns[1],
		.consumer = columns[2],
		.kind = columns[3],
		.type = columns[4],
		.event_id = columns[5],
		.body = columns[6],
		.created_at = columns[7],
		.alone = strtol(columns[8], NULL, 10) >= ALONE_AFTER,
		.proof = columns[9] };
	open_body(c, &rows->items[rows->n - 1]);
	return OK;
}

/* Audit lines of all tenants go together; events only with those of their tenant. */
static bool go_together(const struct row *a, const struct row *b)
{
	if (a->alone || b->alone || strcmp(a->consumer, b->consumer) != 0 ||
		is_audit(a) != is_audit(b))
		return false;
	return is_audit(a) || strcmp(a->tenant_id, b->tenant_id) == 0;
}

/* The rows from `first` on that go with it, as far as they fit into one frame. */
static void collect(struct rows *rows, size_t first, struct group *group)
{
	size_t bytes = 0, most = is_audit(&rows->items[first]) ? SHARE_MAX : EVENTS_MAX;
	group->n = 0;
	for (size_t i = first; i < rows->n && bytes < GROUP_BYTES && group->n < most; i++) {
		struct row *row = &rows->items[i];
		if (row->shipped || (i > first && !go_together(&rows->items[first], row)))
			continue;
		row->shipped = true;
		bytes += strlen(row->body);
		group->items[group->n++] = row;
	}
}

static void member(struct buf *out, const char *name, const char *value)
{
	buf_text(out, name);
	json_quote(out, value);
}

static struct bytes body_of(struct call *c, const struct group *group)
{
	struct buf out = { .arena = c->arena };
	bool audit = is_audit(group->items[0]);
	buf_text(&out, audit ? "{\"lines\":[" : "{\"events\":[");
	for (size_t i = 0; i < group->n; i++) {
		const struct row *row = group->items[i];
		if (i)
			buf_char(&out, ',');
		if (audit) {
			json_quote(&out, row->body);
			continue;
		}
		member(&out, "{\"id\":", row->event_id);
		member(&out, ",\"type\":", row->type);
		member(&out, ",\"time\":", row->created_at);
		member(&out, ",\"proof\":", row->proof);
		member(&out, ",\"data\":", row->body);
		buf_char(&out, '}');
	}
	buf_text(&out, "]}");
	return (struct bytes){ (const unsigned char *)out.data, out.n };
}

enum err outbox_enter_relay(struct call *c)
{
	const char *capability;
	const struct actor *relay;
	enum err e = service_capability(c, OUTBOX_RELAY, &capability);
	if (e)
		return e;
	if (capability_check(c->auth_key, capability, clock_unix_ms(), &relay))
		return fail(c, ERR_INTERNAL, "auth minted a capability that does not verify");
	return db_enter(c, relay->tenant_key);
}

static enum err settle_as(struct call *c, const char *sql, struct db_args args)
{
	enum err e = outbox_enter_relay(c);
	return e ? e : db_exec(c, sql, args);
}

static const char *ids_of(struct call *c, const struct group *group)
{
	const char **ids = arena_array(c->arena, group->n, sizeof(*ids));
	for (size_t i = 0; i < group->n; i++)
		ids[i] = group->items[i]->id;
	return db_text_array(c, ids, group->n);
}

static void send(struct call *c, const struct group *group, struct bus_reply *reply)
{
	const struct row *first = group->items[0];
	struct bus_request request = { .service = first->consumer,
		.operation = is_audit(first) ? "event_append" : "event_accept",
		.capability = "",
		.content_type = "application/json",
		.body = body_of(c, group),
		.timeout_ms = SHIP_TIMEOUT_MS };
	*reply = (struct bus_reply){ .err = OK };
	if (!is_audit(first))
		reply->err = service_capability(c, first->tenant_id, &request.capability);
	if (!reply->err)
		reply->err = bus_call(c->bus, c->arena, &request, reply);
}

/* The consumer, or the way to it, had trouble that is not about these rows. */
static bool is_outage(const struct bus_reply *reply)
{
	return reply->err == ERR_LIMITED || (reply->err == ERR_UNAVAILABLE && !reply->executed);
}

static enum err settle(struct call *c, const struct group *group, const struct bus_reply *reply)
{
	const char *ids = ids_of(c, group);
	if (!reply->err)
		return settle_as(c, DONE, DB_ARGS(ids));
	if (is_outage(reply))
		return settle_as(c, WAIT, DB_ARGS(ids));
	const char *reason = arena_printf(c->arena, "%s answered %s (%u)",
		group->items[0]->consumer, err_name(reply->err), reply->status);
	log_event(LOG_LEVEL_WARNING, "outbox rows refused", LOG_TEXT("reason", reason),
		LOG_INT("rows", group->n));
	return settle_as(c, PUT_OFF, DB_ARGS(ids, reason));
}

/* What a round has come to. */
struct round {
	int64_t shipped;
	bool away; /* the consumer last asked did not answer in time, or has no time */
};

static enum err ship(struct call *c, const struct group *group, struct round *round)
{
	struct bus_reply reply;
	send(c, group, &reply);
	if (!reply.err)
		round->shipped += (int64_t)group->n;
	round->away = reply.err == ERR_UNAVAILABLE || reply.err == ERR_LIMITED;
	if (!reply.err || group->n == 1 || round->away)
		return settle(c, group, &reply);
	enum err e = OK; /* refused: find out which row it is */
	struct group *one = arena_alloc(c->arena, sizeof(*one));
	one->n = 1;
	for (size_t i = 0; i < group->n && !e; i++) {
		one->items[0] = group->items[i];
		e = ship(c, one, round);
	}
	return e;
}

/* The rest of a consumer that is away: it would cost the others a timeout for each group. */
static enum err leave(struct call *c, struct rows *rows, const char *consumer)
{
	struct group *group = arena_alloc(c->arena, sizeof(*group));
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->items[i];
		if (row->shipped || strcmp(row->consumer, consumer) != 0)
			continue;
		row->shipped = true;
		group->items[group->n++] = row;
	}
	return group->n ? settle_as(c, WAIT, DB_ARGS(ids_of(c, group))) : OK;
}

/* What cannot be shipped: rows whose tenant's key is gone, or that somebody has changed, are put
 * off; what was to be told of a user who was erased meanwhile is told nobody, the event of the
 * deletion itself lies under the tenant's key. */
static enum err settle_unopened(struct call *c, struct rows *rows)
{
	struct group *broken = arena_alloc(c->arena, sizeof(*broken));
	struct group *erased = arena_alloc(c->arena, sizeof(*erased));
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->items[i];
		struct group *group = row->broken ? broken : erased;
		if (!row->broken && !row->erased)
			continue;
		row->shipped = true;
		group->items[group->n++] = row;
	}
	enum err e = erased->n ? settle_as(c, DONE, DB_ARGS(ids_of(c, erased))) : OK;
	if (e || !broken->n)
		return e;
	log_event(LOG_LEVEL_ERROR, "outbox rows do not open", LOG_INT("rows", broken->n));
	return settle_as(c, PUT_OFF, DB_ARGS(ids_of(c, broken), "does not open"));
}

static enum err ship_all(struct call *c, struct rows *rows, int64_t *shipped)
{
	struct group *group = arena_alloc(c->arena, sizeof(*group));
	struct round round = { 0 };
	enum err e = settle_unopened(c, rows);
	for (size_t i = 0; i < rows->n && !e; i++) {
		if (rows->items[i].shipped)
			continue;
		collect(rows, i, group);
		e = ship(c, group, &round);
		if (!e && round.away)
			e = leave(c, rows, rows->items[i].consumer);
	}
	*shipped = round.shipped;
	return e ? e : settle_as(c, RELEASE, DB_NONE);
}

enum err outbox_relay(struct call *c, int64_t *shipped)
{
	struct rows *rows = arena_alloc(c->arena, sizeof(*rows));
	/* Each statement is its own transaction. */
	db_rollback(c->db);
	db_begin(c->db, NULL, false);
	*shipped = 0;
	enum err e = outbox_enter_relay(c);
	if (e == ERR_UNAVAILABLE || e == ERR_LIMITED)
		return OK; /* auth is away: the bus has told, and the next turn comes soon */
	if (!e)
		e = db_each(c, TAKE, DB_ARGS(db_integer(c, SHARE_MAX)), on_row, rows);
	return e || !rows->n ? e : ship_all(c, rows, shipped);
}
