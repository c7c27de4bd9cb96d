/*
 * Proofs about the own tenant's log, for the tree of the latest checkpoint or an earlier size.
 * Whoever has the public key checks them without us: tools that know C2SP's formats, or
 * manabiya-verify.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "services/audit/audit.h"
#include "services/audit/tile.h"

static const struct problem NOT_SIGNED = { ERR_CONFLICT, 409, "log_not_signed",
	"この範囲はまだ署名されていません。1秒ほど後にもう一度お試しください。",
	"This part is not signed yet: try again in a second." };
static const struct problem BAD_RANGE = { ERR_INVALID, 422, "log_bad_range",
	"範囲の始まりが終わりより後です。", "The range begins behind its end." };

static const char SEQUENCE[] = "SELECT e.sequence FROM audit.event e WHERE e.id = $1::uuid";

/* Sizes that are asked about are of signed trees. */
static enum err check_size(struct call *c, int64_t size, struct signed_tree *latest)
{
	enum err e = checkpoint_latest(c, latest);
	if (!e && (uint64_t)size > latest->size)
		e = fail_as(c, &NOT_SIGNED);
	return e;
}

/* Of what is proven with its checkpoint, one that is witnessed is worth more than the latest. */
static enum err find_covering(struct call *c, uint64_t size, struct signed_tree *out)
{
	enum err e = checkpoint_covering(c, size, out);
	if (e != ERR_NOT_FOUND)
		return e;
	struct signed_tree latest;
	e = checkpoint_latest(c, &latest); /* an empty log has a problem of its own */
	return e ? e : fail_as(c, &NOT_SIGNED);
}

static const char **texts_of(struct call *c, const struct merkle_proof *proof)
{
	const char **texts = arena_array(c->arena, proof->n, sizeof(*texts));
	for (size_t i = 0; i < proof->n; i++)
		texts[i] = crypto_base64(c->arena, proof->hashes[i].bytes, HASH_SIZE);
	return texts;
}

static void write_proof(struct call *c, struct buf *out, const struct merkle_proof *proof)
{
	const char **texts = texts_of(c, proof);
	for (size_t i = 0; i < proof->n; i++)
		buf_printf(out, "%s\n", texts[i]);
	buf_char(out, '\n');
}

enum err audit_log_inclusion(
	struct call *c, const struct audit_log_inclusion_in *in, struct audit_log_proof *out)
{
	struct signed_tree latest;
	struct merkle_proof proof;
	const struct merkle_tree tree = tile_tree(c);
	enum err e = check_size(c, in->size, &latest);
	if (!e && in->index >= in->size)
		e = fail_as(c, &BAD_RANGE);
	if (!e)
		e = merkle_prove_inclusion(&tree, (uint64_t)in->index, (uint64_t)in->size, &proof);
	if (e)
		return e;
	out->hashes.items = texts_of(c, &proof);
	out->hashes.n = proof.n;
	return OK;
}

enum err audit_log_consistency(
	struct call *c, const struct audit_log_consistency_in *in, struct audit_log_proof *out)
{
	struct signed_tree latest;
	struct merkle_proof proof;
	const struct merkle_tree tree = tile_tree(c);
	enum err e = check_size(c, in->to, &latest);
	if (!e && in->from > in->to)
		e = fail_as(c, &BAD_RANGE);
	if (!e)
		e = merkle_prove_consistency(&tree, (uint64_t)in->from, (uint64_t)in->to, &proof);
	if (e)
		return e;
	out->hashes.items = texts_of(c, &proof);
	out->hashes.n = proof.n;
	return OK;
}

/* The proof of one event, as a file of C2SP's tlog-proof. */
enum err proof_of_event(struct call *c, const char *event_id, struct buf *file)
{
	const char *text;
	struct signed_tree covering;
	struct merkle_proof proof;
	const struct merkle_tree tree = tile_tree(c);
	enum err e = db_text(c, SEQUENCE, DB_ARGS(event_id), &text);
	if (e)
		return e;
	uint64_t sequence = strtoull(text, NULL, 10);
	e = find_covering(c, sequence, &covering);
	if (!e)
		e = merkle_prove_inclusion(&tree, sequence - 1, covering.size, &proof);
	if (e)
		return e;
	buf_printf(file, "c2sp.org/tlog-proof@v1\nindex %llu\n", (unsigned long long)sequence - 1);
	write_proof(c, file, &proof);
	buf_text(file, covering.note);
	return OK;
}

enum err proof_of_events(struct call *c, uint64_t size, struct audit_audit_event *events, size_t n)
{
	struct signed_tree latest;
	const struct merkle_tree tree = tile_tree(c);
	enum err e = check_size(c, (int64_t)size, &latest);
	for (size_t i = 0; i < n && !e; i++) {
		struct buf text = { .arena = c->arena };
		struct merkle_proof proof;
		uint64_t index = (uint64_t)events[i].sequence - 1;
		e = merkle_prove_inclusion(&tree, index, size, &proof);
		if (e)
			return e;
		write_proof(c, &text, &proof);
		events[i].proof = arena_strndup(c->arena, text.data, text.n - 1);
	}
	return e;
}

static struct bytes bytes_of(const struct buf *buf)
{
	return (struct bytes){ (const unsigned char *)buf->data, buf->n };
}

enum err audit_event_proof(
	struct call *c, const struct audit_event_proof_in *in, struct audit_event_proof_out *out)
{
	struct buf file = { .arena = c->arena };
	enum err e = proof_of_event(c, in->event_id, &file);
	out->body = bytes_of(&file);
	return e;
}

/* The leaves from `first` to before `end`. */
struct run {
	uint64_t first, end;
};

static enum err write_range(
	struct call *c, struct run run, const struct signed_tree *tree, struct buf *file)
{
	struct merkle_proof proof;
	const struct merkle_tree tiles = tile_tree(c);
	enum err e = merkle_prove_range(&tiles, run.first, run.end, tree->size, &proof);
	if (e)
		return e;
	buf_printf(file, "manabiya-log-range@v1\nrange %llu %llu\n", (unsigned long long)run.first,
		(unsigned long long)run.end);
	write_proof(c, file, &proof);
	buf_text(file, tree->note);
	return OK;
}

/* The same for a run of events, whose lines are an export (export.c). */
enum err audit_log_range(
	struct call *c, const struct audit_log_range_in *in, struct audit_log_range_out *out)
{
	struct signed_tree covering;
	struct buf file = { .arena = c->arena };
	const struct run run = { (uint64_t)in->first, (uint64_t)in->end };
	enum err e = find_covering(c, run.end, &covering);
	if (!e && run.first > run.end)
		e = fail_as(c, &BAD_RANGE);
	if (!e)
		e = write_range(c, run, &covering, &file);
	out->body = bytes_of(&file);
	return e;
}

enum err proof_of_range(
	struct call *c, uint64_t first, const struct signed_tree *tree, struct buf *file)
{
	return write_range(c, (struct run){ first, tree->size }, tree, file);
}
