/* Stored answers for repeated requests; see idempotency.h. */
#include "libcommon/idempotency.h"

#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/db.h"

/*
 * The lock tells a request that still runs from one that is over, without waiting for it. The row
 * is written at the end: a transaction that has written holds back every relay of the cluster, and
 * a handler may have to wait for another service first. The row is looked for in a statement of its
 * own, which sees what was committed before the lock was had.
 */
static const char CLAIM[] = "SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws('/', "
			    "$1::text, $2::text, $3::text, $4::text), 0))::text";
static const char FIND[] =
	"SELECT fingerprint, status, headers, content_type, body FROM idempotency "
	"WHERE user_id = $1 AND operation = $2 AND key = $3";
static const char KEEP[] = "INSERT INTO idempotency (user_id, operation, key, fingerprint, status, "
			   "headers, content_type,"
			   " body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

static const struct problem KEY_REUSED = { ERR_INVALID, 422, "idempotency_key_reused",
	"同じIdempotency-Keyが別の内容で使われました。",
	"This Idempotency-Key was used before with another payload." };

static const struct problem STILL_RUNNING = { ERR_CONFLICT, 409, "request_in_progress",
	"同じ依頼をまだ処理しています。", "The same request is still being worked on." };

/* What the database sees of the key. */
static const char *key_hash(struct call *c)
{
	unsigned char hash[HASH_SIZE];
	const char *text = arena_printf(c->arena, "id:%s", c->idempotency_key);
	crypto_sha256(text, strlen(text), hash);
	return crypto_hex(c->arena, hash, sizeof(hash));
}

static void derive(struct call *c, const char *purpose, unsigned char out[KEY_SIZE])
{
	const char *text = arena_printf(c->arena, "%s:%s", purpose, c->idempotency_key);
	crypto_sha256(text, strlen(text), out);
}

/* Keyed too: what is sent is short, and a name that lies nowhere else could be guessed from it. */
static const char *fingerprint(struct call *c, const struct frame *request)
{
	auto_secret(key, KEY_SIZE);
	unsigned char hash[HASH_SIZE];
	struct buf all = { .arena = c->arena };
	derive(c, "print", key);
	buf_add(&all, request->texts[TEXT_PARAMS].data, request->texts[TEXT_PARAMS].n);
	buf_char(&all, '\n');
	buf_add(&all, request->texts[TEXT_BODY].data, request->texts[TEXT_BODY].n);
	crypto_hmac_sha256(key, all.data, all.n, hash);
	return crypto_hex(c->arena, hash, sizeof(hash));
}

static enum err open_body(struct call *c, const char *text, struct bytes *out)
{
	auto_secret(key, KEY_SIZE);
	struct bytes sealed;
	derive(c, "seal", key);
	enum err e = crypto_from_base64url(c->arena, text, &sealed);
	if (e || sealed.n < SEAL_OVERHEAD)
		return fail(c, ERR_INTERNAL, "a stored answer is damaged");
	unsigned char *plain = arena_alloc(c->arena, sealed.n);
	if (crypto_open(key, (struct bytes){ 0 }, sealed.data, sealed.n, plain))
		return fail(c, ERR_INTERNAL, "a stored answer does not open");
	*out = (struct bytes){ plain, sealed.n - SEAL_OVERHEAD };
	return OK;
}

struct stored {
	const char *fingerprint; /* of this request */
	struct reply *reply;
	bool found;
};

static enum err replay(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct stored *stored = arg;
	stored->found = true;
	if (strcmp(columns[0], stored->fingerprint) != 0)
		return fail_with(c, &KEY_REUSED, "another payload");
	stored->reply->status = c->op->status;
	buf_text(&stored->reply->headers, columns[2] ? columns[2] : "");
	stored->reply->content_type = columns[3];
	return columns[4] ? open_body(c, columns[4], &stored->reply->body) : OK;
}

enum err idempotency_begin(
	struct call *c, const struct frame *request, struct reply *reply, bool *replayed)
{
	const char *hash = key_hash(c), *claimed = NULL;
	struct stored stored = { .fingerprint = fingerprint(c, request), .reply = reply };
	*replayed = false;
	enum err e = db_text(c, CLAIM,
		DB_ARGS(c->actor->tenant_id, c->actor->user_id, c->op->name, hash), &claimed);
	if (!e && strcmp(claimed, "true") != 0)
		e = fail_with(c, &STILL_RUNNING, "the first is not over");
	if (!e)
		e = db_each(
			c, FIND, DB_ARGS(c->actor->user_id, c->op->name, hash), replay, &stored);
	*replayed = stored.found;
	return e;
}

enum err idempotency_end(struct call *c, const struct frame *request, const struct reply *reply)
{
	auto_secret(key, KEY_SIZE);
	const char *body = NULL;
	derive(c, "seal", key);
	if (reply->body.n) {
		unsigned char *sealed = arena_alloc(c->arena, reply->body.n + SEAL_OVERHEAD);
		crypto_seal(key, (struct bytes){ 0 }, reply->body.data, reply->body.n, sealed);
		body = crypto_base64url(c->arena, sealed, reply->body.n + SEAL_OVERHEAD);
	}
	return db_exec(c, KEEP,
		DB_ARGS(c->actor->user_id, c->op->name, key_hash(c), fingerprint(c, request),
			db_integer(c, reply->status), reply->headers.data, reply->content_type,
			body));
}
