/* Learning's part of the home screen. */
#include <stdlib.h>

#include "libcommon/db.h"
#include "libcommon/label.h"
#include "services/learning/learning.h"

static const char HOME_ASSIGNMENTS[] = DB_PLAN_ONCE
	"SELECT " ASSIGNMENT_COLUMNS
	" FROM learning.visible_assignment($1::uuid, $2::text) a ORDER BY a.id DESC LIMIT 20";

/* What is shut to the session is not counted, or the number would tell of it: only that there is
 * some. */
#define REACHED "(l.label IS NULL OR l.label >= $3)"
static const char HOME_WAITING[] =
	DB_PLAN_ONCE "SELECT least(count(*) FILTER (WHERE " REACHED
		     "), 100000), count(*) FILTER (WHERE NOT " REACHED ") > 0"
		     " FROM learning.visible_try($1::uuid, $2::text) t"
		     " JOIN learning.labelled_try l ON l.tenant_id = t.tenant_id AND l.id = t.id"
		     " WHERE t.submitted_at IS NOT NULL AND t.answered_at IS NULL";

static enum err on_waiting(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct learning_home_part_out *out = arg;
	out->waiting = strtoll(columns[0], NULL, 10);
	c->hides = c->hides || columns[1][0] == 't';
	return OK;
}

/* Who neither teaches nor learns has no classes, and so an empty part. */
enum err learning_home_part(struct call *c, struct learning_home_part_out *out)
{
	if (!(c->actor->role & (ROLE_INSTRUCTOR | ROLE_STUDENT)))
		return OK;
	enum err e = db_rows(c, HOME_ASSIGNMENTS, DB_ARGS(ACTOR(c)), &learning_assignment_shape,
		&out->assignments);
	if (e || c->actor->role != ROLE_INSTRUCTOR)
		return e;
	return db_each(c, HOME_WAITING, DB_ARGS(ACTOR(c), label_reach(c)), on_waiting, out);
}
