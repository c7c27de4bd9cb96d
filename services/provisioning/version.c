/* Versions: a change is made only to what its caller has read. */
#include <string.h>

#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

static const struct problem STALE = { ERR_CONFLICT, 412, "stale",
	"ほかの人が先に変更しました。読み直してください。",
	"Somebody changed it in between: read it again." };

enum err version_check(struct call *c, const char *sql, const char *id, const char *if_match)
{
	const char *version;
	enum err e = db_text(c, sql, DB_ARGS(id), &version);
	if (e)
		return e;
	const char *etag = arena_printf(c->arena, "\"v%s\"", version);
	return strcmp(etag, if_match) == 0 ? OK : fail_with(c, &STALE, "now %s", etag);
}
