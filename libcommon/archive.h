/*
 * What goes into an archive of a tenant and comes out of one: types of things, each with the one
 * shape by which its lines are written and read (the schemas Archived… in proto/).
 */
#ifndef MANABIYA_ARCHIVE_H
#define MANABIYA_ARCHIVE_H

#include <stddef.h>

#include "libcommon/err.h"
#include "libcommon/shape.h"

struct call;

/*
 * A type of a service. The statement gives rows of the shape behind the key $1 (NULL: from the
 * beginning), $2 of them at most, in the order of the key: the shape's first member, which only the
 * last row of all may lack.
 */
struct archived_type {
	const char *name;
	const struct shape *shape;
	const char *rows;
};

/* The type of that name; an unknown one is a bug, as the contract lists them. */
const struct archived_type *archived_type_find(
	const struct archived_type *types, size_t n, const char *name);

struct archived_lines {
	const char **items; /* a JSON object each */
	size_t n;
	const char *next_cursor; /* NULL: these were the last */
};

/* Up to `max` lines behind the cursor. */
must_check enum err archive_lines(struct call *c, const struct archived_type *type,
	const char *cursor, int64_t max, struct archived_lines *out);

#endif
