/* Searching the own tenant's log; row security leaves nothing else to find. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/ocsf.h"
#include "services/audit/audit.h"

/* A page when the request does not say. */
#define LIMIT_DEFAULT 50

/* `early_` widens the time by what an event of several requests may last (libcommon/ocsf.c): its
 * first may be before it. */
#define SEARCH(early_, actor_, object_, request_, kind_)                                           \
	"SELECT e.id, e.sequence, tenancy.stamp(e.time) AS time, e.operation, e.outcome,"          \
	" e.actor_id, e.object_id, e.line FROM audit.event e"                                      \
	" WHERE ($1::timestamptz IS NULL OR e.time >= $1::timestamptz" early_ ")"                  \
	" AND ($2::timestamptz IS NULL OR e.time < $2::timestamptz)"                               \
	" AND ($3::uuid IS NULL OR " actor_ ")"                                                    \
	" AND ($4::text IS NULL OR e.operation = $4::text)"                                        \
	" AND ($5::text IS NULL OR e.outcome = $5::text)"                                          \
	" AND ($6::bigint IS NULL OR e.sequence < $6::bigint)"                                     \
	" AND ($8::text IS NULL OR " object_ ")"                                                   \
	" AND ($9::text IS NULL OR audit.label_of(e.line) = $9::text)"                             \
	" AND ($10::text[] IS NULL OR audit.type_of(e.line) = ANY ($10::text[]))"                  \
	" AND ($11::bigint IS NULL OR e.sequence <= $11::bigint)"                                  \
	" AND ($12::text IS NULL OR strpos(e.line, '" request_                                     \
	"' || $12::text || '\"') > 0)" kind_ " ORDER BY e.sequence DESC LIMIT $7::integer"

#define SEARCH_ACTIVITY                                                                            \
	SEARCH("", "e.actor_id = $3::uuid", "e.object_id = $8::text", "\"request\":{\"uid\":\"",   \
		" AND e.operation <> '" ACCESS_OPERATION "'")
#define SEARCH_ACCESS                                                                              \
	SEARCH(" - interval '1 s'", "$3::uuid = ANY (e.actor_ids)",                                \
		"$8::text = ANY (e.object_ids::text[])", "{\"uid\":\"",                            \
		" AND e.operation = '" ACCESS_OPERATION "'")

/* A text for each kind: only a condition without parameters lets the planner use an index of one
 * kind (migrations/). Both together are found by themselves too: their actors lie differently. */
static const char ACTIVITY[] = SEARCH_ACTIVITY;
static const char ACCESS[] = SEARCH_ACCESS;
static const char ALL[] = "SELECT * FROM ((" SEARCH_ACTIVITY ") UNION ALL (" SEARCH_ACCESS
			  ")) b ORDER BY b.sequence DESC LIMIT $7::integer";

/* OCSF's type_uid of everything that the word means, over all classes. */
static const struct verb {
	const char *name;
	const char *types[5];
} verbs[] = {
	{ "create", { "300101", "300401", "300606", "600301", NULL } },
	{ "read", { "300402", "600302", "600501", NULL } },
	{ "update", { "300199", "300403", "300599", "300699", "600303" } },
	{ "delete", { "300106", "300404", "300605", "600304", NULL } },
	{ "logon", { "300201", NULL } },
	{ "logoff", { "300202", NULL } },
	{ "enable", { "300102", "300110", NULL } },
	{ "disable", { "300105", "300111", NULL } },
	{ "assign", { "300501", "300603", NULL } },
	{ "revoke", { "300502", "300604", NULL } },
};

static const char *types_of(struct call *c, const char *name)
{
	for (size_t i = 0; name && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const char *const *types = verbs[i].types;
		size_t n = 0;
		while (n < sizeof(verbs[i].types) / sizeof(types[0]) && types[n])
			n++;
		if (strcmp(verbs[i].name, name) == 0)
			return db_text_array(c, types, n);
	}
	return NULL;
}

static const char *statement_for(const char *kind)
{
	if (!kind || strcmp(kind, "activity") == 0)
		return ACTIVITY;
	return strcmp(kind, "access") == 0 ? ACCESS : ALL;
}

static enum err read_cursor(struct call *c, const char *cursor, const char **before)
{
	const char *parts[1] = { NULL };
	enum err e = cursor_read(c, cursor, parts, 1);
	if (e || !parts[0])
		return e;
	char *end;
	long long sequence = strtoll(parts[0], &end, 10);
	if (*end || sequence <= 0)
		return fail(c, ERR_INVALID, "cursor");
	*before = db_integer(c, sequence);
	return OK;
}

enum err audit_audit_search(
	struct call *c, const struct audit_audit_search_in *in, struct audit_audit_search_out *out)
{
	size_t limit = in->has_limit ? (size_t)in->limit : LIMIT_DEFAULT;
	const char *before = NULL;
	enum err e = read_cursor(c, in->cursor, &before);
	if (e)
		return e;
	/* One more than asked tells whether there is another page. */
	e = db_rows(c, statement_for(in->kind),
		DB_ARGS(in->from, in->until, in->actor_id, in->operation, in->outcome, before,
			db_integer(c, (int64_t)limit + 1), in->object_id, in->label,
			types_of(c, in->verb),
			in->has_proven_in ? db_integer(c, in->proven_in) : NULL, in->request_id),
		&audit_audit_event_shape, &out->items);
	if (e)
		return e;
	bool goes_on = out->items.n > limit;
	out->items.n = goes_on ? limit : out->items.n;
	if (in->has_proven_in)
		e = proof_of_events(c, (uint64_t)in->proven_in, out->items.items, out->items.n);
	if (e || !goes_on)
		return e;
	const char *last = db_integer(c, out->items.items[limit - 1].sequence);
	out->next_cursor = cursor_make(c, &last, 1);
	return OK;
}
