/* Rosters as CSV of OneRoster 1.2 (bulk), for systems that are not ours: from lines of an archive
 * (libcommon/archive.h) to rows of a file. */
#ifndef MANABIYA_ONEROSTER_H
#define MANABIYA_ONEROSTER_H

#include "libcommon/buf.h"
#include "libcommon/call.h"

/* A file: what its rows are made of, and its first line. */
struct oneroster_file {
	const char *name; /* "users.csv" */
	const char *type; /* of provisioning's archive_read; NULL: the header is all */
	const char *header;
	enum err (*row)(struct call *c, const char *line, struct buf *out);
};

#define ONEROSTER_FILES 5
extern const struct oneroster_file oneroster_files[ONEROSTER_FILES];

#endif
