/* Stored answers for repeated requests; see idempotency.h. */
#include "libcommon/idempotency.h"

#include <assert.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_user.h"
#include "libcommon/label.h"
#include "libcommon/personal.h"

/*
 * The lock tells a request that still runs from one that is over, without waiting for it. The row
 * is written at the end: a transaction that has written holds back every relay of the cluster, and
 * a handler may have to wait for another service first. The row is looked for in a statement of its
 * own, which sees what was committed before the lock was had.
 */
static const char CLAIM[] = "SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws('/', "
			    "$1::text, $2::text, $3::text, $4::text), 0))::text";
static const char FIND[] =
	"SELECT fingerprint, headers, content_type, label, keys_of, " SEALED_OF("keys_of", "key",
		"body") " FROM idempotency WHERE user_id = $1 AND operation = $2 AND key = $3";
static const char KEEP[] =
	"INSERT INTO idempotency (user_id, operation, key, fingerprint, status, headers,"
	" content_type, label, body, keys_of) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
	" coalesce($10::uuid, tenancy.tenant()))";

const struct personal_kind idempotency_body = { .domain = "outbox", .column = "idempotency.body" };

static const struct problem KEY_REUSED = { ERR_INVALID, 422, "idempotency_key_reused",
	"同じIdempotency-Keyが別の内容で使われました。",
	"This Idempotency-Key was used before with another payload." };

static const struct problem STILL_RUNNING = { ERR_CONFLICT, 409, "request_in_progress",
	"同じ依頼をまだ処理しています。", "The same request is still being worked on." };

static const struct problem ANSWER_GONE = { ERR_NOT_FOUND, 410, "idempotency_answer_gone",
	"この依頼は処理済みですが、対象が消去されたため、結果は残っていません。",
	"This was done, but its answer went with what it was about." };

/*
 * One key for each purpose, of what the client has sent and a key of the tenant that lies in no
 * backup of the database: who has only one of the two cannot even tell which row is whose. No
 * rotation changes it, or a repetition across one would do its work twice.
 */
static enum err derive(struct call *c, const char *purpose, unsigned char out[HASH_SIZE])
{
	auto_secret(tenants, KEY_SIZE);
	const struct data_key which = { IDEMPOTENCY_DOMAIN, KEYRING_INDEX };
	assert(c->keyring); /* the generator lets no other service have such operations */
	enum err e = keyring_data_key(c->keyring, c->actor->tenant_id, which, tenants);
	if (e == ERR_FORBIDDEN)
		return fail(c, ERR_INTERNAL, "%s is not of this service", IDEMPOTENCY_DOMAIN);
	if (e)
		return fail(c, ERR_UNAVAILABLE, "no index key of tenant %s", c->actor->tenant_id);
	const char *text = arena_printf(c->arena, "%s %s %s %s %s", purpose, c->service->name,
		c->actor->user_id, c->op->name, c->idempotency_key);
	crypto_hmac_sha256(tenants, text, strlen(text), out);
	return OK;
}

/* What is kept for somebody goes with that user too: an answer may name who asked. The provider's
 * own people have no keys. */
static enum err derive_own(struct call *c, unsigned char out[KEY_SIZE])
{
	auto_secret(key, 2 * KEY_SIZE);
	const struct data_key which = { IDEMPOTENCY_DOMAIN, KEYRING_INDEX };
	enum err e = derive(c, "seal", key);
	if (!e && c->actor->role != ROLE_OPERATOR) {
		e = keyring_user_key(
			c->keyring, c->actor->tenant_id, which, c->actor->user_id, key + KEY_SIZE);
		if (e == ERR_NOT_FOUND)
			return fail_with(c, &ANSWER_GONE, "who asked was erased");
		if (e)
			return fail(c, ERR_UNAVAILABLE, "keyring: %s", err_name(e));
	}
	if (!e)
		crypto_sha256(key, 2 * KEY_SIZE, out);
	return e;
}

/* What the database sees of the key. */
static enum err key_hash(struct call *c, const char **out)
{
	unsigned char hash[HASH_SIZE];
	enum err e = derive(c, "id", hash);
	*out = e ? NULL : crypto_hex(c->arena, hash, sizeof(hash));
	return e;
}

/* Keyed too: what is sent is short, and a name that lies nowhere else could be guessed from it. */
static enum err fingerprint(struct call *c, const struct frame *request, const char **out)
{
	auto_secret(key, KEY_SIZE);
	unsigned char hash[HASH_SIZE];
	struct buf all = { .arena = c->arena };
	enum err e = derive(c, "print", key);
	if (e)
		return e;
	buf_add(&all, request->texts[TEXT_PARAMS].data, request->texts[TEXT_PARAMS].n);
	buf_char(&all, '\n');
	buf_add(&all, request->texts[TEXT_BODY].data, request->texts[TEXT_BODY].n);
	crypto_hmac_sha256(key, all.data, all.n, hash);
	*out = crypto_hex(c->arena, hash, sizeof(hash));
	return OK;
}

