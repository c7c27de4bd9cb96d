/*
 * Proving one's password from within a session: to change it, or to do what is dangerous.
 *
 * Charged like a login, and like there in a transaction of its own: a stolen session must not
 * become a way to guess the password. Afterwards the session goes on under a new token.
 */
#include "libcommon/clock.h"
#include "services/auth/auth.h"

static const char ACCOUNT_GET[] =
	"SELECT a.login_index, t.code, a.version, encode(a.password, 'hex'), encode(a.secret_hash, "
	"'hex'),"
	" s.bearer FROM session s"
	" JOIN account a ON a.tenant_id = s.tenant_id AND a.id = s.user_id AND a.status = 'active'"
	" JOIN tenant t ON t.tenant_id = s.tenant_id"
	" WHERE s.id = $1 AND s.revoked_at IS NULL";

/* The old token's hash is returned, for the cache to forget. */
static const char TOKEN_RENEW[] =
	"UPDATE session s SET token_hash = $2::bytea, initial = false, authenticated_at = " MOMENT(
		3) " FROM session old"
		   " WHERE s.id = $1 AND s.revoked_at IS NULL AND old.tenant_id = s.tenant_id AND "
		   "old.id = s.id RETURNING s.id, encode(old.token_hash, 'hex')";

static enum err read_account(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct proof *proof = arg;
	proof->login_index = columns[0];
	proof->tenant_code = columns[1];
	proof->version = columns[2];
	proof->password = columns[3];
	proof->secret_hash = columns[4];
	proof->is_bearer = columns[5][0] == 't';
	return OK;
}

static enum err charge(struct call *c, struct proof *proof)
{
	enum err e = db_each(c, ACCOUNT_GET, DB_ARGS(c->actor->session_id), read_account, proof);
	if (!e && !proof->login_index)
		e = fail(c, ERR_UNAUTHENTICATED, "the session is over");
	if (e)
		return e;
	throttle_subject(c, proof->tenant_code, proof->login_index, proof->subject);
	e = throttle_charge(c, proof->subject);
	return e ? e : db_commit(c);
}

static bool is_secret_right(struct call *c, const struct proof *proof, const char *given)
{
	if (proof->password || !proof->secret_hash)
		return false;
	const char *hash = secret_hash(c, c->actor->tenant_id, c->actor->user_id, given);
	return crypto_equal(hash, proof->secret_hash, 2 * HASH_SIZE);
}

enum err proof_check(struct call *c, const char *given, const char *pointer, struct proof *proof)
{
	const char *phc = NULL;
	bool is_right = false;
	enum err e = charge(c, proof);
	if (!e)
		e = password_unseal(
			c, c->actor->tenant_id, c->actor->user_id, proof->password, &phc);
	if (e == ERR_NOT_FOUND)
		return fail(c, ERR_UNAUTHENTICATED, "the user is erased");
	if (!e)
		e = hash_pool_verify(c, policy_of(c->actor->role), phc, given, &is_right);
	if (e || is_right || is_secret_right(c, proof, given))
		return e;
	return fail_field(
		c, pointer, "今のパスワードが正しくありません。", "is not the current password");
}

enum err proof_renew_token(
	struct call *c, const struct proof *proof, const char **token, const char **cookie)
{
	const char *hash, *renewed = token_new(c, &hash);
	int64_t n;
	enum err e = sessions_change(c, TOKEN_RENEW,
		DB_ARGS(c->actor->session_id, hash, db_integer(c, clock_unix_ms())), &n);
	if (!e && n == 0)
		e = fail(c, ERR_UNAUTHENTICATED, "the session is over");
	if (proof->is_bearer)
		*token = renewed;
	else
		*cookie = token_cookie(c, renewed);
	return e ? e : throttle_clear(c, proof->subject);
}

enum err auth_session_step_up(struct call *c, const struct auth_session_step_up_in *in,
	struct auth_session_step_up_out *out)
{
	struct proof proof = { .login_index = NULL };
	c->object_id = c->actor->user_id;
	enum err e = proof_check(c, in->password, "/password", &proof);
	if (e)
		return e;
	db_begin(c->db, c->actor->tenant_key, true);
	return proof_renew_token(c, &proof, &out->token, &out->set_cookie);
}
