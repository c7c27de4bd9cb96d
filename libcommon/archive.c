/* Rows as lines of an archive; see archive.h. */
#include "libcommon/archive.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/db.h"
#include "libcommon/personal.h"

const struct archived_type *archived_type_find(
	const struct archived_type *types, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	abort();
}

static const char *key_of(const struct shape *shape, const char *row)
{
	const char *key;
	memcpy(&key, row + shape->fields[0].offset, sizeof(key));
	return key;
}

enum err archive_lines(struct call *c, const struct archived_type *type, const char *cursor,
	int64_t max, struct archived_lines *out)
{
	struct list rows = { 0 };
	enum err e =
		db_rows(c, type->rows, DB_ARGS(cursor, db_integer(c, max + 1)), type->shape, &rows);
	if (e)
		return e;
	size_t n = rows.n > (size_t)max ? (size_t)max : rows.n;
	char *row = rows.items;
	*out = (struct archived_lines){ .items = arena_array(c->arena, n, sizeof(*out->items)) };
	for (size_t i = 0; i < n; i++, row += type->shape->size) {
		struct buf line = { .arena = c->arena };
		if (i + 1 == n && rows.n > n)
			out->next_cursor = key_of(type->shape, row);
		if (c->lost.n && personal_leave_out(type->shape, row))
			continue; /* of a user who was erased: it goes in a moment */
		shape_write_json(type->shape, row, &line);
		out->items[out->n++] = line.data;
	}
	return OK;
}
