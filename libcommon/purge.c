/* Steps of a purge; see purge.h. */
#include "libcommon/purge.h"

#include "libcommon/db.h"

/* Some tenths of a second, with the foreign keys that are looked at for each row. */
#define ROWS_MAX 5000

static const char PURGE[] = "SELECT tenancy.purge($1::integer)";
static const char NOTE[] = "SELECT tenancy.purge_note($1, $2::bigint)";
static const char NOTED[] = "SELECT store, removed FROM tenancy.purge_noted()";

enum err purge_rows(struct call *c, bool *more)
{
	const char *is_more;
	enum err e = db_text(c, PURGE, DB_ARGS(db_integer(c, ROWS_MAX)), &is_more);
	*more = !e && is_more && *is_more == 't';
	return e;
}

enum err purge_note(struct call *c, const char *name, int64_t n)
{
	const char *nothing;
	return db_text(c, NOTE, DB_ARGS(name, db_integer(c, n)), &nothing);
}

enum err purge_noted(struct call *c, const struct shape *shape, void *list)
{
	return db_rows(c, NOTED, DB_NONE, shape, list);
}
