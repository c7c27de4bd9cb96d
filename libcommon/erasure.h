/*
 * The ledger of what was erased: whole tenants, and single users.
 *
 * It outlives what it tells of. A backup of the database brings an erased tenant's rows back; the
 * ledger lies outside the database and its backups and says what has to go again. A line is durable
 * before the first key is destroyed, so that a crash leaves a line too many rather than too few.
 *
 * One line each, appended, never changed:
 *
 *     <hash> <time> <tenant> <user or -> <files=fingerprints of their keys, or ->
 *
 * where the hash is SHA-256 over the hash of the line before (64 zeros before the first), a space
 * and the rest of the line: whoever changes or takes out a line has to write the file anew from
 * there, and cannot when somebody else knows its last hash (certificates name theirs). A last line
 * without its newline was never acknowledged and counts for nothing.
 *
 * Any thread, any number of processes: writers take turns (flock).
 */
#ifndef MANABIYA_ERASURE_H
#define MANABIYA_ERASURE_H

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/err.h"

struct erasure_ledger;

struct erasure {
	const char *tenant_id;
	const char *user_id; /* "-": all of the tenant */
	const char *at; /* RFC 3339 */
	const char *keys; /* which files were destroyed: `1.key=<32 hex>,…`; "-" for none */
	const char *hash; /* of the line; not for erasure_add() */
};

#define ERASURE_ALL "-"

/* The file need not be there yet. NULL with a logged reason when its lines do not hold together: a
 * person has to look. */
struct erasure_ledger *erasure_open(const char *path);
void erasure_close(struct erasure_ledger *ledger);

/* Durable when it returns. What is there already stays as it is. */
must_check enum err erasure_add(struct erasure_ledger *ledger, const struct erasure *erasure);

/* NOT_FOUND when it was not erased. The user of an erased tenant is not in the ledger for that. */
must_check enum err erasure_find(struct erasure_ledger *ledger, struct arena *arena,
	const char *tenant_id, const char *user_id, struct erasure *out);

/* All lines, oldest first; an error of `fn` ends the walk. */
typedef enum err erasure_on_line(void *arg, const struct erasure *erasure);
must_check enum err erasure_each(
	struct erasure_ledger *ledger, struct arena *arena, erasure_on_line *fn, void *arg);

/* Its lines as they are; empty when there are none. What was never acknowledged is left out. */
must_check enum err erasure_text(
	struct erasure_ledger *ledger, struct arena *arena, struct bytes *out);

/* The same of a text, for tests and fuzzing. INVALID when the chain is broken. */
must_check enum err erasure_read(
	struct arena *arena, const char *text, size_t n, erasure_on_line *fn, void *arg);

#endif
