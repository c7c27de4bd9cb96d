/*
 * Lines of an archive on their way into a service: read by the shape that wrote them, checked
 * against what is there, and written. What is wrong is noted by line, for the one who has to mend
 * it; nothing is written then.
 */
#ifndef MANABIYA_ARRIVAL_H
#define MANABIYA_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/err.h"
#include "libcommon/shape.h"

struct call;

#define ARRIVALS_MAX 200 /* lines of a batch: common.yaml, ArchiveLines */

/* Why something cannot come in; the words are for people. */
struct arrival_reason {
	const char *code, *ja, *en;
};

struct arrival_fault {
	size_t line; /* of the batch, from 0 */
	const char *pointer; /* into the line, "" for the whole */
	struct arrival_reason reason;
};

struct arrivals {
	struct call *c;
	const struct shape *shape;
	char *rows; /* n structs of the shape */
	size_t n;
	struct arrival_fault *faults; /* of one line as many as fit; at most ARRIVALS_MAX in all */
	size_t faults_n;
};

/* Row i, as the struct that the shape describes. */
const void *arrival_at(const struct arrivals *arrivals, size_t i);

/* The statement takes values of a member of all lines ($1::text[]; of what has a blind index,
 * that) and gives, counted from 0, the
 * places of those that clash with what is there. */
struct arrival_clash {
	const char *member;
	const char *sql;
	struct arrival_reason reason;
};

/* A type of things that come in. */
struct arrival_type {
	const char *name;
	const struct shape *shape;
	const struct arrival_clash *clashes; /* ended by one without member; NULL:
	none */
	/* Write all of them; what is there already under the same id is left alone. */
	enum err (*put)(struct call *c, const struct arrivals *arrivals);
	/* What members of a row forbid each other; NULL: nothing. */
	const struct arrival_reason *(*fault)(const void *row);
};

/* Read the lines, and check or write them. INVALID for a type that is not in the table; faults are
 * no failure. */
struct arrival_lines {
	const char *type;
	const char *const *items;
	size_t n;
	bool check; /* write nothing */
};
must_check enum err arrivals_take(struct call *c, const struct arrival_type *types, size_t types_n,
	const struct arrival_lines *lines, struct arrivals *out);

/* The faults into the { items, n } at `list`, whose shape is that of common.yaml's ArchiveFault. */
must_check enum err arrivals_tell(
	const struct arrivals *arrivals, const struct shape *shape, void *list);

/* "nobody has this id": most clashes. */
#define ARRIVAL_ID_CLASH(table_, id_)                                                              \
	{                                                                                          \
		"id",                                                                              \
			"SELECT g.nth - 1 FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, nth)"  \
			" JOIN " table_ " t ON t." id_ " = g.id ORDER BY 1",                       \
		{                                                                                  \
			"id_taken", "同じIDのデータがすでにあります。",                            \
				"This id is there already."                                        \
		}                                                                                  \
	}

#endif
