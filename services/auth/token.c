/*
 * Session tokens and what they are exchanged for. A token is 256 random bits; only its SHA-256 is
 * stored.
 *
 * Capabilities are cached for a few seconds, so that a busy session costs the database little. A
 * session whose rights change is marked for longer than any entry may live: a mint that read the
 * database before the change and writes its entry after it does no harm.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/cache.h"
#include "libcommon/clock.h"
#include "services/auth/auth.h"

#define TOKEN_LENGTH 43 /* base64url */

/* How long a revoked session could live on if the cache forgot the mark but kept the entry. */
#define ENTRY_LIFETIME_MS 10000
/* Longer than an entry, and longer than the transaction that changes the session. */
#define MARK_LIFETIME_MS 60000

/* Seeing a session is written down at most so often. */
#define TOUCH_INTERVAL_MS 60000

const char *token_new(struct call *c, const char **hash)
{
	unsigned char random[SESSION_TOKEN_SIZE], sha256[HASH_SIZE];
	crypto_random(random, sizeof random);
	const char *token = crypto_base64url(c->arena, random, sizeof random);
	crypto_sha256(token, strlen(token), sha256);
	crypto_wipe(random, sizeof random);
	*hash = db_bytea(c, sha256, sizeof sha256);
	return token;
}

const char *token_cookie(struct call *c, const char *token)
{
	return arena_printf(
		c->arena, "__Host-sid=%s; Path=/; Secure; HttpOnly; SameSite=Lax", token);
}

/* ---- the cache ---- */

static const char *entry_key(struct call *c, const char *hash_hex)
{
	return arena_printf(c->arena, "cap:%s", hash_hex);
}

static const char *mark_key(struct call *c, const char *hash_hex)
{
	return arena_printf(c->arena, "changed:%s", hash_hex);
}

/*
 * The entry counts only while the cache says for sure that there is no mark, and only if the
 * capability is good now: the cache counts its lifetime by the wall clock, and if that is set back
 * it keeps for an hour what nobody believes before the hour is over.
 */
static bool recall(struct call *c, const char *hash_hex, const char **capability)
{
	struct actor actor;
	const char *mark, *sealed, *key = entry_key(c, hash_hex);
	if (cache_get(c->cache, c->arena, key, &sealed) != OK ||
		entry_open(c, key, sealed, capability) != OK ||
		capability_verify(c->arena, c->auth_key, *capability, clock_unix_ms(), &actor))
		return false;
	return cache_get(c->cache, c->arena, mark_key(c, hash_hex), &mark) == ERR_NOT_FOUND;
}

static void remember(
	struct call *c, const char *hash_hex, const char *capability, int64_t expires_unix_ms)
{
	int64_t left_ms = expires_unix_ms - clock_unix_ms();
	const char *key = entry_key(c, hash_hex);
	if (left_ms <= 0)
		return;
	/* A cache that does not answer is no reason to refuse a session. */
	enum err ignored = cache_set(c->cache, key, entry_seal(c, key, capability),
		left_ms < ENTRY_LIFETIME_MS ? left_ms : ENTRY_LIFETIME_MS);
	(void)ignored;
}

static enum err forget(struct call *c, void *arg, const char *const *columns, size_t n)
{
	int64_t *changed = arg;
	enum err ignored = cache_set(c->cache, mark_key(c, columns[1]), "1", MARK_LIFETIME_MS);
	(void)ignored; /* no cache, no entry */
	ignored = cache_delete(c->cache, entry_key(c, columns[1]));
	(void)ignored;
	call_push_after_commit(c, "session.revoked", columns[0]);
	++*changed;
	return OK;
}

enum err sessions_change(struct call *c, const char *sql, struct db_args args, int64_t *n)
{
	int64_t changed = 0;
	enum err e = db_each(c, sql, args, forget, &changed);
	if (n)
		*n = changed;
	return e;
}

static const char SESSIONS_OF[] = "SELECT id, encode(token_hash, 'hex') FROM session"
				  " WHERE ($1::uuid IS NULL OR user_id = $1) AND revoked_at IS NULL"
				  " AND expires_at > " MOMENT(2);

enum err sessions_renew(struct call *c, const char *user_id)
{
	return sessions_change(
		c, SESSIONS_OF, DB_ARGS(user_id, db_integer(c, clock_unix_ms())), NULL);
}

/* ---- minting ---- */

static const char TENANT_OF_SESSION[] = "SELECT session_find($1::bytea)::text";

static const char SESSION_LIVE[] =
	"SELECT s.id, s.user_id, a.role, s.initial, array_to_string(a.denied || t.denied, ','),"
	" (extract(epoch FROM least(s.idle_expires_at, s.expires_at)) * 1000)::bigint,"
	" (extract(epoch FROM s.last_seen_at) * 1000)::bigint,"
	" (extract(epoch FROM coalesce(s.authenticated_at, s.created_at)) * 1000)::bigint,"
	" array_to_string(t.source_ranges, ','), s.factors, t.shut_at IS NOT NULL"
	" FROM session s"
	" JOIN account a ON a.tenant_id = s.tenant_id AND a.id = s.user_id AND a.status = 'active'"
	" JOIN tenant t ON t.tenant_id = s.tenant_id AND " ADMITS
	" WHERE s.token_hash = $1::bytea AND s.revoked_at IS NULL"
	" AND s.idle_expires_at > " MOMENT(2) " AND s.expires_at > " MOMENT(2);

