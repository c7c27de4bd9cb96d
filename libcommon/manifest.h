/*
 * The manifest of a tenant's archive: a signed note (note.h) that names other entries with their
 * size and hash, in the order in which they follow. It names one, the list of files, which has the
 * same lines for all the rest and ends with an empty one: signed notes are small.
 *
 *     manabiya-archive/v2
 *     <tenant id>
 *     <name of the tenant's log>
 *     <time, RFC 3339>
 *     <sha256, hex> <size> <name>      one line an entry
 *
 *     — <signatures>
 *
 * It grows with the number of videos, so its lines are read one by one from wherever they lie.
 */
#ifndef MANABIYA_MANIFEST_H
#define MANABIYA_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/crypto.h"
#include "libcommon/note.h"
#include "libcommon/tar.h"

#define MANIFEST_NAME "manifest"
#define MANIFEST_FILES "files"
/* The number rises with every change of what an archive holds or how. */
#define MANIFEST_FORMAT "manabiya-archive/v"
#define MANIFEST_HEAD MANIFEST_FORMAT "2\n"
#define MANIFEST_SIZE_MAX                                                                          \
	(32 * 1024 * 1024) /* some 250,000 videos; it is signed, so read, whole                    \
			    */

/* A line of an entry with its newline is no longer. */
#define MANIFEST_LINE_MAX (2 * HASH_SIZE + 1 + 10 + 1 + TAR_NAME_MAX + 1)

struct manifest {
	struct note note; /* its text is the whole manifest but the signatures */
	const char *tenant_id, *log, *at;
	size_t entries; /* where in the text their lines begin */
};

/* The beginning of a manifest of a format that is not this one: made by another release. */
bool manifest_is_other(const char *text, size_t n);

/* INVALID for what is not of this form; lines of entries are not looked at. */
must_check enum err manifest_read(
	struct arena *arena, const char *text, size_t n, struct manifest *out);

struct manifest_line {
	unsigned char hash[HASH_SIZE];
	struct tar_entry entry;
};

/* The line of an entry at the beginning of `text`; *length is how much of it that was. INVALID for
 * anything else, also for the end. */
must_check enum err manifest_line_read(
	const char *text, size_t n, struct manifest_line *out, size_t *length);

/* Append the line of an entry. */
void manifest_line_write(struct buf *out, const struct manifest_line *line);

#endif
