/*
 * Logging in.
 *
 * Whatever is wrong - no such school, no such name, suspended, another password - is answered with
 * the same problem after the same statements and one Argon2 of the same cost. The attempt is
 * charged and committed first, so that neither a rollback nor parallel guesses escape the count,
 * and no transaction is open while Argon2 runs.
 *
 * Who has a second factor gets no session for the password, but a challenge (login_code.c).
 */
#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"
#include "services/auth/auth.h"

const struct problem LOGIN_FAILED = { ERR_UNAUTHENTICATED, 401, "login_failed",
	"学校コード、ユーザー名、パスワードのいずれかが正しくありません。",
	"The school code, the username or the password is not right." };

/* Of unknown names this share (of 256) is treated as staff, whose hash costs more: about the share
 * of staff among a school's real names. Which one a name is never changes. */
#define STAFF_SHARE 16

struct login {
	const struct auth_session_create_in *in;
	struct entry entry; /* its tenant may be one that does not exist, its user_id NULL */
	bool is_tenant;
	const char *index; /* of the login name */
	const char *password, *secret_hash; /* hex; NULL for none */
	bool is_active, is_secret_usable, has_second_factor;
	const char *phc; /* opened password */
};

static const char TENANT_FIND[] = "SELECT tenant_find($1)::text";

/* A one-time secret may be used again for ten minutes: the answer to a login can be lost. */
static const char ACCOUNT_FIND[] =
	"SELECT id, role, version,"
	" status = 'active' AND EXISTS (SELECT FROM tenant t WHERE " ADMITS "),"
	" encode(password, 'hex'),"
	" encode(secret_hash, 'hex'), coalesce(secret_expires_at > " MOMENT(
		2) " AND ("
		   "  secret_used_at IS NULL OR secret_used_at > " MOMENT(
			   2) " - interval '10 minutes'), false),"
			      " EXISTS (SELECT FROM totp t WHERE t.user_id = a.id AND "
			      "t.confirmed_at IS NOT NULL)"
			      " FROM account a WHERE login_index = $1";

/* Not when it was changed while Argon2 ran: the old one must not come back. */
static const char PASSWORD_RENEW[] =
	"UPDATE account SET password = $2::bytea WHERE id = $1 AND version = $3::integer";

/* ---- who it may be ---- */

static enum err read_account(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct login *login = arg;
	login->entry.user_id = columns[0];
	login->entry.policy = policy_of(role_from_name(columns[1]));
	login->entry.version = columns[2];
	login->is_active = columns[3][0] == 't';
	login->password = columns[4];
	login->secret_hash = columns[5];
	login->is_secret_usable = columns[6][0] == 't';
	login->has_second_factor = columns[7][0] == 't';
	return OK;
}

static const struct policy *guess_policy(const struct login *login)
{
	return policy_of(login->entry.subject[0] < STAFF_SHARE ? ROLE_INSTRUCTOR : ROLE_STUDENT);
}

/* What was typed, as it is looked for and counted. */
static enum err find_tenant(struct call *c, struct login *login)
{
	auto_secret(key, KEY_SIZE);
	struct entry *entry = &login->entry;
	enum err e = db_text(c, TENANT_FIND, DB_ARGS(login->in->tenant_code), &entry->tenant_id);
	if (e)
		return e;
	login->is_tenant = entry->tenant_id != NULL;
	if (!login->is_tenant)
		entry->tenant_id = uuid_make(c->arena);
	e = login_key_find(c, entry->tenant_id, key);
	/* Erased, and back from a backup: to others as if it had never been. */
	if (e == ERR_NOT_FOUND && login->is_tenant)
		log_event(LOG_LEVEL_WARNING, "a tenant has no login salt: it lets nobody in",
			LOG_TEXT("tenant", entry->tenant_id));
	if (e && e != ERR_NOT_FOUND)
		return e;
	login->index = login_index(c, key, login->in->username);
	throttle_subject(c, login->in->tenant_code, login->index, entry->subject);
	return OK;
}

/* Whose keys are asked for: somebody's also when nobody is there. */
static const char *whose(const struct entry *entry)
{
	return entry->user_id ? entry->user_id : entry->tenant_id;
}

