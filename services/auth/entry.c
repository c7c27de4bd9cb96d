/* What both steps of a login share: the count of attempts before, the session after. */
#include <string.h>

#include "events_proto.h"
#include "libcommon/clock.h"
#include "libcommon/outbox.h"
#include "libcommon/uuid.h"
#include "services/auth/auth.h"

/* No row when the account changed while Argon2 ran, or between the steps. */
static const char SESSION_BEGIN[] =
	"INSERT INTO session (id, user_id, token_hash, bearer, initial, created_at, last_seen_at,"
	" authenticated_at, idle_expires_at, expires_at, factors)"
	" SELECT $1::uuid, a.id, $3::bytea, $4::boolean, $5::boolean, " MOMENT(6) ", " MOMENT(
		6) ", " MOMENT(6) ", " MOMENT(7) ", " MOMENT(8) ", $10::smallint"
								" FROM account a JOIN tenant t ON "
								"t.tenant_id = a.tenant_id "
								"AND " ADMITS
								" WHERE a.id = $2::uuid AND "
								"a.version = $9::integer AND "
								"a.status = 'active'"
								" FOR UPDATE OF a FOR SHARE OF t";

/* A person has a few devices; who has a password must not be able to fill the table with it. */
static const char SESSIONS_TRIM[] = "UPDATE session SET revoked_at = " MOMENT(
	2) " WHERE id IN (SELECT s.id FROM session s"
	   " WHERE s.user_id = $1 AND s.revoked_at IS NULL ORDER BY s.created_at DESC OFFSET 50)"
	   " RETURNING id, encode(token_hash, 'hex')";

static const char SECRET_USE[] =
	"UPDATE account SET secret_used_at = coalesce(secret_used_at, " MOMENT(2) ") WHERE id = $1";

bool is_bearer(const char *delivery)
{
	return delivery && strcmp(delivery, "bearer") == 0;
}

enum err entry_charge(struct call *c, const struct entry *entry)
{
	enum err e = source_check(c, entry->subject);
	return e ? e : throttle_charge(c, entry->subject);
}

static struct actor *replace_actor(struct call *c, const struct entry *entry)
{
	struct actor *actor = arena_alloc(c->arena, sizeof *actor);
	*actor = (struct actor){
		.tenant_id = entry->tenant_id,
		.user_id = "",
		.role = ROLE_ANONYMOUS,
		.session_id = "",
		.tenant_key = entry->tenant_key,
	};
	c->actor = actor;
	return actor;
}

void entry_name(struct call *c, const struct entry *entry)
{
	replace_actor(c, entry);
	c->object_id = entry->user_id;
}

static enum err begin_session(struct call *c, struct entry *entry)
{
	const char *hash;
	int64_t now_ms = clock_unix_ms();
	entry->session_id = uuid_make(c->arena);
	entry->token = token_new(c, &hash);
	enum err e = db_exec_one(c, SESSION_BEGIN,
		DB_ARGS(entry->session_id, entry->user_id, hash, db_boolean(entry->is_bearer),
			db_boolean(entry->is_initial), db_integer(c, now_ms),
			db_integer(c, now_ms + entry->policy->idle_ms),
			db_integer(c, session_end_ms(entry->policy, now_ms)), entry->version,
			db_integer(c, entry->factors)));
	if (e == ERR_NOT_FOUND)
		return fail_with(c, &LOGIN_FAILED, "login failed");
	if (!e)
		e = sessions_change(
			c, SESSIONS_TRIM, DB_ARGS(entry->user_id, db_integer(c, now_ms)), NULL);
	if (!e && entry->is_initial)
		e = db_exec(c, SECRET_USE, DB_ARGS(entry->user_id, db_integer(c, now_ms)));
	/* A repeated login with the one-time secret ends the one before. */
	if (!e && entry->is_initial)
		e = sessions_end(c, entry->user_id, entry->session_id);
	return e;
}

static enum err tell_of_privileged(struct call *c, const struct entry *entry)
{
	if (!entry->policy->is_privileged)
		return OK;
	const struct privileged_login event = {
		.user_id = entry->user_id,
		.tenant_code = entry->tenant_code,
		.role = role_name(entry->policy->role),
		.at = clock_now_text(c->arena),
	};
	return event_emit(c, &event_privileged_login, &event);
}

static void become(struct call *c, const struct entry *entry)
{
	struct actor *actor = replace_actor(c, entry);
	actor->user_id = entry->user_id;
	actor->role = entry->policy->role;
	actor->session_id = entry->session_id;
	actor->factors = entry->factors;
	actor->initial = entry->is_initial;
}

enum err entry_complete(struct call *c, struct entry *entry)
{
	enum err e = source_ranges_check_own(c); /* only now: to others a school tells nothing */
	if (!e)
		e = begin_session(c, entry);
	if (!e)
		e = throttle_clear(c, entry->subject);
	if (!e)
		e = tell_of_privileged(c, entry);
	if (e)
		return e;
	source_note(c, entry->subject, true);
	become(c, entry);
	return OK;
}
