/*
 * auth: who is this, and is the session still alive.
 *
 * What its files share. Secrets are compared in constant time, and whatever is wrong about a login
 * is answered with the same bytes after the same work.
 */
#ifndef MANABIYA_SERVICES_AUTH_H
#define MANABIYA_SERVICES_AUTH_H

#include "auth_proto.h"
#include "libcommon/algorithms.h"
#include "libcommon/call.h"
#include "libcommon/crypto.h"
#include "libcommon/db.h"

/* Times reach SQL as Unix milliseconds, from one clock: the process's own (clock.h). */
#define MOMENT(n_) "to_timestamp($" #n_ "::float8 / 1000)"

/* Of a tenant `t` and an account `a` in it: does it get in? While the contract is closed, only
 * administrators do. */
#define ADMITS "(t.shut_at IS NULL OR (t.is_closed AND a.role = 'contractor'))"

/* ---- conf and keys (keys.c) ---- */

struct auth_conf {
	const char *capability_key, *tenant_mac_key, *password_key; /* hex */
	const char *bootstrap_secret; /* "" for none */
	const char *second_factor_required;
	const char *keyring; /* directory: of it only login salts and slots (keyring_user.h) */
};
extern struct auth_conf auth_conf;

/* Once, from auth_conf. A key that is none, or a directory that is not there, is ERR_INVALID,
 * logged. */
must_check enum err keys_open(void);
void keys_close(void);
/* A job: files of the keyring that nobody logs in by. */
enum err keys_drop_idle(struct call *c, bool *more);

/* The key with which the database lets this call into the tenant; outlives any capability. */
const char *tenant_key_of(struct call *c, const char *tenant_id);

/* A capability for the actor, whose tenant_key is filled in here. */
const char *capability_of(struct call *c, struct actor *actor);

/*
 * The Argon2id text, sealed for one account under a key of its user, as bytea text; and back from
 * hex. `phc` is NULL, by the same work, when `sealed_hex` is. NOT_FOUND, without a failure noted
 * and by the same work, when user or tenant is erased: to others there never was such an account.
 */
must_check enum err password_seal(struct call *c, const char *tenant_id, const char *user_id,
	const char *phc, const char **out);
must_check enum err password_unseal(struct call *c, const char *tenant_id, const char *user_id,
	const char *sealed_hex, const char **phc);

/* What goes into the cache under a key opens only under that key, and only for auth: whoever reads
 * or writes Redis becomes nobody else. */
const char *entry_seal(struct call *c, const char *key, const char *text);
must_check enum err entry_open(
	struct call *c, const char *key, const char *sealed, const char **text);

/* The secret of an authenticator app, the same way. */
must_check enum err totp_seal(struct call *c, const char *tenant_id, const char *user_id,
	const unsigned char secret[TOTP_SECRET_SIZE], const char **out);
must_check enum err totp_unseal(struct call *c, const char *tenant_id, const char *user_id,
	const char *sealed_hex, unsigned char secret[TOTP_SECRET_SIZE]);

/* A new one-time secret, and what is stored of it (hex). They are random, 80 bits or more, so a
 * keyed hash is enough: also of a tenant that is erased nobody guesses one. Case, spaces and
 * hyphens do not count: people copy them by hand. */
const char *secret_new(struct call *c);
const char *secret_end(struct call *c); /* when it is void, for SQL */
const char *secret_hash(
	struct call *c, const char *tenant_id, const char *user_id, const char *secret);

/*
 * auth keeps no login name, only a keyed hash by which a login finds its account: its index. The
 * key is a tenant's own, made from its login salt and a secret of auth. NOT_FOUND, without a
 * failure noted, for a tenant that has no salt: `key` is then one that finds nobody, for the same
 * work.
 */
must_check enum err login_key_find(
	struct call *c, const char *tenant_id, unsigned char key[KEY_SIZE]);
/* The same where a tenant must have one: UNAVAILABLE. */
must_check enum err login_key_of(
	struct call *c, const char *tenant_id, unsigned char key[KEY_SIZE]);
const char *login_index(struct call *c, const unsigned char key[KEY_SIZE], const char *username);

/* How failed attempts on a login name are counted, whether or not it exists. */
void throttle_subject(struct call *c, const char *tenant_code, const char *login_index,
	unsigned char out[HASH_SIZE]);

/* ---- what a role means for sessions and passwords (policy.c) ---- */

struct policy {
	enum role role;
	int64_t idle_ms, absolute_ms;
	int64_t password_min; /* characters */
	unsigned passes;
	size_t memory_bytes;
	bool is_privileged; /* a login is told to the system administrators */
	bool ends_with_school; /* absolute_ms counts only outside the school day */
};
const struct policy *policy_of(enum role role);
int64_t session_end_ms(const struct policy *policy, int64_t now_unix_ms);

/* ---- Argon2 away from the workers (hash_pool.c) ---- */

/* `limit` callers may be inside at once; it must leave workers for session checks. */
must_check enum err hash_pool_start(unsigned threads, unsigned limit);
void hash_pool_stop(void);

/* Block until done. More than `limit` inside, or the call's deadline: 503 with Retry-After.
 * A NULL phc is never right, and costs what the policy's hashes cost. */
must_check enum err hash_pool_verify(struct call *c, const struct policy *policy, const char *phc,
	const char *password, bool *is_right);
must_check enum err hash_pool_make(struct call *c, const struct policy *policy,
	const char *password, char out[PASSWORD_HASH_SIZE]);

