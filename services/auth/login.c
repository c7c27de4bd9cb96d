/*
 * Logging in.
 *
 * Whatever is wrong - no such school, no such name, suspended, another password - is answered with
 * the same problem after the same statements and one Argon2 of the same cost. The attempt is
 * charged and committed first, so that neither a rollback nor parallel guesses escape the count,
 * and no transaction is open while Argon2 runs.
 */
#include <string.h>

#include "events_proto.h"
#include "libcommon/clock.h"
#include "libcommon/outbox.h"
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
	const char *tenant_id, *tenant_key;
	bool is_tenant; /* or else the two above name one that does not exist */
	unsigned char subject[HASH_SIZE];
	/* The account; user_id is NULL when there is none. */
	const char *user_id, *username, *role, *version;
	const char *password, *secret_hash; /* hex; NULL for none */
	bool is_active, is_secret_usable;
	const struct policy *policy;
	const char *phc; /* opened password */
	const char *session_id, *token;
	bool is_initial;
};

static const char TENANT_FIND[] = "SELECT tenant_find($1)::text";

/* A one-time secret may be used again for ten minutes: the answer to a login can be lost. */
static const char ACCOUNT_FIND[] =
	"SELECT id, username, role, version,"
	" status = 'active' AND EXISTS (SELECT FROM tenant WHERE shut_at IS NULL),"
	" encode(password, 'hex'),"
	" encode(secret_hash, 'hex'), coalesce(secret_expires_at > " MOMENT(
		2) " AND ("
		   "  secret_used_at IS NULL OR secret_used_at > " MOMENT(
			   2) " - interval '10 minutes'), false)"
			      " FROM account WHERE username_key = lower($1) AND status <> "
			      "'deleted'";

/* No row when the account changed while Argon2 ran. */
static const char SESSION_BEGIN[] =
	"INSERT INTO session (id, user_id, token_hash, bearer, initial, created_at, last_seen_at,"
	" authenticated_at, idle_expires_at, expires_at)"
	" SELECT $1::uuid, a.id, $3::bytea, $4::boolean, $5::boolean, " MOMENT(6) ", " MOMENT(
		6) ", " MOMENT(6) ", " MOMENT(7) ", " MOMENT(8) " FROM account a WHERE a.id = "
								"$2::uuid AND "
								"a.version = $9::integer AND "
								"a.status = 'active'"
								" FOR UPDATE";

/* A person has a few devices; who has a password must not be able to fill the table with it. */
static const char SESSIONS_TRIM[] = "UPDATE session SET revoked_at = " MOMENT(
	2) " WHERE id IN (SELECT s.id FROM session s"
	   " WHERE s.user_id = $1 AND s.revoked_at IS NULL ORDER BY s.created_at DESC OFFSET 50)"
	   " RETURNING id, encode(token_hash, 'hex')";

static const char SECRET_USE[] =
	"UPDATE account SET secret_used_at = coalesce(secret_used_at, " MOMENT(2) ") WHERE id = $1";
static const char PASSWORD_RENEW[] = "UPDATE account SET password = $2::bytea WHERE id = $1";

/* ---- who it may be ---- */

static enum err read_account(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct login *login = arg;
	login->user_id = columns[0];
	login->username = columns[1];
	login->role = columns[2];
	login->version = columns[3];
	login->is_active = columns[4][0] == 't';
	login->password = columns[5];
	login->secret_hash = columns[6];
	login->is_secret_usable = columns[7][0] == 't';
	return OK;
}

static const struct policy *guess_policy(const struct login *login)
{
	return policy_of(login->subject[0] < STAFF_SHARE ? ROLE_INSTRUCTOR : ROLE_STUDENT);
}

static enum err find_account(struct call *c, struct login *login)
{
	enum err e = db_text(c, TENANT_FIND, DB_ARGS(login->in->tenant_code), &login->tenant_id);
	if (e)
		return e;
	login->is_tenant = login->tenant_id != NULL;
	if (!login->is_tenant)
		login->tenant_id = uuid_make(c->arena);
	login->tenant_key = tenant_key_of(c, login->tenant_id);
	e = db_enter(c, login->tenant_key);
	if (!e)
		e = db_each(c, ACCOUNT_FIND,
			DB_ARGS(login->in->username, db_integer(c, clock_unix_ms())), read_account,
			login);
	if (e)
		return e;
	login->policy =
		login->user_id ? policy_of(role_from_name(login->role)) : guess_policy(login);
	if (login->password)
		e = password_unseal(
			c, login->tenant_id, login->user_id, login->password, &login->phc);
	return e;
}

/* From here on the record of a failure belongs to the school that it was tried on. */
static void name_tenant(struct call *c, const struct login *login)
{
	struct actor *actor = arena_alloc(c->arena, sizeof *actor);
	if (!login->is_tenant)
		return;
	*actor = (struct actor){
		.tenant_id = login->tenant_id,
		.user_id = "",
		.role = ROLE_ANONYMOUS,
		.session_id = "",
		.tenant_key = login->tenant_key,
	};
	c->actor = actor;
	c->object_id = login->user_id;
}

/* ---- is it them ---- */

