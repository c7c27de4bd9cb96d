/*
 * Searching the own tenant's log; row security leaves nothing else to find.
 *
 * What a request asks for are terms (migrations/0054_log_search.sql): the tiles of 256 events that
 * have all of them are taken newest first, and the events in them compared with all that was asked;
 * before them the newest, whose terms are not noted yet (terms.c).
 * A page looks at so many tiles and no more; then it may hold less than was wanted, and the next
 * goes on behind. So no search takes longer than another, however long the log is.
 *
 * All that is found can be had as a table for spreadsheets, too, each row with its proof.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/log_table.h"
#include "libcommon/ocsf.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"

/* A page when the request does not say. */
#define LIMIT_DEFAULT 50
#define PAGE_MAX 100 /* of a table */
#define NEWEST (INT64_MAX - TILE_SIZE)
#define TILE_SIZE 256
/* Tiles that one page looks at, 16,384 events, some 50 ms when none of them is wanted; and how many
 * at first, since mostly few are enough. */
#define TILES_MAX 64
#define TILES_FIRST 4
#define TERMS_MAX 8

static const char REACH[] = "SELECT unnoted, newest FROM audit.search_reach()";

/* The tiles that have something of this time. An event of several requests may have begun before.
 */
static const char TIMES[] =
	"SELECT coalesce(min(n.tile), 0), coalesce(max(n.tile), -1) FROM audit.noted_tile n"
	" WHERE ($1::timestamptz IS NULL OR n.last_at >= $1::timestamptz - interval '1 s')"
	" AND ($2::timestamptz IS NULL OR n.first_at < $2::timestamptz)";

/* The first term is what few events have; the others are looked up tile by tile. */
#define AND_TERM(n_)                                                                               \
	" AND ($" #n_ "::text IS NULL OR EXISTS (SELECT FROM audit.tile_term o"                    \
	" WHERE o.term = audit.term_key($" #n_ "::text) AND o.tile = t.tile))"
static const char TILES[] = "SELECT t.tile FROM audit.tile_term t"
			    " WHERE t.term = audit.term_key($4::text)"
			    " AND t.tile BETWEEN $1::bigint AND $2::bigint" AND_TERM(5) AND_TERM(6)
				    AND_TERM(7) AND_TERM(8) AND_TERM(9) AND_TERM(10)
					    AND_TERM(11) " ORDER BY t.tile DESC LIMIT $3::integer";

#define IS_ACCESS "(e.operation = '" ACCESS_OPERATION "')"

/* The inner LIMIT keeps the planner from reading the log once from its end, for all tiles together.
 * An event of several requests (libcommon/ocsf.c) may last a second, so its first may be before the
 * time that is asked for. */
static const char EVENTS[] =
	"SELECT e.id, e.sequence, tenancy.stamp(e.time) AS time, e.operation, e.outcome,"
	" e.actor_id, e.object_id, e.line FROM unnest($1::bigint[]) AS t (tile)"
	" CROSS JOIN LATERAL (SELECT * FROM audit.event e"
	"  WHERE e.sequence > 256 * t.tile AND e.sequence <= 256 * t.tile + 256"
	"  AND e.sequence <= $2::bigint"
	"  AND ($4::text IS NULL OR " IS_ACCESS " = ($4::text = 'access'))"
	"  AND ($5::timestamptz IS NULL OR e.time >= $5::timestamptz"
	"   - CASE WHEN " IS_ACCESS " THEN interval '1 s' ELSE interval '0 s' END)"
	"  AND ($6::timestamptz IS NULL OR e.time < $6::timestamptz)"
	"  AND ($7::text IS NULL OR e.outcome = $7::text)"
	"  AND ($8::uuid IS NULL OR e.actor_id = $8::uuid OR $8::uuid = ANY (e.actor_ids))"
	"  AND ($9::text IS NULL OR e.object_id = $9::text"
	"   OR $10::uuid = ANY (e.object_ids))"
	"  AND ($11::text IS NULL OR e.operation = $11::text OR (" IS_ACCESS
	"   AND strpos(e.line, '\"operation\":\"' || $11::text || '\",\"method\"') > 0))"
	"  AND ($12::text IS NULL OR audit.label_of(e.line) = $12::text)"
	"  AND ($13::text IS NULL"
	"   OR audit.verb_of(audit.type_of(left(e.line, 256))) = $13::text)"
	"  AND ($14::text IS NULL OR strpos(e.line, CASE WHEN " IS_ACCESS
	"   THEN '{\"uid\":\"' ELSE '\"request\":{\"uid\":\"' END || $14::text || '\"') > 0)"
	"  AND ($15::uuid IS NULL OR strpos(e.line,"
	"   '\"owner\":{\"uid\":\"' || $15::uuid::text || '\"') > 0)"
	"  ORDER BY e.sequence DESC LIMIT 256) e"
	" ORDER BY e.sequence DESC LIMIT $3::integer";

