/*
 * Whether the log is complete: each service tells what it has written and what it has changed
 * without writing an event (libcommon/ledger.h), and the database compares that with the log
 * (migrations/0055_completeness.sql). What does not agree is named: kept as a gap, recorded in the
 * tenant's log itself, shown to its administrators and to the operator.
 *
 * And the log is compared with its own tree, so that a line that is taken out of it later, or
 * changed, is named as well (migrations/0059_log_compare.sql).
 *
 * A gap is never closed by this: what was not recorded stays unrecorded, whoever explains it.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/page.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"

#define TENANTS_MAX 16 /* of a turn; what is left is taken by the next, at once */
#define DOUBTS_MAX 100 /* as the answer may hold */
#define TILES_MAX 16 /* of 256 lines, a turn: reading and hashing them takes some milliseconds */

static const char TELL[] = "SELECT audit.tell($1, $2::uuid[], $3::uuid[], $4::text[],"
			   " $5::timestamptz[], $6::uuid[], $7::bigint)";
static const char TELL_EFFECTS[] =
	"SELECT audit.tell_effects($1, $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],"
	" $7::bigint[], $8::text[], $9::timestamptz[])";
static const char TELL_COUNTS[] = "SELECT audit.tell_counts($1, $2::uuid[], $3::bigint[])";
static const char TELL_UNKNOWN[] = "SELECT audit.tell_unknown($1, $2::uuid[], $3::uuid[])";
static const char DOUBTS[] = "SELECT d.id FROM audit.doubts($1, $2::integer) AS d (id)";

static const char COMPARE[] = "SELECT audit.compare($1::integer)";

static const char GAP_NEWS[] = "SELECT tenant_id, gaps FROM audit.gap_news($1::integer)";
static const char GAP_ALARMED[] = "SELECT audit.gap_alarmed()";
static const char FIGURES[] =
	"SELECT audit.gap_count(), (SELECT coalesce(max(extract(epoch FROM now() - t.told_at)), 0)"
	"::bigint FROM audit.teller t)";

static const char SERVICES[] =
	"SELECT a.service, tenancy.stamp(t.told_at) AS told_at, a.events, a.effects, t.waiting"
	" FROM accounted a JOIN teller t ON t.service = a.service ORDER BY a.service LIMIT 8";
static const char LIST[] =
	"SELECT g.id, g.kind, g.service, g.operation, g.event_id, g.relation, g.verb, g.changed,"
	" g.by_whom, g.run_id, g.first_sequence, g.last_sequence, tenancy.stamp(g.at) AS at, "
	"tenancy.stamp(g.found_at) AS found_at"
	" FROM gap g"
	" WHERE $1::uuid IS NULL OR g.id < $1::uuid ORDER BY g.id DESC LIMIT $2::integer";
static const char COUNT[] = "SELECT least(count(*), 1000000) AS gap_count FROM gap";

/* What the log calls it. */
static const struct op LOG_GAP = { .name = "log_gap",
	.audit = { "entity_management.read", 3004, 2 } };

/* ---- what a service tells ---- */

/* Texts that become one array of a statement. */
struct texts {
	const char **items;
	size_t n;
};

static struct texts texts_of(struct call *c, size_t n)
{
	return (struct texts){ arena_array(c->arena, n, sizeof(const char *)), n };
}

static const char *array_of(struct call *c, struct texts texts)
{
	return db_text_array(c, texts.items, texts.n);
}

/* Names for gaps that may turn out to be there. */
static const char *new_ids(struct call *c, size_t n)
{
	struct texts ids = texts_of(c, n);
	for (size_t i = 0; i < n; i++)
		ids.items[i] = uuid_make(c->arena);
	return array_of(c, ids);
}

