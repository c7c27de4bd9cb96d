/*
 * Who waits for whom while auth is asked: advisory locks until the end of the transaction. Unlike a
 * row lock they give the transaction no id, and what has none holds back no relay.
 */
#include <string.h>

#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

static const struct problem IMPORT_RUNNING = { ERR_CONFLICT, 409, "import_running",
	"名簿の取り込み中です。終わってからもう一度お試しください。",
	"An import is running: try again when it is over." };

static const char HOLD[] = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))";

static const char HOLD_SHARE[] =
	"SELECT pg_advisory_xact_lock_shared(hashtextextended($1::text, 0))";

/* A worker that waited for an import of thousands would be missed by everybody else. */
static const char SHARE[] =
	"SELECT pg_try_advisory_xact_lock_shared(hashtextextended($1::text, 0))::text";

const char *login_key(struct arena *arena, const char *text)
{
	char *key = arena_strdup(arena, text);
	for (char *at = key; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + 32); /* as lower() does in SQL: login names are ASCII */
	return key;
}

enum err lock_hold(struct call *c, const char *kind, const char *name)
{
	return db_later(c, HOLD,
		DB_ARGS(arena_printf(c->arena, "%s/%s/%s", c->actor->tenant_id, kind, name)));
}

static const char *legal_hold_of(struct call *c, const char *tenant_id)
{
	return arena_printf(c->arena, "%s/legal hold/", tenant_id);
}

enum err lock_legal_hold(struct call *c, const char *tenant_id)
{
	return db_later(c, HOLD, DB_ARGS(legal_hold_of(c, tenant_id)));
}

enum err lock_legal_hold_share(struct call *c)
{
	return db_later(c, HOLD_SHARE, DB_ARGS(legal_hold_of(c, c->actor->tenant_id)));
}

enum err lock_roster_held(struct call *c)
{
	return lock_hold(c, "roster", "");
}

enum err lock_roster(struct call *c)
{
	enum err e = lock_roster_held(c);
	return e ? e : roster_hold_check(c);
}

enum err lock_roster_share(struct call *c)
{
	const char *is_had;
	enum err e = db_text(c, SHARE,
		DB_ARGS(arena_printf(c->arena, "%s/roster/", c->actor->tenant_id)), &is_had);
	if (!e && strcmp(is_had, "true") != 0)
		e = fail_as(c, &IMPORT_RUNNING);
	return e ? e : roster_hold_check(c);
}
