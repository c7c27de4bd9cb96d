/* Changing one's own password. The session that does it goes on under a new token; all others
 * end. */
#include <string.h>

#include "libcommon/clock.h"
#include "services/auth/auth.h"

static const char ACCOUNT_GET[] =
	"SELECT a.username, t.code, a.version, encode(a.password, 'hex'), encode(a.secret_hash, "
	"'hex'),"
	" s.bearer FROM session s"
	" JOIN account a ON a.tenant_id = s.tenant_id AND a.id = s.user_id AND a.status = 'active'"
	" JOIN tenant t ON t.tenant_id = s.tenant_id"
	" WHERE s.id = $1 AND s.revoked_at IS NULL";

/* No row when somebody else changed the account meanwhile. */
static const char PASSWORD_SET[] =
	"UPDATE account SET password = $2::bytea, secret_hash = NULL, secret_expires_at = NULL,"
	" secret_used_at = NULL, version = version + 1 WHERE id = $1 AND version = $3::integer";

/* The old token's hash is returned, for the cache to forget. */
static const char TOKEN_RENEW[] =
	"UPDATE session s SET token_hash = $2::bytea, initial = false FROM session old"
	" WHERE s.id = $1 AND s.revoked_at IS NULL AND old.tenant_id = s.tenant_id AND old.id = "
	"s.id"
	" RETURNING s.id, encode(old.token_hash, 'hex')";

struct change {
	const struct auth_password_change_in *in;
	const struct actor *actor;
	const struct policy *policy;
	unsigned char subject[HASH_SIZE];
	const char *username, *tenant_code, *version;
	const char *password, *secret_hash; /* hex; NULL for none */
	bool is_bearer;
	char phc[PASSWORD_HASH_SIZE];
};

static enum err read_account(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct change *change = arg;
	change->username = columns[0];
	change->tenant_code = columns[1];
	change->version = columns[2];
	change->password = columns[3];
	change->secret_hash = columns[4];
	change->is_bearer = columns[5][0] == 't';
	return OK;
}

/* Charged like a login, and like there in a transaction of its own: a stolen session must not
 * become a way to guess the password. */
static enum err prepare(struct call *c, struct change *change)
{
	enum err e =
		db_each(c, ACCOUNT_GET, DB_ARGS(change->actor->session_id), read_account, change);
	if (!e && !change->username)
		e = fail(c, ERR_UNAUTHENTICATED, "the session is over");
	if (e)
		return e;
	throttle_subject(c, change->tenant_code, change->username, change->subject);
	e = throttle_charge(c, change->subject);
	return e ? e : db_commit(c);
}

static bool is_secret_right(struct call *c, const struct change *change)
{
	if (change->password || !change->secret_hash)
		return false;
	const char *hash = secret_hash(
		c, change->actor->tenant_id, change->actor->user_id, change->in->current_password);
	return crypto_equal(hash, change->secret_hash, 2 * HASH_SIZE);
}

static enum err verify(struct call *c, struct change *change)
{
	const char *phc = NULL;
	bool is_right = false;
	enum err e = OK;
	if (change->password)
		e = password_unseal(c, change->actor->tenant_id, change->actor->user_id,
			change->password, &phc);
	if (!e)
		e = hash_pool_verify(
			c, change->policy, phc, change->in->current_password, &is_right);
	if (e || is_right || is_secret_right(c, change))
		return e;
	return fail_field(c, "/currentPassword", "今のパスワードが正しくありません。",
		"is not the current password");
}

static enum err check_new(struct call *c, const struct change *change)
{
	const struct password_context context = {
		.policy = change->policy,
		.username = change->username,
		.tenant_code = change->tenant_code,
		.current = change->in->current_password,
	};
	return password_check(c, &context, change->in->new_password, "/newPassword");
}

static enum err set_password(struct call *c, const struct change *change)
{
	const char *sealed =
		password_seal(c, change->actor->tenant_id, change->actor->user_id, change->phc);
	enum err e = db_exec_one(
		c, PASSWORD_SET, DB_ARGS(change->actor->user_id, sealed, change->version));
	return e == ERR_NOT_FOUND ? fail(c, ERR_CONFLICT, "the account changed meanwhile") : e;
}

static enum err renew_token(
	struct call *c, const struct change *change, struct auth_password_change_out *out)
{
	const char *hash;
	const char *token = token_new(c, &hash);
	int64_t n;
	enum err e = sessions_change(c, TOKEN_RENEW, DB_ARGS(change->actor->session_id, hash), &n);
	if (!e && n == 0)
		e = fail(c, ERR_UNAUTHENTICATED, "the session is over");
	if (change->is_bearer)
		out->token = token;
	else
		out->set_cookie = token_cookie(c, token);
	return e;
}

static enum err write(
	struct call *c, const struct change *change, struct auth_password_change_out *out)
{
	db_begin(c->db, change->actor->tenant_key, true);
	enum err e = set_password(c, change);
	if (!e)
		e = sessions_end(c, change->actor->user_id, change->actor->session_id);
	if (!e)
		e = renew_token(c, change, out);
	return e ? e : throttle_clear(c, change->subject);
}

enum err auth_password_change(struct call *c, const struct auth_password_change_in *in,
	struct auth_password_change_out *out)
{
	struct change change = { .in = in, .actor = c->actor, .policy = policy_of(c->actor->role) };
	c->object_id = c->actor->user_id;
	enum err e = prepare(c, &change);
	if (!e)
		e = verify(c, &change);
	if (!e)
		e = check_new(c, &change);
	if (!e)
		e = hash_pool_make(c, change.policy, in->new_password, change.phc);
	return e ? e : write(c, &change, out);
}
