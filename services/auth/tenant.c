/* Tenants and their first accounts, the provider's own among them. */
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/purge.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/auth/auth.h"

#define OPERATOR_CODE "manabiya"
#define OPERATOR_USERNAME "operator"

static const struct problem CODE_TAKEN = { ERR_CONFLICT, 409, "tenant_code_taken",
	"この学校コードはすでに使われています。", "This school code is taken." };
static const struct problem IN_USE = { ERR_CONFLICT, 409, "administrator_in_use",
	"管理者はすでに自分のパスワードを設定しています。",
	"The administrator has set a password already." };

static const char TENANT_FIND[] = "SELECT tenant_find($1)::text";
static const char TENANT_OPEN[] =
	"INSERT INTO tenant (code, name) VALUES ($1, $2)"
	" ON CONFLICT (tenant_id) DO UPDATE SET code = excluded.code, name = excluded.name";

/* A repetition, which may bring other names, renews the secret of an account that nobody has taken
 * into use. */
static const char ADMINISTRATOR_PUT[] =
	"INSERT INTO account AS a (id, login_index, role, secret_hash, secret_expires_at)"
	" VALUES ($1, $2, 'contractor', decode($3, 'hex'), " MOMENT(
		4) ")"
		   " ON CONFLICT (tenant_id, id) DO UPDATE SET login_index = excluded.login_index,"
		   " secret_hash = excluded.secret_hash,"
		   " secret_expires_at = excluded.secret_expires_at, secret_used_at = NULL,"
		   " version = a.version + 1 WHERE a.password IS NULL";

static const char ACCESS_PUT[] =
	"UPDATE tenant SET shut_at = CASE WHEN $1 <> 'open' THEN coalesce(shut_at, " MOMENT(
		2) ")"
		   " END, is_closed = $1 = 'closed'";

/* Those that are over already are nobody's. */
static const char SESSIONS_SHUT[] =
	"UPDATE session SET revoked_at = " MOMENT(1) " WHERE revoked_at IS NULL AND expires_at "
						     "> " MOMENT(1) " AND idle_expires_at "
								    "> " MOMENT(1) " RETURNING id, "
										   "encode(token_"
										   "hash, 'hex')";

/* What the log calls it. */
static const struct op BOOTSTRAP = { .name = "operator_bootstrap",
	.audit = { "account_change.create", 3001, 1 } };

static const char HAS_OPERATOR[] = "SELECT has_operator()";
static const char OPERATOR_PUT[] =
	"INSERT INTO account (id, login_index, role, secret_hash, secret_expires_at)"
	" VALUES ($1, $2, 'operator', decode($3, 'hex'), " MOMENT(4) ") ON CONFLICT DO NOTHING";

/* ---- customers ---- */

static enum err check_code(struct call *c, const struct auth_tenant_open_in *in)
{
	const char *owner;
	enum err e = db_text(c, TENANT_FIND, DB_ARGS(in->code), &owner);
	if (!e && owner && strcmp(owner, in->tenant_id) != 0)
		e = fail_with(c, &CODE_TAKEN, "code");
	return e;
}

static enum err put_administrator(
	struct call *c, const struct auth_tenant_open_in *in, const char *secret)
{
	auto_secret(key, KEY_SIZE);
	const char *hash = secret_hash(c, in->tenant_id, in->user_id, secret);
	enum err e = login_key_of(c, in->tenant_id, key);
	if (!e)
		e = db_exec_one(c, ADMINISTRATOR_PUT,
			DB_ARGS(in->user_id, login_index(c, key, in->username), hash,
				secret_end(c)));
	if (e == ERR_NOT_FOUND)
		return fail_with(c, &IN_USE, "administrator");
	return e ? e : sessions_end(c, in->user_id, NULL);
}

enum err auth_tenant_open(
	struct call *c, const struct auth_tenant_open_in *in, struct auth_tenant_open_out *out)
{
	out->secret = secret_new(c);
	enum err e = check_code(c, in);
	if (!e)
		e = db_enter(c, tenant_key_of(c, in->tenant_id));
	if (!e)
		e = db_exec(c, TENANT_OPEN, DB_ARGS(in->code, in->name));
	if (!e)
		e = put_administrator(c, in, out->secret);
	/* The record of this belongs to the operator who did it. */
	return e ? e : db_enter(c, c->actor->tenant_key);
}

/* What sessions of a closed contract could do, they can do more of once it is open again. */
static enum err change_sessions(struct call *c, const struct auth_tenant_access_put_in *in)
{
	if (strcmp(in->access, "open") == 0)
		return sessions_renew(c, NULL);
	return sessions_change(c, SESSIONS_SHUT, DB_ARGS(db_integer(c, clock_unix_ms())), NULL);
}

/* A login that is under way holds the tenant (entry.c): its session is begun and ended, or not
 * begun at all. */
static enum err put_access(struct call *c, const struct auth_tenant_access_put_in *in)
{
	enum err e = db_enter(c, tenant_key_of(c, in->tenant_id));
	if (!e)
		e = db_exec(c, ACCESS_PUT, DB_ARGS(in->access, db_integer(c, clock_unix_ms())));
	if (!e)
		e = change_sessions(c, in);
	/* The record of this belongs to whoever did it. */
	return e ? e : db_enter(c, c->actor->tenant_key);
}

enum err auth_tenant_access_put(struct call *c, const struct auth_tenant_access_put_in *in)
{
	if (strcmp(in->tenant_id, OPERATOR_TENANT) == 0)
		return fail(c, ERR_FORBIDDEN, "the provider's own tenant stays open");
	return put_access(c, in);
}

/* ---- the end of a tenant ---- */

enum err auth_tenant_purge(struct call *c, struct common_purge_step *out)
{
	enum err e = purge_rows(c, &out->more);
	return e ? e : purge_noted(c, &common_purged_store_shape, &out->stores);
}

/* ---- the provider ---- */

/* Until provisioning has made the tenant's keys, which it does when it starts, there is nothing to
 * find a login name by. */
static enum err make_operator(struct call *c)
{
	auto_secret(key, KEY_SIZE);
	const char *user_id = uuid_make(c->arena);
	const char *hash = secret_hash(c, OPERATOR_TENANT, user_id, auth_conf.bootstrap_secret);
	enum err e = login_key_find(c, OPERATOR_TENANT, key);
	if (e)
		return e == ERR_NOT_FOUND ? OK : e;
	e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_exec(c, TENANT_OPEN, DB_ARGS(OPERATOR_CODE, "Manabiya"));
	/* Several instances may come here at once: the unique name lets one through. */
	if (!e)
		e = db_exec(c, OPERATOR_PUT,
			DB_ARGS(user_id, login_index(c, key, OPERATOR_USERNAME), hash,
				secret_end(c)));
	if (!e)
		e = outbox_record(c, &BOOTSTRAP, user_id);
	if (!e)
		log_info("the first operator can log in with the bootstrap secret");
	return e;
}

/* Only the one job thread comes here. */
enum err tenant_bootstrap(struct call *c, bool *more)
{
	static bool is_over;
	const char *has_operator;
	if (is_over || !*auth_conf.bootstrap_secret)
		return OK;
	enum err e = db_text(c, HAS_OPERATOR, DB_NONE, &has_operator);
	if (!e && has_operator[0] != 't')
		return make_operator(c); /* the next turn sees whether it is there */
	is_over = !e;
	return e;
}
