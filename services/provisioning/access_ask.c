/* What auth was asked and nothing came of; see access_ask.h. */
#include "services/provisioning/access_ask.h"

#include <string.h>

#include "auth_proto.h"
#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"

static const char ASK[] = "INSERT INTO provisioning.access_ask (id, kind) VALUES ($1::uuid, $2)"
			  " ON CONFLICT (tenant_id, id) DO UPDATE SET asked_at = excluded.asked_at";
static const char AGREED[] = "DELETE FROM provisioning.access_ask WHERE id = $1::uuid";
static const char NEXT[] = "SELECT tenant_id, id, kind FROM provisioning.access_ask_next($1::uuid)";
static const char IS_OPEN[] = "SELECT count(*) FROM provisioning.access_ask WHERE id = $1::uuid";

/* A deleted user is out, and a user who is to be deleted is. */
static const char STATUS[] = "SELECT min(CASE WHEN EXISTS (SELECT FROM provisioning.user_erasure x"
			     "  WHERE x.tenant_id = p.tenant_id AND x.user_id = p.id) THEN "
			     "'suspended' ELSE p.status END)"
			     " FROM provisioning.person p WHERE p.id = $1::uuid";

enum err access_ask(struct call *c, const char *kind, const char *id)
{
	db_apart_begin(c);
	return db_apart_end(c, db_exec(c, ASK, DB_ARGS(id, kind)));
}

enum err access_agreed(struct call *c, const char *id)
{
	return db_exec(c, AGREED, DB_ARGS(id));
}

/* ---- making them agree ---- */

struct disagreement {
	const char *tenant_id, *id, *kind; /* NULL: there is none */
};

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct disagreement *)arg = (struct disagreement){ columns[0], columns[1], columns[2] };
	return OK;
}

static enum err tell_of_user(struct call *c, const char *id)
{
	struct auth_account_status_put_in in = { .user_id = id };
	enum err e = db_text(c, STATUS, DB_ARGS(id), &in.status);
	if (e || !in.status) /* erased meanwhile */
		return e;
	e = auth_account_status_put_call(c, &in);
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err settle(struct call *c, const struct disagreement *what)
{
	const char *open;
	enum err e = lock_hold(c, what->kind, what->id);
	if (!e)
		e = db_text(c, IS_OPEN, DB_ARGS(what->id), &open);
	if (e || *open == '0') /* the change was only slow */
		return e;
	log_event(LOG_LEVEL_WARNING, "a change of who gets in failed half way: auth is told again",
		LOG_TEXT("kind", what->kind), LOG_TEXT("id", what->id));
	e = strcmp(what->kind, ACCESS_OF_USER) == 0 ? tell_of_user(c, what->id)
						    : lifecycle_tell_access(c, what->id);
	return e ? e : access_agreed(c, what->id);
}

/* One after the other, so that one that fails holds up no other. Only the one job thread. */
enum err access_ask_run(struct call *c, bool *more)
{
	static char after[UUID_SIZE] = "00000000-0000-0000-0000-000000000000";
	struct disagreement next = { 0 };
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_each(c, NEXT, DB_ARGS(after), on_next, &next);
	if (e || !next.id)
		return e;
	memcpy(after, next.id, sizeof(after));
	e = service_enter_tenant(c, next.tenant_id);
	if (!e)
		e = settle(c, &next);
	*more = !e;
	return e;
}