static enum err tell_events(struct call *c, const struct audit_ledger_tell_in *in, int64_t *gaps)
{
	size_t n = in->events.n;
	struct texts tenants = texts_of(c, n), ids = texts_of(c, n), operations = texts_of(c, n),
		     times = texts_of(c, n);
	const char *missing;
	for (size_t i = 0; i < n; i++) {
		const struct audit_ledger_event *event = &in->events.items[i];
		tenants.items[i] = event->tenant_id ? event->tenant_id : OPERATOR_TENANT;
		ids.items[i] = event->event_id;
		operations.items[i] = event->operation;
		times.items[i] = event->at;
	}
	enum err e = db_text(c, TELL,
		DB_ARGS(c->caller, array_of(c, tenants), array_of(c, ids), array_of(c, operations),
			array_of(c, times), new_ids(c, n), db_integer(c, in->waiting)),
		&missing);
	*gaps += e ? 0 : strtoll(missing, NULL, 10);
	return e;
}

enum effect_column { TENANT, MARK, RELATION, VERB, CHANGED, BY_WHOM, AT, EFFECT_COLUMNS };

static enum err tell_effects(struct call *c, const struct audit_ledger_tell_in *in, int64_t *gaps)
{
	size_t n = in->effects.n;
	struct texts columns[EFFECT_COLUMNS];
	const char *arrays[2 + EFFECT_COLUMNS] = { c->caller, new_ids(c, n) }, *named;
	for (size_t column = 0; column < EFFECT_COLUMNS; column++)
		columns[column] = texts_of(c, n);
	for (size_t i = 0; i < n; i++) {
		const struct audit_ledger_effect *effect = &in->effects.items[i];
		columns[TENANT].items[i] = effect->tenant_id;
		columns[MARK].items[i] = effect->mark;
		columns[RELATION].items[i] = effect->relation;
		columns[VERB].items[i] = effect->verb;
		columns[CHANGED].items[i] = db_integer(c, effect->changed);
		columns[BY_WHOM].items[i] = effect->by_whom;
		columns[AT].items[i] = effect->at;
	}
	for (size_t column = 0; column < EFFECT_COLUMNS; column++)
		arrays[2 + column] = array_of(c, columns[column]);
	if (!n)
		return OK;
	enum err e =
		db_text(c, TELL_EFFECTS, (struct db_args){ arrays, 2 + EFFECT_COLUMNS }, &named);
	*gaps += e ? 0 : strtoll(named, NULL, 10);
	return e;
}

static enum err tell_counts(struct call *c, const struct audit_ledger_tell_in *in)
{
	struct texts tenants = texts_of(c, in->counts.n), counts = texts_of(c, in->counts.n);
	for (size_t i = 0; i < in->counts.n; i++) {
		tenants.items[i] = in->counts.items[i].tenant_id;
		counts.items[i] = db_integer(c, in->counts.items[i].effects);
	}
	return in->counts.n ? db_later(c, TELL_COUNTS,
				      DB_ARGS(c->caller, array_of(c, tenants), array_of(c, counts)))
			    : OK;
}

static enum err tell_unknown(struct call *c, const struct audit_ledger_tell_in *in, int64_t *gaps)
{
	const char *named;
	if (!in->unknown.n)
		return OK;
	enum err e = db_text(c, TELL_UNKNOWN,
		DB_ARGS(c->caller, db_text_array(c, in->unknown.items, in->unknown.n),
			new_ids(c, in->unknown.n)),
		&named);
	*gaps += e ? 0 : strtoll(named, NULL, 10);
	return e;
}

struct doubts {
	const char *items[DOUBTS_MAX];
	size_t n;
};

static enum err on_doubt(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct doubts *doubts = arg;
	if (doubts->n < DOUBTS_MAX)
		doubts->items[doubts->n++] = columns[0];
	return OK;
}

