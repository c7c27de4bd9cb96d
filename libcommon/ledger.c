/*
 * Telling audit what the ledger holds; see ledger.h.
 *
 * Nothing is removed before audit has it, and audit takes everything twice without harm: so a crash
 * at any point, or a second instance at the same work, changes nothing. No transaction is open
 * while audit is waited for.
 */
#include "libcommon/ledger.h"

#include <string.h>

#include "libcommon/bus.h"
#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

#define ROWS_MAX 4000 /* as ledger_tell takes; 1 MB at most, a frame holds 6 */
#define COUNTS_MAX 500
#define DOUBTS_MAX 100
#define TELL_TIMEOUT_MS 10000

static const char TAKE[] =
	"SELECT id, kind, tenant_id, event_id, name, verb, changed, by_whom, at, xid"
	" FROM ledger_take($1::integer)";
static const char COUNTS[] = "SELECT tenant_id, effects FROM ledger_counts($1::integer)";
static const char WAITING[] = "SELECT ledger_waiting()";
static const char UNKNOWN[] = "SELECT u.id FROM ledger_unknown($1::uuid[]) AS u (id)";
static const char DONE[] = "SELECT ledger_done($1::bigint[], $2::uuid[], $3::bigint[])";

/* What audit asked about last; only the one job thread comes here. */
static struct {
	char ids[DOUBTS_MAX][UUID_SIZE];
	size_t n;
} doubts;

/* A list of JSON values. */
struct part {
	struct buf json;
	size_t n;
};

struct turn {
	struct part events, effects, counts, unknown;
	const char *rows[ROWS_MAX]; /* of the ledger, in either list */
	size_t rows_n;
	const char *tenants[COUNTS_MAX], *effects_of[COUNTS_MAX]; /* as `counts` has them */
	const char *waiting;
};

/* ---- what is told ---- */

static void member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\":", name);
	json_quote(out, value ? value : "");
	buf_char(out, ',');
}

static struct buf *next_of(struct part *part)
{
	if (part->n++)
		buf_char(&part->json, ',');
	return &part->json;
}

enum column { ID, KIND, TENANT, EVENT, NAME, VERB, CHANGED, BY_WHOM, AT, XID };

static void add_event(struct buf *out, const char *const *row)
{
	buf_char(out, '{');
	if (row[TENANT])
		member(out, "tenantId", row[TENANT]);
	member(out, "eventId", row[EVENT]);
	member(out, "operation", row[NAME]);
	buf_text(out, "\"at\":");
	json_quote(out, row[AT]);
	buf_char(out, '}');
}

static void add_effect(struct call *c, struct buf *out, const char *const *row)
{
	buf_char(out, '{');
	member(out, "tenantId", row[TENANT]);
	member(out, "mark", arena_printf(c->arena, "%s/%s", row[XID], row[ID]));
	member(out, "relation", row[NAME]);
	member(out, "verb", row[VERB]);
	member(out, "byWhom", row[BY_WHOM]);
	member(out, "at", row[AT]);
	buf_printf(out, "\"changed\":%s}", row[CHANGED]);
}

static enum err on_row(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct turn *turn = arg;
	turn->rows[turn->rows_n++] = columns[ID];
	if (strcmp(columns[KIND], "event") == 0)
		add_event(next_of(&turn->events), columns);
	else
		add_effect(c, next_of(&turn->effects), columns);
	return OK;
}

static enum err on_count(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct turn *turn = arg;
	turn->tenants[turn->counts.n] = columns[0];
	turn->effects_of[turn->counts.n] = columns[1];
	buf_printf(next_of(&turn->counts), "{\"tenantId\":\"%s\",\"effects\":%s}", columns[0],
		columns[1]);
	return OK;
}

static enum err on_unknown(struct call *c, void *arg, const char *const *columns, size_t n)
{
	json_quote(next_of(arg), columns[0]);
	return OK;
}

