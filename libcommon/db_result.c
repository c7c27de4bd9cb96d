/* What PostgreSQL answered, in our words: errors, rows, cells; see db.h. */
#include <stdio.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/db_private.h"

#define DISK_FULL "53100"

/* By SQLSTATE; the first prefix that fits. */
static const struct translation {
	const char *prefix;
	enum err err;
} translations[] = {
	{ "23505", ERR_CONFLICT }, /* unique */
	{ "23503", ERR_NOT_FOUND }, /* foreign key */
	{ "23514", ERR_INVALID }, /* check */
	{ "40", ERR_UNAVAILABLE }, /* serialization failure, deadlock */
	{ "08", ERR_UNAVAILABLE }, /* connection */
	{ DISK_FULL, ERR_UNAVAILABLE }, /* said apart, see full */
	{ "53", ERR_UNAVAILABLE }, /* out of memory, connections */
	{ "57", ERR_UNAVAILABLE }, /* cancelled, shut down */
	{ "55P03", ERR_UNAVAILABLE }, /* lock not available */
	{ "25006", ERR_UNAVAILABLE }, /* read only: a standby was promoted elsewhere */
	{ "25P03", ERR_UNAVAILABLE }, /* idle in transaction */
	{ "26000", ERR_UNAVAILABLE }, /* no such prepared statement, see stale */
	{ "0A000", ERR_UNAVAILABLE }, /* cached plan must not change its result, see stale */
};

static const char *field_or(const PGresult *result, int code, const char *fallback)
{
	const char *text = PQresultErrorField(result, code);
	return text ? text : fallback;
}

/* Only what holds no data: SQLSTATE and names. The message may quote a row, so it is kept for
 * mistakes in our own SQL (class 42), which quote SQL. */
enum err db_error_of(struct db *db, const PGresult *result)
{
	const char *state = field_or(result, PG_DIAG_SQLSTATE, "08000");
	const char *message = strncmp(state, "42", 2) == 0
		? field_or(result, PG_DIAG_MESSAGE_PRIMARY, "")
		: field_or(result, PG_DIAG_CONSTRAINT_NAME, "");
	(void)snprintf(db->error, sizeof(db->error), "SQLSTATE %s %s", state, message);
	/* A pooler switched servers, or a migration changed what a prepared statement returns. */
	if (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0)
		db->stale = true;
	if (strcmp(state, DISK_FULL) == 0)
		db->full = true;
	for (size_t i = 0; i < sizeof(translations) / sizeof(translations[0]); i++)
		if (strncmp(state, translations[i].prefix, strlen(translations[i].prefix)) == 0)
			return translations[i].err;
	return ERR_INTERNAL;
}

const char *db_cell(struct call *c, const PGresult *result, int row, int column)
{
	if (PQgetisnull(result, row, column))
		return NULL;
	return arena_strndup(c->arena, PQgetvalue(result, row, column),
		(size_t)PQgetlength(result, row, column));
}

static const struct field *field_of(const struct shape *shape, const char *column)
{
	for (size_t i = 0; i < shape->fields_n; i++)
		if (strcmp(shape->fields[i].column, column) == 0)
			return &shape->fields[i];
	return NULL;
}

enum err db_match_columns(
	struct call *c, const PGresult *result, const struct shape *shape, struct columns *out)
{
	int n = PQnfields(result);
	const struct field **fields = arena_array(c->arena, (size_t)n + 1, sizeof(const void *));
	for (int i = 0; i < n; i++) {
		fields[i] = field_of(shape, PQfname(result, i));
		if (!fields[i] && !shape_find_part(shape, NULL, PQfname(result, i)))
			return fail(c, ERR_INTERNAL, "column %s is not in shape %s",
				PQfname(result, i), shape->name);
	}
	*out = (struct columns){ shape, fields };
	return OK;
}

enum err db_read_row(
	struct call *c, const PGresult *result, int row, const struct columns *columns, void *out)
{
	for (int i = 0; i < PQnfields(result); i++) {
		const char *cell = db_cell(c, result, row, i);
		enum err e = columns->fields[i]
			? shape_set_text(c, columns->fields[i], cell, out)
			: shape_set_parts(c, columns->shape, PQfname(result, i), cell, out);
		if (e)
			return e;
	}
	return OK;
}