/* What is told comes before what is answered: an event told meanwhile is none that nobody wrote. */
enum err audit_ledger_tell(
	struct call *c, const struct audit_ledger_tell_in *in, struct audit_ledger_tell_out *out)
{
	int64_t gaps = 0;
	struct doubts *doubts = arena_alloc(c->arena, sizeof(*doubts));
	enum err e = tell_events(c, in, &gaps);
	if (!e)
		e = tell_effects(c, in, &gaps);
	if (!e)
		e = tell_counts(c, in);
	if (!e)
		e = tell_unknown(c, in, &gaps);
	if (!e)
		e = db_each(
			c, DOUBTS, DB_ARGS(c->caller, db_integer(c, DOUBTS_MAX)), on_doubt, doubts);
	if (gaps)
		log_event(LOG_LEVEL_ERROR, "the log is not complete",
			LOG_TEXT("service", c->caller), LOG_INT("gaps", gaps));
	out->doubts.items = doubts->items;
	out->doubts.n = doubts->n;
	return e;
}

/* ---- what the log itself has lost ---- */

enum err compare_run(struct call *c, bool *more)
{
	const char *gaps;
	*more = false;
	enum err e = db_text(c, COMPARE, DB_ARGS(db_integer(c, TILES_MAX)), &gaps);
	if (!e && strcmp(gaps, "0") != 0)
		log_event(LOG_LEVEL_ERROR, "the log is not what it was", LOG_TEXT("gaps", gaps));
	return e;
}

/* ---- telling people ---- */

struct news {
	size_t n;
	const char *rows[TENANTS_MAX][2]; /* tenant, gaps */
};

static enum err on_news(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct news *news = arg;
	news->rows[news->n][0] = columns[0];
	news->rows[news->n++][1] = columns[1];
	return OK;
}

/* The tenant's administrators, in its log, which reaches the sinks as well; and the operator. */
static enum err alarm(struct call *c, const char *tenant_id, const char *gaps)
{
	const char *nothing;
	enum err e = service_enter_tenant(c, tenant_id);
	if (!e)
		e = db_text(c, GAP_ALARMED, DB_NONE, &nothing);
	if (!e)
		e = outbox_record(c, &LOG_GAP, NULL);
	if (!e)
		e = anomaly_put(c, "incomplete_log", gaps);
	if (e || strcmp(tenant_id, OPERATOR_TENANT) == 0)
		return e;
	e = service_enter_tenant(c, OPERATOR_TENANT);
	return e ? e : anomaly_put(c, "incomplete_log", gaps);
}

static _Atomic int64_t gaps_known, longest_silence_s;

static enum err on_figures(struct call *c, void *arg, const char *const *columns, size_t n)
{
	gaps_known = strtoll(columns[0], NULL, 10);
	longest_silence_s = strtoll(columns[1], NULL, 10);
	return OK;
}

enum err completeness_run(struct call *c, bool *more)
{
	struct news news = { .n = 0 };
	enum err e = db_each(c, FIGURES, DB_NONE, on_figures, NULL);
	if (!e)
		e = db_each(c, GAP_NEWS, DB_ARGS(db_integer(c, TENANTS_MAX)), on_news, &news);
	for (size_t i = 0; i < news.n && !e; i++)
		e = alarm(c, news.rows[i][0], news.rows[i][1]);
	*more = !e && news.n == TENANTS_MAX;
	return e;
}

void completeness_metrics(struct buf *out)
{
	buf_printf(out, "manabiya_audit_gaps %lld\n", (long long)gaps_known);
	buf_printf(out, "manabiya_audit_untold_seconds %lld\n", (long long)longest_silence_s);
}

/* ---- showing ---- */

enum err audit_completeness_get(struct call *c, const struct audit_completeness_get_in *in,
	struct audit_completeness_get_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, SERVICES, DB_NONE, &audit_accounted_service_shape, &out->services);
	if (!e)
		e = db_rows(c, LIST, DB_ARGS(page.after[0], page.rows), &audit_log_gap_shape,
			&out->items);
	if (e)
		return e;
	if (page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return db_row(c, COUNT, DB_NONE, &audit_completeness_get_out_shape, out);
}
