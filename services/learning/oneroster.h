/*
 * Rosters as CSV of OneRoster 1.2.1 (bulk), for systems that are not ours: from lines of an archive
 * (libcommon/archive.h) to rows of a file. With the columns of the Japanese K-12/Schools profile
 * behind the standard ones; it is not called that, because nobody here knows schools' codes.
 *
 * OneRoster wants classes to be of a course and of a term, which are nothing here: each school that
 * has classes gets one course, of the school year in which the export was asked for. What is made
 * up like this has ids that are made of what it is about, the same in every export of the year.
 */
#ifndef MANABIYA_ONEROSTER_H
#define MANABIYA_ONEROSTER_H

#include "libcommon/buf.h"
#include "libcommon/call.h"

/* A file: what its rows are made of, and its first line. */
struct oneroster_file {
	const char *name; /* "users.csv" */
	const char *type; /* of provisioning's archive_read; NULL: of no lines */
	const char *header;
	/* The rows of a line; without a type, of NULL. NULL: the header is all. */
	enum err (*row)(struct call *c, int year, const char *line, struct buf *out);
};

#define ONEROSTER_FILES 8
extern const struct oneroster_file oneroster_files[ONEROSTER_FILES];

/* NULL for a name that none has. */
const struct oneroster_file *oneroster_find(const char *name);

#endif
