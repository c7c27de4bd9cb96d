/*
 * Checkpoints: what the log of each tenant is at a moment, signed, so that it cannot be told
 * otherwise afterwards. A job signs what has grown; the job's interval and one turn of it stay
 * within the second that is promised after an event was acknowledged.
 *
 * The root comes from the tree's right edge, which the database moves together with the lines
 * (migrations/0051_checkpoint.sql). Two instances may sign the same tree at once: both say the
 * same.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/log.h"
#include "services/audit/audit.h"

#define TREES_MAX 64 /* of a turn; more wait for the next, which follows at once */
#define KEYS_MAX 2 /* one, and while it is replaced the one before */

static const struct problem LOG_EMPTY = { ERR_NOT_FOUND, 404, "log_empty",
	"ログにはまだ署名された記録がありません。", "Nothing in this log has been signed yet." };
static const struct problem LOG_UNWITNESSED = { ERR_NOT_FOUND, 404, "log_unwitnessed",
	"ログにはまだ立会人の署名がありません。", "No witness has signed this log yet." };

/* Made at start, const after. */
static struct {
	const char *log_name;
	size_t n;
	unsigned char public_keys[KEYS_MAX][PUBLIC_KEY_SIZE];
	unsigned char *signing_keys[KEYS_MAX];
} signer;

static const char TAKE[] = "SELECT tenant_id, size, peaks FROM audit.checkpoint_take($1::integer)";
static const char PUT[] = "SELECT audit.checkpoint_put($1::uuid[], $2::bigint[], $3::text[])";
static const char LATEST[] = "SELECT size, note FROM audit.checkpoint ORDER BY size DESC LIMIT 1";
static const char COVERING[] = "SELECT size, note FROM audit.checkpoint WHERE size >= $1::bigint"
			       " ORDER BY witnessed DESC, size DESC LIMIT 1";
static const char WITNESSED[] = "SELECT size, note FROM audit.checkpoint WHERE witnessed"
				" ORDER BY size DESC LIMIT 1";

static enum err add_key(const char *hex)
{
	auto_secret(seed, KEY_SIZE);
	if (crypto_from_hex(hex, seed, KEY_SIZE)) {
		log_error("a checkpoint key is not %d bytes in hex", KEY_SIZE);
		return ERR_INVALID;
	}
	signer.signing_keys[signer.n] = crypto_secret_alloc(SIGNING_KEY_SIZE);
	crypto_sign_keys(seed, signer.public_keys[signer.n], signer.signing_keys[signer.n]);
	signer.n++;
	return OK;
}

/* For a witness: what its file of logs has to say for all of them. */
static void tell_key(void)
{
	struct arena *arena = arena_new();
	const struct note_verifier all =
		note_verifier_of(arena_printf(arena, "%s/log/*", signer.log_name), NOTE_ED25519,
			signer.public_keys[0]);
	log_event(LOG_LEVEL_INFO, "a witness of these logs needs this key",
		LOG_TEXT("verifier", note_verifier_text(arena, &all)));
	arena_free(arena);
}

enum err checkpoint_open(const char *log_name, const char *key, const char *key_before)
{
	signer.n = 0;
	signer.log_name = log_name;
	if (!note_is_name(log_name)) {
		log_error("--log-name: no white space, no `+`");
		return ERR_INVALID;
	}
	enum err e = add_key(key);
	if (!e)
		tell_key();
	return e || !*key_before ? e : add_key(key_before);
}

void checkpoint_close(void)
{
	for (size_t i = 0; i < signer.n; i++)
		crypto_secret_free(signer.signing_keys[i]);
	signer.n = 0;
}

const char *checkpoint_origin(struct arena *arena, const char *tenant_id)
{
	return arena_printf(arena, "%s/log/%s", signer.log_name, tenant_id);
}

/* ---- signing ---- */

struct trees {
	size_t n;
	const char *tenants[TREES_MAX], *sizes[TREES_MAX], *notes[TREES_MAX];
};

static enum err read_peaks(struct call *c, const char *hex, struct merkle_peaks *out)
{
	for (; *hex && out->n < 64; hex += 2 * HASH_SIZE) {
		const char *one = arena_strndup(c->arena, hex, 2 * HASH_SIZE);
		if (crypto_from_hex(one, out->hashes[out->n++].bytes, HASH_SIZE))
			return fail(c, ERR_INTERNAL, "the edge of a tree is not hashes");
	}
	if (out->n != (size_t)__builtin_popcountll(out->size))
		return fail(c, ERR_INTERNAL, "the edge of a tree does not fit its size");
	return OK;
}