struct search {
	const struct audit_audit_search_in *in;
	const char *kind; /* "activity", "access", NULL for both */
	const char *object_id; /* if it is a UUID: what accesses name are such */
	int64_t last; /* the newest event that may be found */
	int64_t low, high; /* tiles, of those that are noted */
	size_t limit;
	const char *tiles[TILES_MAX + 1];
	size_t tiles_n;
};

static enum err on_tile(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct search *search = arg;
	search->tiles[search->tiles_n++] = arena_strdup(c->arena, columns[0]);
	return OK;
}

/* What is not noted may have whatever is asked for. */
static enum err on_reach(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct search *search = arg;
	int64_t unnoted = strtoll(columns[0], NULL, 10), newest = strtoll(columns[1], NULL, 10);
	int64_t tile = newest < search->high ? newest : search->high;
	for (; tile >= unnoted && search->tiles_n <= TILES_MAX; tile--)
		search->tiles[search->tiles_n++] = db_integer(c, tile);
	search->high = tile;
	return OK;
}

static enum err on_times(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct search *search = arg;
	int64_t low = strtoll(columns[0], NULL, 10), high = strtoll(columns[1], NULL, 10);
	search->low = low;
	search->high = high < search->high ? high : search->high;
	return OK;
}

/* From what few events have to what most do. */
static void terms_of(struct call *c, const struct search *search, const char *terms[TERMS_MAX])
{
	const struct audit_audit_search_in *in = search->in;
	const struct {
		const char *name, *value;
	} asked[] = { { "object", in->object_id }, { "owner", in->owner_id },
		{ "actor", in->actor_id }, { "operation", in->operation }, { "label", in->label },
		{ "verb", in->verb }, { "outcome", in->outcome }, { "kind", search->kind } };
	_Static_assert(sizeof asked / sizeof *asked == TERMS_MAX, "each has a parameter");
	size_t n = 0;
	for (size_t i = 0; i < TERMS_MAX; i++) {
		if (asked[i].value)
			terms[n++] = arena_printf(c->arena, "%s/%s", asked[i].name, asked[i].value);
	}
	if (!n)
		terms[0] = "all";
}

/* One tile more than a page looks at tells whether there is another. */
static enum err find_tiles(struct call *c, struct search *search)
{
	const struct audit_audit_search_in *in = search->in;
	const char *terms[TERMS_MAX] = { NULL };
	enum err e = db_each(c, REACH, DB_NONE, on_reach, search);
	terms_of(c, search, terms);
	if (!e && (in->from || in->until))
		e = db_each(c, TIMES, DB_ARGS(in->from, in->until), on_times, search);
	if (e || search->low > search->high || search->tiles_n > TILES_MAX)
		return e;
	return db_each(c, TILES,
		DB_ARGS(db_integer(c, search->low), db_integer(c, search->high),
			db_integer(c, (int64_t)(TILES_MAX + 1 - search->tiles_n)), terms[0],
			terms[1], terms[2], terms[3], terms[4], terms[5], terms[6], terms[7]),
		on_tile, search);
}

/* What the tiles from `first` on have of what is asked, at most `most`. */
static enum err look(struct call *c, const struct search *search, size_t first, size_t tiles_n,
	size_t most, void *found)
{
	const struct audit_audit_search_in *in = search->in;
	return db_rows(c, EVENTS,
		DB_ARGS(db_text_array(c, search->tiles + first, tiles_n),
			db_integer(c, search->last), db_integer(c, (int64_t)most), search->kind,
			in->from, in->until, in->outcome, in->actor_id, in->object_id,
			search->object_id, in->operation, in->label, in->verb, in->request_id,
			in->owner_id),
		&audit_audit_event_shape, found);
}

/* A page of what the tiles have; *looked says at how many of them. */
static enum err read_page(struct call *c, const struct search *search,
	struct audit_audit_search_out *out, size_t *looked)
{
	size_t tiles_n = search->tiles_n < TILES_MAX ? search->tiles_n : TILES_MAX;
	size_t wanted = search->limit + 1, some = TILES_FIRST;
	enum err e = OK;
	out->items.items = arena_array(c->arena, wanted, sizeof *out->items.items);
	for (*looked = 0; *looked < tiles_n && out->items.n < wanted && !e; some *= 2) {
		struct {
			struct audit_audit_event *items;
			size_t n;
		} found = { NULL, 0 };
		some = some < tiles_n - *looked ? some : tiles_n - *looked;
		e = look(c, search, *looked, some, wanted - out->items.n, &found);
		for (size_t i = 0; i < found.n && !e; i++)
			out->items.items[out->items.n++] = found.items[i];
		*looked += some;
	}
	return e;
}