static bool is_secret_right(struct call *c, const struct login *login)
{
	const char *user_id = login->user_id ? login->user_id : login->tenant_id;
	const char *hash = secret_hash(c, login->tenant_id, user_id, login->in->password);
	return login->secret_hash && !login->password && login->is_secret_usable &&
		crypto_equal(hash, login->secret_hash, 2 * HASH_SIZE);
}

static enum err verify(struct call *c, struct login *login)
{
	bool is_password_right;
	enum err e = hash_pool_verify(
		c, login->policy, login->phc, login->in->password, &is_password_right);
	if (e)
		return e;
	login->is_initial = is_secret_right(c, login);
	if (login->is_active && (is_password_right || login->is_initial))
		return OK;
	source_note(c, login->subject, false);
	return fail_with(c, &LOGIN_FAILED, "login failed");
}

/* ---- they are in ---- */

/* The cost of hashes has risen since this one was made. */
static enum err renew_password(struct call *c, const struct login *login, const char **sealed)
{
	char phc[PASSWORD_HASH_SIZE];
	*sealed = NULL;
	if (!login->phc ||
		!crypto_password_is_stale(
			login->phc, login->policy->passes, login->policy->memory_bytes))
		return OK;
	enum err e = hash_pool_make(c, login->policy, login->in->password, phc);
	if (!e)
		*sealed = password_seal(c, login->tenant_id, login->user_id, phc);
	return e;
}

static enum err begin_session(struct call *c, struct login *login)
{
	const char *hash;
	int64_t now_ms = clock_unix_ms();
	bool is_bearer = login->in->delivery && strcmp(login->in->delivery, "bearer") == 0;
	login->session_id = uuid_make(c->arena);
	login->token = token_new(c, &hash);
	enum err e = db_exec_one(c, SESSION_BEGIN,
		DB_ARGS(login->session_id, login->user_id, hash, db_boolean(is_bearer),
			db_boolean(login->is_initial), db_integer(c, now_ms),
			db_integer(c, now_ms + login->policy->idle_ms),
			db_integer(c, session_end_ms(login->policy, now_ms)), login->version));
	if (e == ERR_NOT_FOUND)
		return fail_with(c, &LOGIN_FAILED, "login failed");
	if (!e)
		e = sessions_change(
			c, SESSIONS_TRIM, DB_ARGS(login->user_id, db_integer(c, now_ms)), NULL);
	if (!e && login->is_initial)
		e = db_exec(c, SECRET_USE, DB_ARGS(login->user_id, db_integer(c, now_ms)));
	/* A repeated login with the one-time secret ends the one before. */
	if (!e && login->is_initial)
		e = sessions_end(c, login->user_id, login->session_id);
	return e;
}

static enum err tell_of_privileged(struct call *c, const struct login *login)
{
	if (!login->policy->is_privileged)
		return OK;
	const struct privileged_login event = {
		.user_id = login->user_id,
		.username = login->username,
		.tenant_code = login->in->tenant_code,
		.role = login->role,
		.at = clock_now_text(c->arena),
	};
	return event_emit(c, &event_privileged_login, &event);
}

static void become(struct call *c, const struct login *login)
{
	struct actor *actor = arena_alloc(c->arena, sizeof *actor);
	*actor = (struct actor){
		.tenant_id = login->tenant_id,
		.user_id = login->user_id,
		.role = login->policy->role,
		.session_id = login->session_id,
		.initial = login->is_initial,
		.tenant_key = login->tenant_key,
	};
	c->actor = actor;
}

static enum err enter(struct call *c, struct login *login, const char *renewed)
{
	db_begin(c->db, login->tenant_key, true);
	enum err e = source_ranges_check_own(c); /* only now: to others a school tells nothing */
	if (!e)
		e = begin_session(c, login);
	if (!e && renewed)
		e = db_exec(c, PASSWORD_RENEW, DB_ARGS(login->user_id, renewed));
	if (!e)
		e = throttle_clear(c, login->subject);
	if (!e)
		e = tell_of_privileged(c, login);
	if (e)
		return e;
	source_note(c, login->subject, true);
	become(c, login);
	return OK;
}

static void answer(struct call *c, const struct login *login, struct auth_session_create_out *out)
{
	bool is_bearer = login->in->delivery && strcmp(login->in->delivery, "bearer") == 0;
	out->user_id = login->user_id;
	out->role = login->role;
	out->must_change_password = login->is_initial;
	if (is_bearer)
		out->token = login->token;
	else
		out->set_cookie = token_cookie(c, login->token);
}

/* Everything before Argon2, in a transaction of its own. */
static enum err prepare(struct call *c, struct login *login)
{
	throttle_subject(c, login->in->tenant_code, login->in->username, login->subject);
	enum err e = source_check(c, login->subject);
	if (!e)
		e = throttle_charge(c, login->subject);
	if (!e)
		e = find_account(c, login);
	return e ? e : db_commit(c);
}

enum err auth_session_create(struct call *c, const struct auth_session_create_in *in,
	struct auth_session_create_out *out)
{
	struct login login = { .in = in };
	const char *renewed;
	enum err e = prepare(c, &login);
	if (e)
		return e;
	name_tenant(c, &login);
	e = verify(c, &login);
	if (!e)
		e = renew_password(c, &login, &renewed);
	if (!e)
		e = enter(c, &login, renewed);
	if (!e)
		answer(c, &login, out);
	return e;
}
