/*
 * Noting what the log is searched by, tile by tile, behind what is appended
 * (migrations/0054_log_search.sql). Nothing waits for it: search.c looks into the tiles that are
 * not noted yet.
 */
#include <stdlib.h>

#include "libcommon/db.h"
#include "services/audit/audit.h"

#define TILES_MAX 32 /* a turn, some 80 ms */

static const char NOTE[] = "SELECT audit.note_terms($1::integer)";

enum err terms_run(struct call *c, bool *more)
{
	const char *noted;
	enum err e = db_text(c, NOTE, DB_ARGS(db_integer(c, TILES_MAX)), &noted);
	*more = !e && strtoll(noted, NULL, 10) >= TILES_MAX;
	return e;
}