/* Behind which sequence the next page begins: the last item, or what was looked at in vain; 0 when
 * there is none. */
static int64_t next_of(
	const struct search *search, struct audit_audit_search_out *out, size_t looked)
{
	if (out->items.n > search->limit) {
		out->items.n = search->limit;
		return out->items.items[search->limit - 1].sequence;
	}
	return looked < search->tiles_n
		? TILE_SIZE * strtoll(search->tiles[looked - 1], NULL, 10) + 1
		: 0;
}

static enum err read_cursor(struct call *c, const char *cursor, int64_t *last)
{
	const char *parts[1] = { NULL };
	enum err e = cursor_read(c, cursor, parts, 1);
	if (e || !parts[0])
		return e;
	char *end;
	long long sequence = strtoll(parts[0], &end, 10);
	if (*end || sequence <= 0)
		return fail(c, ERR_INVALID, "cursor");
	*last = sequence - 1;
	return OK;
}

static void read_search(const struct audit_audit_search_in *in, int64_t last, struct search *out)
{
	out->in = in;
	out->limit = in->has_limit ? (size_t)in->limit : LIMIT_DEFAULT;
	out->kind = !in->kind ? "activity" : strcmp(in->kind, "all") == 0 ? NULL : in->kind;
	out->object_id = in->object_id && is_uuid(in->object_id) ? in->object_id : NULL;
	out->last = in->has_proven_in && in->proven_in < last ? in->proven_in : last;
	out->high = (out->last + TILE_SIZE - 1) / TILE_SIZE - 1;
}

/* A page of the events up to `last`; *next as next_of() says. */
static enum err find_page(struct call *c, const struct audit_audit_search_in *in, int64_t last,
	struct audit_audit_search_out *out, int64_t *next)
{
	struct search search = { 0 };
	size_t looked = 0;
	read_search(in, last, &search);
	enum err e = find_tiles(c, &search);
	if (!e)
		e = read_page(c, &search, out, &looked);
	if (e)
		return e;
	*next = next_of(&search, out, looked);
	return in->has_proven_in
		? proof_of_events(c, (uint64_t)in->proven_in, out->items.items, out->items.n)
		: OK;
}

enum err audit_audit_search(
	struct call *c, const struct audit_audit_search_in *in, struct audit_audit_search_out *out)
{
	int64_t next, last = NEWEST;
	enum err e = read_cursor(c, in->cursor, &last);
	if (!e)
		e = find_page(c, in, last, out, &next);
	if (e || !next)
		return e;
	const char *part = db_integer(c, next);
	out->next_cursor = cursor_make(c, &part, 1);
	return OK;
}

/* ---- as a table ---- */

/* "index 4 HASH HASH" */
static const char *proof_cell(struct call *c, const struct audit_audit_event *event)
{
	char *cell = arena_printf(
		c->arena, "index %lld\n%s", (long long)event->sequence - 1, event->proof);
	for (char *at = cell; (at = strchr(at, '\n'));)
		*at = at[1] ? ' ' : '\0';
	return cell;
}

/* The sequence of the last row that fits; 0: all do. */
static int64_t add_rows(
	struct call *c, struct table *table, const struct audit_audit_search_out *found)
{
	for (size_t i = 0; i < found->items.n; i++) {
		const struct audit_audit_event *event = &found->items.items[i];
		const char *cells[LOG_FOUND_COLUMNS];
		log_table_cells(c->arena, c->language, event->line, cells);
		cells[LOG_PROOF] = proof_cell(c, event);
		if (!table_add(table, cells))
			return event[-1].sequence;
	}
	return 0;
}

/* A page is a window, as long as it fits: so what finds little is bounded too. */
enum err audit_event_table(
	struct call *c, const struct audit_event_table_in *in, struct audit_event_table_out *out)
{
	struct table table;
	int64_t next, last = c->window.continued ? c->window.offset - 1 : NEWEST;
	struct audit_audit_search_out found = { 0 };
	const struct audit_audit_search_in asked = { .from = in->from,
		.until = in->until,
		.actor_id = in->actor_id,
		.object_id = in->object_id,
		.owner_id = in->owner_id,
		.request_id = in->request_id,
		.operation = in->operation,
		.verb = in->verb,
		.label = in->label,
		.outcome = in->outcome,
		.kind = in->kind,
		.proven_in = in->proven_in,
		.has_proven_in = true,
		.limit = PAGE_MAX,
		.has_limit = true };
	enum err e = find_page(c, &asked, last, &found, &next);
	if (e)
		return e;
	table_begin(c, &table, LOG_FOUND_COLUMNS);
	int64_t left = add_rows(c, &table, &found);
	c->next_offset = left ? left : next;
	out->body = table_body(&table);
	return OK;
}
