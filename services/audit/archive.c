/*
 * What audit gives to an archive of a tenant: the log as far as it is kept and signed, its proof,
 * and the signature under the list of all that is in the archive.
 *
 * The manifest is signed with the keys that sign checkpoints, as certificates of erasure are
 * (certificate.c): who kept the verifier key of the own log can check the archive, wherever it
 * lies. Its text begins with a line of its own, so it passes for nothing else.
 */
#include "libcommon/db.h"
#include "libcommon/manifest.h"
#include "services/audit/audit.h"

#define LINES_MAX 256 /* of an answer: 2 MiB at most */

static const char LINES[] = "SELECT e.line FROM audit.event e WHERE e.sequence > $1::bigint"
			    " AND e.sequence <= $2::bigint ORDER BY e.sequence";

/* What is done at `since` itself counts, and is known to the millisecond. */
static const char LACKS[] = "SELECT audit.lacks_before($1::timestamptz + interval '1 millisecond')";

static enum err on_lacks(struct call *c, void *arg, const char *const *columns, size_t n)
{
	return columns[0][0] == 't' ? fail(c, ERR_CONFLICT, "events are on their way to the log")
				    : OK;
}

enum err audit_archive_range(struct call *c, const struct audit_archive_range_in *in,
	struct audit_archive_range_out *out)
{
	struct signed_tree latest;
	struct buf proof = { .arena = c->arena };
	enum err e = db_each(c, LACKS, DB_ARGS(in->since), on_lacks, NULL);
	if (!e)
		e = checkpoint_latest(c, &latest);
	if (!e)
		e = retention_first(c, &out->first);
	if (!e)
		e = proof_of_range(c, (uint64_t)out->first, &latest, &proof);
	if (e)
		return e;
	out->end = (int64_t)latest.size;
	out->checkpoint = latest.note;
	out->proof = proof.data;
	return OK;
}

struct lines {
	const char **items;
	size_t n;
};

static enum err on_line(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct lines *lines = arg;
	lines->items[lines->n++] = arena_strdup(c->arena, columns[0]);
	return OK;
}

enum err audit_archive_lines(struct call *c, const struct audit_archive_lines_in *in,
	struct audit_archive_lines_out *out)
{
	struct lines lines = { .items = arena_array(c->arena, LINES_MAX, sizeof(*lines.items)) };
	/* Both ends, and no LIMIT: see export.c. */
	const int64_t most = in->first + LINES_MAX, end = in->end < most ? in->end : most;
	enum err e = db_each(
		c, LINES, DB_ARGS(db_integer(c, in->first), db_integer(c, end)), on_line, &lines);
	out->lines.items = lines.items;
	out->lines.n = lines.n;
	return e;
}

enum err audit_archive_certify(struct call *c, const struct audit_archive_certify_in *in,
	struct audit_archive_certify_out *out)
{
	const char *tenant_id = c->actor->tenant_id;
	struct buf text = { .arena = c->arena };
	struct manifest_line files = { .entry = { .name = MANIFEST_FILES, .size = in->size } };
	if (crypto_from_hex(in->sha256, files.hash, HASH_SIZE))
		return fail(c, ERR_INVALID, "the hash is none");
	buf_printf(&text, MANIFEST_HEAD "%s\n%s\n%s\n", tenant_id,
		checkpoint_origin(c->arena, tenant_id), in->time);
	manifest_line_write(&text, &files);
	out->manifest = checkpoint_sign(c, text.data, &tenant_id, 1);
	return OK;
}
