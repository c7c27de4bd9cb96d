/*
 * The second factor of staff: setting it up, using it, doing without it again.
 *
 * It counts only once a first code has shown that the secret arrived in an app. From then on no
 * login is complete without a code, and the sessions that began without one are over.
 */
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "services/auth/auth.h"

#define RECOVERY_CODES 10
#define RECOVERY_GROUPS 6 /* 120 bit */

static const struct problem EXISTS = { ERR_CONFLICT, 409, "second_factor_exists",
	"二段階認証はすでに登録されています。変えるときは、先に解除してください。",
	"Two-step login is set up already. Remove it first to change it." };

/* ---- of whom it is wanted ---- */

static unsigned required_roles;

static const struct {
	const char *name;
	unsigned roles;
} POLICIES[] = {
	{ "staff", ROLE_OPERATOR | ROLE_CONTRACTOR | ROLE_INSTRUCTOR },
	{ "privileged", ROLE_OPERATOR | ROLE_CONTRACTOR },
};

/* `none` wants a reason behind it, so that nobody switches it off by the way. */
static bool is_none(const char *wanted)
{
	return strncmp(wanted, "none: ", 6) == 0 && wanted[6 + strspn(wanted + 6, " ")];
}

enum err second_factor_policy_read(void)
{
	const char *wanted = auth_conf.second_factor_required;
	required_roles = 0;
	for (size_t i = 0; i < sizeof POLICIES / sizeof *POLICIES; i++)
		if (strcmp(POLICIES[i].name, wanted) == 0)
			required_roles = POLICIES[i].roles;
	if (required_roles)
		return OK;
	log_event(is_none(wanted) ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
		is_none(wanted) ? "no second factor is required of anybody"
				: "is neither `staff` nor `privileged` nor `none: ` and a reason",
		LOG_TEXT("option", "second-factor-required"), LOG_TEXT("value", wanted));
	return is_none(wanted) ? OK : ERR_INVALID;
}

bool second_factor_is_required(enum role role)
{
	return required_roles & role;
}

/* ---- using it ---- */

static const char SECRET_GET[] =
	"SELECT encode(secret, 'hex') FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL";
/* Each code once, even when two come at the same time. */
static const char STEP_USE[] =
	"UPDATE totp SET last_step = $2::bigint WHERE user_id = $1 AND last_step < $2::bigint";
static const char RECOVERY_USE[] =
	"DELETE FROM recovery_code WHERE user_id = $1 AND code_hash = decode($2, 'hex')";

static enum err use_app_code(
	struct call *c, const char *tenant_id, const char *user_id, const char *code, int64_t *used)
{
	const char *sealed;
	auto_secret(secret, TOTP_SECRET_SIZE);
	enum err e = db_text(c, SECRET_GET, DB_ARGS(user_id), &sealed);
	if (!e)
		e = totp_unseal(c, tenant_id, user_id, sealed, secret);
	if (e)
		return e == ERR_NOT_FOUND ? OK : e; /* there is none, or whose it was is erased */
	int64_t step = totp_find(c->arena, secret, code, clock_unix_ms());
	return step ? db_count(c, STEP_USE, DB_ARGS(user_id, db_integer(c, step)), used) : OK;
}

enum err second_factor_use(struct call *c, const char *tenant_id, const char *user_id,
	const char *code, bool *is_right)
{
	int64_t used = 0;
	enum err e = strlen(code) == TOTP_DIGITS
		? use_app_code(c, tenant_id, user_id, code, &used)
		: db_count(c, RECOVERY_USE,
			  DB_ARGS(user_id, secret_hash(c, tenant_id, user_id, code)), &used);
	*is_right = used == 1;
	return e;
}

/* ---- what there is ---- */

static const char STATE[] =
	"SELECT EXISTS (SELECT FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL)"
	" AS enrolled, (SELECT count(*) FROM recovery_code WHERE user_id = $1)"
	" AS recovery_codes_left, $2::boolean AS required";

enum err auth_second_factor_get(struct call *c, struct auth_second_factor *out)
{
	bool is_required = second_factor_is_required(c->actor->role);
	return db_row(c, STATE, DB_ARGS(c->actor->user_id, db_boolean(is_required)),
		&auth_second_factor_shape, out);
}