static enum err find_account(struct call *c, struct login *login)
{
	struct entry *entry = &login->entry;
	entry->tenant_key = tenant_key_of(c, entry->tenant_id);
	entry->policy = guess_policy(login);
	enum err e = db_enter(c, entry->tenant_key);
	if (!e)
		e = db_each(c, ACCOUNT_FIND, DB_ARGS(login->index, db_integer(c, clock_unix_ms())),
			read_account, login);
	if (!e) /* also of who has none, or is not there: it reads salt and slot */
		e = password_unseal(
			c, entry->tenant_id, whose(entry), login->password, &login->phc);
	if (e != ERR_NOT_FOUND)
		return e;
	login->is_active = false; /* erased, and back from a backup: nor does a secret get in */
	return OK;
}

/* ---- is it them ---- */

static bool is_secret_right(struct call *c, const struct login *login)
{
	const struct entry *entry = &login->entry;
	const char *hash = secret_hash(c, entry->tenant_id, whose(entry), login->in->password);
	return login->secret_hash && !login->password && login->is_secret_usable &&
		crypto_equal(hash, login->secret_hash, 2 * HASH_SIZE);
}

static enum err verify(struct call *c, struct login *login)
{
	bool is_password_right;
	enum err e = hash_pool_verify(
		c, login->entry.policy, login->phc, login->in->password, &is_password_right);
	if (e)
		return e;
	login->entry.is_initial = is_secret_right(c, login);
	if (login->is_active && (is_password_right || login->entry.is_initial))
		return OK;
	source_note(c, login->entry.subject, false);
	return fail_with(c, &LOGIN_FAILED, "login failed");
}

/* ---- it is ---- */

/* The cost of hashes has risen since this one was made. */
static enum err renew_password(struct call *c, const struct login *login, const char **sealed)
{
	char phc[PASSWORD_HASH_SIZE];
	const struct policy *policy = login->entry.policy;
	*sealed = NULL;
	if (!login->phc ||
		!crypto_password_is_stale(login->phc, policy->passes, policy->memory_bytes))
		return OK;
	enum err e = hash_pool_make(c, policy, login->in->password, phc);
	if (!e)
		e = password_seal(c, login->entry.tenant_id, login->entry.user_id, phc, sealed);
	return e;
}

/* Either the session, or the challenge on the way to it. */
static enum err enter(struct call *c, struct login *login, struct auth_session_create_out *out)
{
	struct entry *entry = &login->entry;
	entry->is_bearer = is_bearer(login->in->delivery);
	entry->factors = 1;
	out->user_id = entry->user_id;
	out->role = role_name(entry->policy->role);
	out->must_change_password = entry->is_initial;
	if (login->has_second_factor) {
		out->challenge = challenge_make(c, entry);
		return source_ranges_check_own(c);
	}
	enum err e = entry_complete(c, entry);
	if (e)
		return e;
	if (entry->is_bearer)
		out->token = entry->token;
	else
		out->set_cookie = token_cookie(c, entry->token);
	return OK;
}

/* Everything before Argon2, in a transaction of its own. */
static enum err prepare(struct call *c, struct login *login)
{
	enum err e = find_tenant(c, login);
	if (!e)
		e = entry_charge(c, &login->entry);
	if (!e)
		e = find_account(c, login);
	return e ? e : db_commit(c);
}

enum err auth_session_create(struct call *c, const struct auth_session_create_in *in,
	struct auth_session_create_out *out)
{
	struct login login = { .in = in, .entry.tenant_code = in->tenant_code };
	const char *renewed;
	enum err e = prepare(c, &login);
	if (e)
		return e;
	if (login.is_tenant)
		entry_name(c, &login.entry);
	e = verify(c, &login);
	if (!e)
		e = renew_password(c, &login, &renewed);
	if (e)
		return e;
	db_begin(c->db, login.entry.tenant_key, true);
	e = enter(c, &login, out);
	if (!e && renewed)
		e = db_exec(c, PASSWORD_RENEW,
			DB_ARGS(login.entry.user_id, renewed, login.entry.version));
	return e;
}