/* ---- the answer ---- */

static struct bytes associated(struct call *c, const char *hash)
{
	const char *text = arena_printf(c->arena, "manabiya answer %s %s %s %s %s",
		c->actor->tenant_id, c->actor->user_id, c->service->name, c->op->name, hash);
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

/* For who asked alone, and that under the key of whom it is about. */
static enum err seal_body(
	struct call *c, const char *hash, const struct bytes *body, const char **out)
{
	auto_secret(key, KEY_SIZE);
	const struct personal_place place = {
		.row_id = hash, .user_id = c->about.user_id, .tenant_id = c->about.tenant_id
	};
	*out = NULL;
	if (!body->n)
		return OK;
	enum err e = derive_own(c, key);
	if (e)
		return e;
	unsigned char *sealed = arena_alloc(c->arena, body->n + SEAL_OVERHEAD);
	crypto_seal(key, associated(c, hash), body->data, body->n, sealed);
	const struct personal inner = { .text = crypto_base64url(
						c->arena, sealed, body->n + SEAL_OVERHEAD),
		.kind = &idempotency_body };
	return personal_seal_for(c, &place, inner, out);
}

static enum err open_body(
	struct call *c, const char *hash, const char *row_and_sealed, struct bytes *out)
{
	auto_secret(key, KEY_SIZE);
	const char *inner;
	struct bytes sealed;
	enum err e = personal_open(c, &idempotency_body, row_and_sealed, &inner);
	if (e == ERR_NOT_FOUND || (!e && personal_is_lost(inner)))
		return fail_with(c, &ANSWER_GONE, "its key is destroyed");
	if (e)
		return e;
	e = derive_own(c, key);
	if (e)
		return e;
	if (crypto_from_base64url(c->arena, inner, &sealed) || sealed.n < SEAL_OVERHEAD)
		return fail(c, ERR_INTERNAL, "a stored answer is damaged");
	unsigned char *plain = arena_alloc(c->arena, sealed.n);
	if (crypto_open(key, associated(c, hash), sealed.data, sealed.n, plain))
		return fail(c, ERR_INTERNAL, "a stored answer does not open");
	*out = (struct bytes){ plain, sealed.n - SEAL_OVERHEAD };
	return OK;
}

/* ---- a request ---- */

struct stored {
	const char *hash, *fingerprint; /* of this request */
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
	buf_text(&stored->reply->headers, columns[1] ? columns[1] : "");
	stored->reply->content_type = columns[2];
	c->label = label_from_name(columns[3]);
	if (!columns[5])
		return OK;
	uint32_t version;
	if (keyring_newest(c->keyring, columns[4], &version) == ERR_NOT_FOUND)
		return fail_with(c, &ANSWER_GONE, "tenant %s was erased", columns[4]);
	return open_body(c, stored->hash, columns[5], &stored->reply->body);
}

static enum err claim(struct call *c, const char *hash)
{
	const char *claimed = NULL;
	enum err e = db_text(c, CLAIM,
		DB_ARGS(c->actor->tenant_id, c->actor->user_id, c->op->name, hash), &claimed);
	if (!e && strcmp(claimed, "true") != 0)
		e = fail_with(c, &STILL_RUNNING, "the first is not over");
	return e;
}

enum err idempotency_begin(
	struct call *c, const struct frame *request, struct reply *reply, bool *replayed)
{
	struct stored stored = { .reply = reply };
	enum err e = key_hash(c, &stored.hash);
	if (!e)
		e = fingerprint(c, request, &stored.fingerprint);
	if (!e)
		e = claim(c, stored.hash);
	if (!e)
		e = db_each(c, FIND, DB_ARGS(c->actor->user_id, c->op->name, stored.hash), replay,
			&stored);
	*replayed = stored.found;
	return e;
}

enum err idempotency_end(struct call *c, const struct frame *request, const struct reply *reply)
{
	const char *hash, *print = NULL, *body = NULL;
	const char *label = c->label == LABEL_NONE ? NULL : label_name(c->label);
	enum err e = key_hash(c, &hash);
	if (!e)
		e = fingerprint(c, request, &print);
	if (!e)
		e = seal_body(c, hash, &reply->body, &body);
	if (e)
		return e;
	return db_exec(c, KEEP,
		DB_ARGS(c->actor->user_id, c->op->name, hash, print, db_integer(c, reply->status),
			reply->headers.data, reply->content_type, label, body, c->about.tenant_id));
}
