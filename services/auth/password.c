/* Changing one's own password. The session that does it goes on under a new token; all others
 * end. */
#include "services/auth/auth.h"

/* No row when somebody else changed the account meanwhile. */
static const char PASSWORD_SET[] =
	"UPDATE account SET password = $2::bytea, secret_hash = NULL, secret_expires_at = NULL,"
	" secret_used_at = NULL, version = version + 1 WHERE id = $1 AND version = $3::integer";

static enum err check_new(
	struct call *c, const struct auth_password_change_in *in, const struct proof *proof)
{
	auto_secret(key, KEY_SIZE);
	enum err e = login_key_of(c, c->actor->tenant_id, key);
	if (e)
		return e;
	const struct password_context context = {
		.policy = policy_of(c->actor->role),
		.login_key = key,
		.login_index = proof->login_index,
		.tenant_code = proof->tenant_code,
		.current = in->current_password,
	};
	return password_check(c, &context, in->new_password, "/newPassword");
}

static enum err set_password(struct call *c, const struct proof *proof, const char *phc)
{
	const char *sealed;
	enum err e = password_seal(c, c->actor->tenant_id, c->actor->user_id, phc, &sealed);
	if (e)
		return e;
	e = db_exec_one(c, PASSWORD_SET, DB_ARGS(c->actor->user_id, sealed, proof->version));
	return e == ERR_NOT_FOUND ? fail(c, ERR_CONFLICT, "the account changed meanwhile") : e;
}

enum err auth_password_change(struct call *c, const struct auth_password_change_in *in,
	struct auth_password_change_out *out)
{
	struct proof proof = { .login_index = NULL };
	char phc[PASSWORD_HASH_SIZE];
	c->object_id = c->actor->user_id;
	enum err e = proof_check(c, in->current_password, "/currentPassword", &proof);
	if (!e)
		e = check_new(c, in, &proof);
	if (!e)
		e = hash_pool_make(c, policy_of(c->actor->role), in->new_password, phc);
	if (e)
		return e;
	db_begin(c->db, c->actor->tenant_key, true);
	e = set_password(c, &proof, phc);
	if (!e)
		e = sessions_end(c, c->actor->user_id, c->actor->session_id);
	return e ? e : proof_renew_token(c, &proof, &out->token, &out->set_cookie);
}