static const char SESSION_TOUCH[] = "UPDATE session SET last_seen_at = " MOMENT(
	2) ", idle_expires_at = " MOMENT(3) " WHERE id = $1 AND revoked_at IS NULL";

struct live {
	struct actor actor;
	int64_t last_seen_ms;
	const char *source_ranges; /* separated by commas */
	bool is_watching; /* nobody did anything: the idle time goes on */
};

/* Names that this binary does not know are left out: it cannot offer them. */
static unsigned features_of(struct call *c, const char *names)
{
	unsigned features = 0;
	while (*names) {
		size_t n = strcspn(names, ",");
		features |= feature_from_name(arena_strndup(c->arena, names, n));
		names += n + (names[n] == ',');
	}
	return features;
}

static enum err read_live(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct live *live = arg;
	live->actor.session_id = columns[0];
	live->actor.user_id = columns[1];
	live->actor.role = role_from_name(columns[2]);
	live->actor.initial = columns[3][0] == 't';
	live->actor.denied = features_of(c, columns[4]);
	live->actor.expires_unix_ms = strtoll(columns[5], NULL, 10);
	live->last_seen_ms = strtoll(columns[6], NULL, 10);
	live->actor.authenticated_unix_ms = strtoll(columns[7], NULL, 10);
	live->source_ranges = columns[8];
	live->actor.factors = columns[9][0] == '2' ? 2 : 1;
	live->actor.closed = columns[10][0] == 't'; /* else it would not be here */
	live->actor.needs_second_factor = second_factor_is_required(live->actor.role);
	return OK;
}

static enum err touch(struct call *c, struct live *live, int64_t now_ms)
{
	if (live->is_watching || now_ms - live->last_seen_ms < TOUCH_INTERVAL_MS)
		return OK;
	int64_t idle_end_ms = now_ms + policy_of(live->actor.role)->idle_ms;
	return db_exec(c, SESSION_TOUCH,
		DB_ARGS(live->actor.session_id, db_integer(c, now_ms), db_integer(c, idle_end_ms)));
}

static enum err find_live(struct call *c, const char *hash, struct live *live)
{
	int64_t now_ms = clock_unix_ms();
	enum err e = db_text(c, TENANT_OF_SESSION, DB_ARGS(hash), &live->actor.tenant_id);
	if (e)
		return e;
	if (!live->actor.tenant_id)
		return fail(c, ERR_UNAUTHENTICATED, "log in");
	e = db_enter(c, tenant_key_of(c, live->actor.tenant_id));
	if (!e)
		e = db_each(c, SESSION_LIVE, DB_ARGS(hash, db_integer(c, now_ms)), read_live, live);
	if (e)
		return e;
	if (!live->actor.session_id)
		return fail(c, ERR_UNAUTHENTICATED, "log in");
	e = source_ranges_check(c, live->source_ranges);
	return e ? e : touch(c, live, now_ms);
}

enum err auth_capability_mint(struct call *c, const struct auth_capability_mint_in *in,
	struct auth_capability_mint_out *out)
{
	unsigned char sha256[HASH_SIZE];
	struct live live = { .is_watching = in->watching };
	if (strlen(in->token) != TOKEN_LENGTH)
		return fail(c, ERR_UNAUTHENTICATED, "log in");
	crypto_sha256(in->token, TOKEN_LENGTH, sha256);
	const char *hash_hex = crypto_hex(c->arena, sha256, sizeof sha256);
	if (recall(c, hash_hex, &out->capability))
		return OK;
	enum err e = find_live(c, db_bytea(c, sha256, sizeof sha256), &live);
	if (e)
		return e;
	out->capability = capability_of(c, &live.actor);
	/* An entry would hide the next thing that somebody does from the idle time, and the next
	 * address from which he does it. */
	if (!live.is_watching && !*live.source_ranges)
		remember(c, hash_hex, out->capability, live.actor.expires_unix_ms);
	return OK;
}

/* ---- services acting on their own ---- */

static const char *service_capability_of(struct call *c, const char *service, const char *tenant_id)
{
	struct actor actor = {
		.tenant_id = tenant_id,
		.user_id = service,
		.role = ROLE_SERVICE,
		.session_id = "",
	};
	return capability_of(c, &actor);
}

enum err auth_service_capability_mint(struct call *c,
	const struct auth_service_capability_mint_in *in,
	struct auth_service_capability_mint_out *out)
{
	/* The name that the bus has proven, not one that the caller says. */
	out->capability = service_capability_of(c, c->caller, in->tenant_id);
	return OK;
}

enum err auth_own_capability(struct call *c, const char *tenant_id, const char **capability)
{
	*capability = service_capability_of(c, "auth", tenant_id);
	return OK;
}