const char *checkpoint_sign(
	struct call *c, const char *text, const char *const *tenant_ids, size_t n)
{
	struct buf note = { .arena = c->arena };
	buf_printf(&note, "%s\n", text);
	for (size_t i = 0; i < n * signer.n; i++) {
		size_t key = i % signer.n;
		const struct note_verifier verifier =
			note_verifier_of(checkpoint_origin(c->arena, tenant_ids[i / signer.n]),
				NOTE_ED25519, signer.public_keys[key]);
		buf_text(&note, note_sign(c->arena, text, &verifier, signer.signing_keys[key]));
	}
	return note.data;
}

static enum err on_tree(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct trees *trees = arg;
	struct merkle_peaks peaks = { .size = strtoull(columns[1], NULL, 10) };
	struct checkpoint checkpoint = { .origin = checkpoint_origin(c->arena, columns[0]),
		.size = peaks.size };
	enum err e = read_peaks(c, columns[2], &peaks);
	if (e)
		return e;
	merkle_root(&peaks, &checkpoint.root);
	trees->tenants[trees->n] = columns[0];
	trees->sizes[trees->n] = columns[1];
	trees->notes[trees->n++] =
		checkpoint_sign(c, checkpoint_text(c->arena, &checkpoint), columns, 1);
	return OK;
}

enum err checkpoint_run(struct call *c, bool *more)
{
	struct trees *trees = arena_alloc(c->arena, sizeof(*trees));
	enum err e = db_each(c, TAKE, DB_ARGS(db_integer(c, TREES_MAX)), on_tree, trees);
	if (e || !trees->n)
		return e;
	*more = trees->n == TREES_MAX;
	return db_exec(c, PUT,
		DB_ARGS(db_text_array(c, trees->tenants, trees->n),
			db_text_array(c, trees->sizes, trees->n),
			db_text_array(c, trees->notes, trees->n)));
}

/* ---- reading ---- */

static enum err on_latest(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct signed_tree *latest = arg;
	latest->size = strtoull(columns[0], NULL, 10);
	latest->note = columns[1];
	return OK;
}

enum err checkpoint_latest(struct call *c, struct signed_tree *out)
{
	*out = (struct signed_tree){ 0 };
	enum err e = db_each(c, LATEST, DB_NONE, on_latest, out);
	return e || out->size ? e : fail_as(c, &LOG_EMPTY);
}

enum err checkpoint_covering(struct call *c, uint64_t size, struct signed_tree *out)
{
	*out = (struct signed_tree){ 0 };
	enum err e = db_each(c, COVERING, DB_ARGS(db_integer(c, (int64_t)size)), on_latest, out);
	return e || out->size ? e : ERR_NOT_FOUND;
}

static enum err checkpoint_witnessed(struct call *c, struct signed_tree *out)
{
	*out = (struct signed_tree){ 0 };
	enum err e = db_each(c, WITNESSED, DB_NONE, on_latest, out);
	return e || out->size ? e : fail_as(c, &LOG_UNWITNESSED);
}

enum err audit_log_checkpoint(struct call *c, const struct audit_log_checkpoint_in *in,
	struct audit_log_checkpoint_out *out)
{
	struct signed_tree latest;
	enum err e =
		in->witnessed ? checkpoint_witnessed(c, &latest) : checkpoint_latest(c, &latest);
	if (!e)
		out->body =
			(struct bytes){ (const unsigned char *)latest.note, strlen(latest.note) };
	return e;
}

enum err audit_log_key(struct call *c, struct audit_log_key_out *out)
{
	const char **keys = arena_array(c->arena, signer.n, sizeof(*keys));
	out->origin = checkpoint_origin(c->arena, c->actor->tenant_id);
	for (size_t i = 0; i < signer.n; i++) {
		const struct note_verifier verifier =
			note_verifier_of(out->origin, NOTE_ED25519, signer.public_keys[i]);
		keys[i] = note_verifier_text(c->arena, &verifier);
	}
	out->keys.items = keys;
	out->keys.n = signer.n;
	return retention_first(c, &out->first);
}
