/* Sessions as their owner sees them. How they begin is in login.c, what they are good for in
 * token.c. */
#include <string.h>

#include "libcommon/clock.h"
#include "services/auth/auth.h"

#define CLEARED_COOKIE "__Host-sid=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"

#define RETURNING_CHANGED " RETURNING id, encode(token_hash, 'hex')"

static const char REVOKE_ONE[] = "UPDATE session SET revoked_at = " MOMENT(
	3) " WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL" RETURNING_CHANGED;

static const char REVOKE_OTHERS[] =
	"UPDATE session SET revoked_at = " MOMENT(3) " WHERE user_id = $1 AND revoked_at IS NULL "
						     "AND id IS DISTINCT FROM $2" RETURNING_CHANGED;

static const char SESSION_LIST[] =
	"SELECT id, tenancy.stamp(created_at) AS created_at,"
	" tenancy.stamp(last_seen_at) AS last_seen_at,"
	" tenancy.stamp(least(idle_expires_at, expires_at)) AS expires_at, id = $2 AS current"
	" FROM session WHERE user_id = $1 AND revoked_at IS NULL"
	" AND idle_expires_at > " MOMENT(3) " AND expires_at > " MOMENT(
		3) " ORDER BY created_at DESC, id DESC LIMIT 200"; /* maxItems of the schema */

static const char SELF[] =
	"SELECT s.user_id, s.tenant_id, t.code AS tenant_code, t.name AS tenant_name,"
	" a.role, s.initial AS must_change_password, s.factors,"
	" $2::boolean AS second_factor_required, $3::boolean AS contract_closed,"
	" tenancy.stamp(least(s.idle_expires_at, s.expires_at)) AS expires_at"
	" FROM session s"
	" JOIN account a ON a.tenant_id = s.tenant_id AND a.id = s.user_id"
	" JOIN tenant t ON t.tenant_id = s.tenant_id"
	" WHERE s.id = $1 AND s.revoked_at IS NULL";

static const char EXPIRE[] = "SELECT expire()";

static const char *now_text(struct call *c)
{
	return db_integer(c, clock_unix_ms());
}

enum err sessions_end(struct call *c, const char *user_id, const char *but_session_id)
{
	return sessions_change(
		c, REVOKE_OTHERS, DB_ARGS(user_id, but_session_id, now_text(c)), NULL);
}

enum err auth_session_list(struct call *c, struct auth_session_list_out *out)
{
	return db_rows(c, SESSION_LIST,
		DB_ARGS(c->actor->user_id, c->actor->session_id, now_text(c)), &auth_session_shape,
		&out->items);
}

static void list_features(struct call *c, struct auth_self *out)
{
	out->features.items = arena_array(c->arena, 8 * sizeof(unsigned), sizeof(const char *));
	for (unsigned bit = 1; *feature_name(bit); bit <<= 1)
		if (!(c->actor->denied & bit))
			out->features.items[out->features.n++] = feature_name(bit);
}

enum err auth_session_get(struct call *c, struct auth_self *out)
{
	enum err e = db_row(c, SELF,
		DB_ARGS(c->actor->session_id, db_boolean(c->actor->needs_second_factor),
			db_boolean(c->actor->closed)),
		&auth_self_shape, out);
	if (e == ERR_NOT_FOUND)
		return fail(c, ERR_UNAUTHENTICATED, "the session is over");
	if (!e)
		list_features(c, out);
	return e;
}

static enum err revoke(struct call *c, const char *session_id, int64_t *n)
{
	return sessions_change(
		c, REVOKE_ONE, DB_ARGS(session_id, c->actor->user_id, now_text(c)), n);
}

enum err auth_session_revoke(struct call *c, const struct auth_session_revoke_in *in)
{
	int64_t n;
	enum err e = revoke(c, in->session_id, &n);
	if (!e && n == 0)
		e = fail(c, ERR_NOT_FOUND, "no such session");
	return e;
}

enum err auth_session_end(struct call *c, struct auth_session_end_out *out)
{
	out->set_cookie = CLEARED_COOKIE;
	out->clear_site_data = "\"cache\", \"cookies\", \"storage\"";
	c->object_id = c->actor->user_id;
	return revoke(c, c->actor->session_id, NULL);
}

enum err session_expire(struct call *c, bool *more)
{
	const char *gone;
	return db_text(c, EXPIRE, DB_NONE, &gone);
}