/* ---- setting it up ---- */

/* One that nobody has confirmed is replaced: perhaps it never arrived. */
static const char ENROL[] =
	"INSERT INTO totp AS t (user_id, secret) VALUES ($1, $2::bytea)"
	" ON CONFLICT (tenant_id, user_id) DO UPDATE SET secret = excluded.secret"
	" WHERE t.confirmed_at IS NULL";
static const char CODE_GET[] =
	"SELECT t.code FROM account a JOIN tenant t ON t.tenant_id = a.tenant_id"
	" WHERE a.id = $1 AND a.login_index = $2";

/* What the app shall call it; auth knows a login name only when it sees one. */
static enum err check_username(struct call *c, const char *username, const char **tenant_code)
{
	auto_secret(key, KEY_SIZE);
	enum err e = login_key_of(c, c->actor->tenant_id, key);
	if (!e)
		e = db_text(c, CODE_GET, DB_ARGS(c->actor->user_id, login_index(c, key, username)),
			tenant_code);
	if (e == ERR_NOT_FOUND)
		e = fail_field(c, "/username", "ご自分のログインIDではありません。",
			"is not your own login name");
	return e;
}

enum err auth_second_factor_enrol(struct call *c, const struct auth_second_factor_enrol_in *in,
	struct auth_second_factor_enrol_out *out)
{
	auto_secret(secret, TOTP_SECRET_SIZE);
	const char *sealed, *tenant_code = NULL;
	int64_t n = 0;
	c->object_id = c->actor->user_id;
	crypto_random(secret, TOTP_SECRET_SIZE);
	enum err e = check_username(c, in->username, &tenant_code);
	if (!e)
		e = totp_seal(c, c->actor->tenant_id, c->actor->user_id, secret, &sealed);
	if (!e)
		e = db_count(c, ENROL, DB_ARGS(c->actor->user_id, sealed), &n);
	if (!e && n == 0)
		e = fail_as(c, &EXISTS);
	if (e)
		return e;
	out->secret = totp_secret_text(c->arena, secret);
	out->uri = totp_uri(c->arena, secret, tenant_code, in->username);
	return OK;
}

/* ---- recovery codes ---- */

static const char RECOVERY_FORGET[] = "DELETE FROM recovery_code WHERE user_id = $1";
static const char RECOVERY_PUT[] = "INSERT INTO recovery_code (user_id, code_hash)"
				   " SELECT $1, decode(h, 'hex') FROM unnest($2::text[]) AS h";

static enum err make_recovery_codes(struct call *c, const char ***codes, size_t *n)
{
	const char *hashes[RECOVERY_CODES];
	const char *user_id = c->actor->user_id;
	*codes = arena_array(c->arena, RECOVERY_CODES, sizeof **codes);
	*n = RECOVERY_CODES;
	for (size_t i = 0; i < RECOVERY_CODES; i++) {
		(*codes)[i] = crypto_readable_secret(c->arena, RECOVERY_GROUPS);
		hashes[i] = secret_hash(c, c->actor->tenant_id, user_id, (*codes)[i]);
	}
	enum err e = db_exec(c, RECOVERY_FORGET, DB_ARGS(user_id));
	return e ? e
		 : db_exec(c, RECOVERY_PUT,
			   DB_ARGS(user_id, db_text_array(c, hashes, RECOVERY_CODES)));
}

enum err auth_recovery_code_renew(struct call *c, struct auth_recovery_code_renew_out *out)
{
	const char *sealed;
	c->object_id = c->actor->user_id;
	enum err e = db_text(c, SECRET_GET, DB_ARGS(c->actor->user_id), &sealed);
	return e ? e : make_recovery_codes(c, &out->recovery_codes.items, &out->recovery_codes.n);
}

/* ---- confirming it ---- */

static const char PENDING_GET[] =
	"SELECT encode(t.secret, 'hex'), s.bearer FROM session s"
	" JOIN totp t ON t.tenant_id = s.tenant_id AND t.user_id = s.user_id"
	" WHERE s.id = $1 AND s.revoked_at IS NULL AND t.confirmed_at IS NULL";