/* Asked now, behind what is told in the same call: what is in the ledger is known. */
static enum err look_for_doubts(struct call *c, struct turn *turn)
{
	const char *ids[DOUBTS_MAX];
	for (size_t i = 0; i < doubts.n; i++)
		ids[i] = doubts.ids[i];
	return doubts.n ? db_each(c, UNKNOWN, DB_ARGS(db_text_array(c, ids, doubts.n)), on_unknown,
				  &turn->unknown)
			: OK;
}

static enum err take(struct call *c, struct turn *turn)
{
	enum err e = db_each(c, TAKE, DB_ARGS(db_integer(c, ROWS_MAX)), on_row, turn);
	if (!e)
		e = db_each(c, COUNTS, DB_ARGS(db_integer(c, COUNTS_MAX)), on_count, turn);
	if (!e)
		e = look_for_doubts(c, turn);
	return e ? e : db_text(c, WAITING, DB_NONE, &turn->waiting);
}

/* ---- telling ---- */

static void add_list(struct buf *out, const char *name, const struct part *part)
{
	buf_printf(out, "\"%s\":[", name);
	if (part->n)
		buf_text(out, part->json.data);
	buf_text(out, "],");
}

static struct bytes body_of(struct call *c, const struct turn *turn)
{
	struct buf out = { .arena = c->arena };
	buf_char(&out, '{');
	add_list(&out, "events", &turn->events);
	add_list(&out, "effects", &turn->effects);
	add_list(&out, "counts", &turn->counts);
	add_list(&out, "unknown", &turn->unknown);
	buf_printf(&out, "\"waiting\":%s}", turn->waiting);
	return (struct bytes){ (const unsigned char *)out.data, out.n };
}

static enum err note_doubts(struct call *c, const struct bytes *body)
{
	const struct json *answer;
	if (json_parse(c->arena, (const char *)body->data, body->n, &answer))
		return fail(c, ERR_INTERNAL, "audit answered something else");
	const struct json *list = json_member(answer, "doubts");
	doubts.n = 0;
	for (const char *id; doubts.n < DOUBTS_MAX; doubts.n++) {
		id = json_text(json_item(list, doubts.n));
		if (!id || !is_uuid(id))
			break;
		memcpy(doubts.ids[doubts.n], id, UUID_SIZE);
	}
	return OK;
}

static enum err tell(struct call *c, const struct turn *turn, struct bus_reply *reply)
{
	const struct bus_request request = { .service = "audit",
		.operation = "ledger_tell",
		.capability = "",
		.content_type = "application/json",
		.body = body_of(c, turn),
		.timeout_ms = TELL_TIMEOUT_MS };
	enum err e = bus_call(c->bus, c->arena, &request, reply);
	if (e && e != ERR_UNAVAILABLE && e != ERR_LIMITED)
		return fail(c, e, "audit answered %s (%u)", err_name(e), reply->status);
	return e;
}

static enum err settle(struct call *c, const struct turn *turn)
{
	enum err e = outbox_enter_relay(c);
	return e ? e
		 : db_exec(c, DONE,
			   DB_ARGS(db_text_array(c, turn->rows, turn->rows_n),
				   db_text_array(c, turn->tenants, turn->counts.n),
				   db_text_array(c, turn->effects_of, turn->counts.n)));
}

static struct turn *turn_new(struct call *c)
{
	struct turn *turn = arena_alloc(c->arena, sizeof(*turn));
	turn->events.json.arena = turn->effects.json.arena = c->arena;
	turn->counts.json.arena = turn->unknown.json.arena = c->arena;
	return turn;
}

enum err ledger_run(struct call *c, bool *more)
{
	struct bus_reply reply = { .err = OK };
	struct turn *turn = turn_new(c);
	/* Each statement is its own transaction. */
	db_rollback(c->db);
	db_begin(c->db, NULL, false);
	enum err e = outbox_enter_relay(c);
	if (!e)
		e = take(c, turn);
	if (!e)
		e = tell(c, turn, &reply);
	if (e == ERR_UNAVAILABLE || e == ERR_LIMITED)
		return OK; /* somebody is away: the bus has told, and the next turn comes soon */
	if (!e)
		e = note_doubts(c, &reply.body);
	if (!e)
		e = settle(c, turn);
	*more = !e && (turn->rows_n == ROWS_MAX || doubts.n > 0);
	return e;
}