/* ---- slowing down guesses (throttle.c) ---- */

/* Charge an attempt before it is made, so that parallel ones count too. 429 with Retry-After. */
must_check enum err throttle_charge(struct call *c, const unsigned char subject[HASH_SIZE]);
/* It was right: forget the failures. */
must_check enum err throttle_clear(struct call *c, const unsigned char subject[HASH_SIZE]);

/* The same per source address, by distinct names, in the cache when there is one. */
must_check enum err source_check(struct call *c, const unsigned char subject[HASH_SIZE]);
void source_note(struct call *c, const unsigned char subject[HASH_SIZE], bool is_right);

/* ---- sessions (session.c, token.c) ---- */

/* A new token, and its SHA-256 as bytea text. */
const char *token_new(struct call *c, const char **hash);
const char *token_cookie(struct call *c, const char *token);

/*
 * Run a statement that returns (id, hex of token_hash) of sessions whose rights change with it: the
 * cache forgets them at once, the gateways when the transaction commits. *n may be NULL.
 */
must_check enum err sessions_change(
	struct call *c, const char *sql, struct db_args args, int64_t *n);

/* They go on, but what they may do is looked up anew: a user's, or the whole tenant's (NULL). */
must_check enum err sessions_renew(struct call *c, const char *user_id);

/* All of a user's sessions end, but the one named (NULL: none). */
must_check enum err sessions_end(struct call *c, const char *user_id, const char *but_session_id);

/* ---- a login under way (entry.c) ---- */

struct entry {
	const char *tenant_id, *tenant_key, *tenant_code;
	const char *user_id, *version; /* of the account */
	const struct policy *policy;
	unsigned char subject[HASH_SIZE]; /* in the throttle */
	bool is_initial; /* with a one-time secret */
	bool is_bearer; /* the token is wanted in the body, not as a cookie */
	unsigned factors; /* proven so far */
	const char *session_id, *token; /* of the session, once it has begun */
};

bool is_bearer(const char *delivery);

/* Charge the attempt; before anything that could tell whether it is right. */
must_check enum err entry_charge(struct call *c, const struct entry *entry);

/* From here on the record of a failure belongs to the school that it was tried on. */
void entry_name(struct call *c, const struct entry *entry);

/* All is proven: the session begins, within the call's transaction, and the call is theirs. */
must_check enum err entry_complete(struct call *c, struct entry *entry);

/* ---- the second factor (totp.c, second_factor.c, login_code.c) ---- */

/* The step of a time, the code of a step. */
int64_t totp_step(int64_t unix_ms);
const char *totp_code(
	struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE], int64_t step);
/* The step whose code it is, among those around now; 0 for none. */
int64_t totp_find(struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE],
	const char *code, int64_t unix_ms);
/* What people type into their app, and what they scan, with what the app shall call it. */
const char *totp_secret_text(struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE]);
const char *totp_uri(struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE],
	const char *tenant_code, const char *username);

/* Use up a code of the app (six digits) or a recovery code of a user of the tenant that the call
 * has entered; *is_right tells whether it was good. */
must_check enum err second_factor_use(struct call *c, const char *tenant_id, const char *user_id,
	const char *code, bool *is_right);

/* As if it had never been set up. */
must_check enum err second_factor_forget(struct call *c, const char *user_id);

/* Whose sessions need a second factor: read from --second-factor-required at the start. */
must_check enum err second_factor_policy_read(void);
bool second_factor_is_required(enum role role);

/* The password was right: what the second step must show, for five minutes. Sealed, so that nobody
 * can make or change one, and bound to the account as it is now. */
const char *challenge_make(struct call *c, const struct entry *entry);

/* ---- from where (source_range.c) ---- */

/* Does the client come from one of the ranges, separated by commas? None: from everywhere. Else
 * FORBIDDEN, with words that say why. */
must_check enum err source_ranges_check(struct call *c, const char *ranges);
/* The same for the tenant that the call has entered. */
must_check enum err source_ranges_check_own(struct call *c);

/* ---- the password once more, within a session (proof.c) ---- */

struct proof {
	unsigned char subject[HASH_SIZE]; /* in the throttle */
	const char *login_index, *tenant_code, *version;
	const char *password, *secret_hash; /* hex; NULL for none */
	bool is_bearer;
};

/* Whether `given` is the password of the call's actor, charged and committed like a login;
 * else a field error at `pointer`. Afterwards the caller begins its own transaction. */
must_check enum err proof_check(
	struct call *c, const char *given, const char *pointer, struct proof *proof);

/* The session goes on under a new token, freshly authenticated: one of the two is set. */
must_check enum err proof_renew_token(
	struct call *c, const struct proof *proof, const char **token, const char **cookie);

/* ---- passwords (password_rule.c) ---- */

/* What a new password may not be like. */
struct password_context {
	const struct policy *policy;
	const unsigned char *login_key; /* the login name is known by its index only */
	const char *login_index, *tenant_code;
	const char *current; /* the password or one-time secret so far */
};
/* Notes the reasons under `pointer`. */
must_check enum err password_check(struct call *c, const struct password_context *context,
	const char *password, const char *pointer);

/* ---- jobs and hooks ---- */

enum err tenant_bootstrap(struct call *c, bool *more);
enum err session_expire(struct call *c, bool *more);
enum err auth_own_capability(struct call *c, const char *tenant_id, const char **capability);

/* Every refused login reads the same. */
extern const struct problem LOGIN_FAILED;

#endif