static const char CONFIRM[] = "UPDATE totp SET confirmed_at = " MOMENT(
	2) ", last_step = $3::bigint WHERE user_id = $1 AND confirmed_at IS NULL";
/* Rights that grow come under a new token; the old one's hash is returned, for the cache. */
static const char FACTOR_GAIN[] =
	"UPDATE session s SET token_hash = $2::bytea, factors = 2 FROM session old"
	" WHERE s.id = $1 AND s.revoked_at IS NULL AND old.tenant_id = s.tenant_id AND"
	" old.id = s.id RETURNING s.id, encode(old.token_hash, 'hex')";

struct pending {
	const char *sealed;
	bool is_bearer;
};

static enum err read_pending(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct pending *)arg = (struct pending){ columns[0], columns[1][0] == 't' };
	return OK;
}

static enum err check_first_code(
	struct call *c, const struct pending *pending, const char *code, int64_t *step)
{
	auto_secret(secret, TOTP_SECRET_SIZE);
	enum err e =
		totp_unseal(c, c->actor->tenant_id, c->actor->user_id, pending->sealed, secret);
	if (e)
		return e;
	*step = totp_find(c->arena, secret, code, clock_unix_ms());
	return *step ? OK
		     : fail_field(c, "/code",
			       "確認コードが正しくありません。アプリに今出ている6けたの数字を入力し"
			       "てください。",
			       "is not the code that the app shows now");
}

static enum err gain_factor(
	struct call *c, bool is_bearer, struct auth_second_factor_confirm_out *out)
{
	const char *hash, *token = token_new(c, &hash);
	enum err e = sessions_end(c, c->actor->user_id, c->actor->session_id);
	if (!e)
		e = sessions_change(c, FACTOR_GAIN, DB_ARGS(c->actor->session_id, hash), NULL);
	if (is_bearer)
		out->token = token;
	else
		out->set_cookie = token_cookie(c, token);
	return e;
}

enum err auth_second_factor_confirm(struct call *c, const struct auth_second_factor_confirm_in *in,
	struct auth_second_factor_confirm_out *out)
{
	struct pending pending = { NULL, false };
	int64_t step;
	c->object_id = c->actor->user_id;
	enum err e = db_each(c, PENDING_GET, DB_ARGS(c->actor->session_id), read_pending, &pending);
	if (!e && !pending.sealed)
		e = fail(c, ERR_NOT_FOUND, "nothing is waiting to be confirmed");
	if (!e)
		e = check_first_code(c, &pending, in->code, &step);
	if (!e)
		e = db_exec_one(c, CONFIRM,
			DB_ARGS(c->actor->user_id, db_integer(c, clock_unix_ms()),
				db_integer(c, step)));
	if (!e)
		e = make_recovery_codes(c, &out->recovery_codes.items, &out->recovery_codes.n);
	return e ? e : gain_factor(c, pending.is_bearer, out);
}

/* ---- doing without it ---- */

static const char FORGET[] = "DELETE FROM totp WHERE user_id = $1";
static const char FACTOR_LOSE[] = "UPDATE session SET factors = 1 WHERE id = $1"
				  " AND revoked_at IS NULL RETURNING id, encode(token_hash, 'hex')";

enum err second_factor_forget(struct call *c, const char *user_id)
{
	return db_exec(c, FORGET, DB_ARGS(user_id));
}

enum err auth_second_factor_remove(struct call *c)
{
	const char *session_id = c->actor->session_id;
	c->object_id = c->actor->user_id;
	enum err e = db_exec_one(c, FORGET, DB_ARGS(c->actor->user_id));
	if (!e)
		e = sessions_end(c, c->actor->user_id, session_id);
	return e ? e : sessions_change(c, FACTOR_LOSE, DB_ARGS(session_id), NULL);
}

/* For somebody whose telephone is lost, and the recovery codes with it. */
enum err auth_second_factor_reset(struct call *c, const struct auth_second_factor_reset_in *in)
{
	enum err e = db_exec_one(c, FORGET, DB_ARGS(in->user_id));
	return e ? e : sessions_end(c, in->user_id, NULL);
}
