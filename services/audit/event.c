/*
 * Appending events. The database gives the sequence numbers (audit.append() in migrations/); what
 * is done here is to read from each line the few members by which it is found again. An event of
 * the access log is about many requests, so about many people and things.
 *
 * A line that is no event, or one of another service than the caller, is refused with the whole
 * batch: the relay then finds the one by itself.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/ocsf.h"
#include "libcommon/purge.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"

#define STATUS_SUCCESS 1 /* OCSF status_id */
#define OPERATION_MAX 64 /* as audit_search can ask for; longer ones do not exist */
#define OBJECT_MAX 64

static const char APPEND[] =
	"SELECT audit.append($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[],"
	" $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])";

/* One line as columns: everything but the line itself is for searching. */
enum column {
	TENANT,
	ID,
	TIME,
	OPERATION,
	OUTCOME,
	ACTOR_ID,
	OBJECT,
	ACTOR_IDS, /* NULL but for accesses, as the next */
	OBJECT_IDS,
	LINE,
	COLUMNS
};

static const char *text_at(const struct json *object, const char *one, const char *other)
{
	return json_text(json_member(json_member(object, one), other));
}

const char *event_tenant(const struct json *line)
{
	const struct json *metadata = json_member(line, "metadata");
	if (!json_member(metadata, "tenant_uid"))
		return OPERATOR_TENANT;
	const char *tenant = json_text(json_member(metadata, "tenant_uid"));
	return tenant && is_uuid(tenant) ? tenant : NULL;
}

static const char *actor_of(const struct json *line)
{
	const char *actor = text_at(json_member(line, "actor"), "user", "uid");
	return actor && is_uuid(actor) ? actor : ""; /* services have names */
}

/* The thing that the call was about, wherever the event's class wants it (libcommon/ocsf.c). */
static const char *object_of(const struct json *line)
{
	static const char *const members[] = { "entity", "user", "group" };
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *object = text_at(line, members[i], "uid");
		if (object)
			return strlen(object) <= OBJECT_MAX ? object : "";
	}
	const char *object =
		json_text(json_member(json_item(json_member(line, "resources"), 0), "uid"));
	return object && strlen(object) <= OBJECT_MAX ? object : "";
}

/* The ids that `list` names as `member`, as an array for the database. Neighbours are often the
 * same. */
static const char *ids_of(struct call *c, const struct json *list, const char *member)
{
	size_t n = 0;
	const char **ids = arena_array(c->arena, json_count(list) + 1, sizeof(*ids));
	for (const struct json *at = json_first(list); at; at = json_next(at)) {
		const char *id = json_text(json_member(at, member));
		if (id && is_uuid(id) && !(n && strcmp(ids[n - 1], id) == 0))
			ids[n++] = id;
	}
	return db_text_array(c, ids, n);
}

static void read_requests(struct call *c, const struct json *event, const char *columns[COLUMNS])
{
	const struct json *requests = json_member(event, "unmapped");
	columns[ACTOR_IDS] = ids_of(c, json_member(requests, "actors"), "uid");
	columns[OBJECT_IDS] = ids_of(c, json_member(requests, "requests"), "object");
}

/* A service tells of its own operations only: the caller is the one the bus knows. */
static bool is_own(const struct call *c, const char *operation)
{
	size_t n = strlen(c->caller);
	return strncmp(operation, c->caller, n) == 0 && operation[n] == '.';
}

static bool is_complete(const char *const columns[COLUMNS])
{
	const char *line = columns[LINE];
	size_t n = strlen(line);
	return columns[TENANT] && columns[ID] && is_uuid(columns[ID]) && columns[OPERATION] &&
		strlen(columns[OPERATION]) <= OPERATION_MAX && n <= OCSF_LINE_MAX &&
		strcmp(line + n - 2, "}}") == 0 && !strpbrk(line, "\r\n");
}

static enum err read_line(struct call *c, const char *line, const char *columns[COLUMNS])
{
	const struct json *event;
	enum err e = json_parse(c->arena, line, strlen(line), &event);
	if (e)
		return fail(c, ERR_INVALID, "a line is not JSON");
	const struct json *metadata = json_member(event, "metadata");
	int64_t time_ms = json_integer(json_member(event, "time"), -1);
	int64_t status = json_integer(json_member(event, "status_id"), -1);
	columns[TENANT] = event_tenant(event);
	columns[ID] = json_text(json_member(metadata, "uid"));
	columns[TIME] = db_integer(c, time_ms);
	columns[OPERATION] = text_at(event, "api", "operation");
	columns[OUTCOME] = status == STATUS_SUCCESS ? "success" : "failure";
	columns[ACTOR_ID] = actor_of(event);
	columns[OBJECT] = object_of(event);
	columns[LINE] = line;
	if (time_ms < 0 || json_member(metadata, "sequence") || !is_complete(columns))
		return fail(c, ERR_INVALID, "a line is not an event of ours");
	if (!is_own(c, columns[OPERATION]))
		return fail(c, ERR_INVALID, "a line of %s is of another service", c->caller);
	columns[ACTOR_IDS] = columns[OBJECT_IDS] = NULL;
	if (strcmp(columns[OPERATION], ACCESS_OPERATION) == 0)
		read_requests(c, event, columns);
	return OK;
}

enum err events_append(struct call *c, const char *const *lines, size_t n)
{
	const char **values[COLUMNS], *arrays[COLUMNS], *appended;
	for (size_t column = 0; column < COLUMNS; column++)
		values[column] = arena_array(c->arena, n, sizeof(*values[column]));
	for (size_t i = 0; i < n; i++) {
		const char *columns[COLUMNS];
		enum err e = read_line(c, lines[i], columns);
		if (e)
			return e;
		for (size_t column = 0; column < COLUMNS; column++)
			values[column][i] = columns[column];
	}
	for (size_t column = 0; column < COLUMNS; column++)
		arrays[column] = db_text_array(c, values[column], n);
	return db_text(c, APPEND, (struct db_args){ arrays, COLUMNS }, &appended);
}

enum err audit_event_append(struct call *c, const struct audit_event_append_in *in)
{
	return events_append(c, in->lines.items, in->lines.n);
}

/* Everything but the log, which the service cannot touch. */

enum err audit_tenant_purge(struct call *c, struct common_purge_step *out)
{
	enum err e = purge_rows(c, &out->more);
	return e ? e : purge_noted(c, &common_purged_store_shape, &out->stores);
}
