/*
 * The roster held for an archive: while its lines are written nobody else makes or deletes what
 * they could clash with, or refer to. A row, not a lock, so that it outlives every process; whoever
 * holds it lets go.
 */
#include <string.h>

#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

static const struct problem ROSTER_HELD = { ERR_CONFLICT, 409, "roster_held",
	"アーカイブを取り込んでいるため、いまは名簿を変えられません。終わるか、取り込みをやめてから"
	"お試しください。",
	"An archive is being taken in: try again when its roster is written, or give it up." };

/* There is one import of a contract at a time; a row of another is what nobody let go of. */
static const char HOLD[] =
	"INSERT INTO provisioning.roster_hold (import_id) VALUES ($1::uuid)"
	" ON CONFLICT (tenant_id) DO UPDATE SET import_id = excluded.import_id, since = now()";

static const char LET_GO[] = "DELETE FROM provisioning.roster_hold WHERE import_id = $1::uuid";

static const char IS_HELD[] = "SELECT count(*) FROM provisioning.roster_hold";

enum err roster_hold_check(struct call *c)
{
	const char *held;
	enum err e = db_text(c, IS_HELD, DB_NONE, &held);
	if (!e && strcmp(held, "0") != 0)
		e = fail_as(c, &ROSTER_HELD);
	return e;
}

/* Held behind those who are at it: the archive is looked through when they are done. */
enum err provisioning_roster_hold_put(
	struct call *c, const struct provisioning_roster_hold_put_in *in)
{
	if (!in->held)
		return db_exec(c, LET_GO, DB_ARGS(in->import_id));
	enum err e = lock_roster_held(c);
	return e ? e : db_exec(c, HOLD, DB_ARGS(in->import_id));
}
