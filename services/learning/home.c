/* Learning's part of the home screen. */
#include <stdlib.h>

#include "libcommon/db.h"
#include "services/learning/learning.h"

static const char HOME_ASSIGNMENTS[] = DB_PLAN_ONCE
	"SELECT " ASSIGNMENT_COLUMNS
	" FROM learning.visible_assignment($1::uuid, $2::text) a ORDER BY a.id DESC LIMIT 20";

static const char HOME_WAITING[] = DB_PLAN_ONCE
	"SELECT least(count(*), 100000) FROM learning.visible_try($1::uuid, $2::text) t"
	" WHERE t.submitted_at IS NOT NULL AND t.answered_at IS NULL";

/* Who neither teaches nor learns has no classes, and so an empty part. */
enum err learning_home_part(struct call *c, struct learning_home_part_out *out)
{
	if (!(c->actor->role & (ROLE_INSTRUCTOR | ROLE_STUDENT)))
		return OK;
	enum err e = db_rows(c, HOME_ASSIGNMENTS, DB_ARGS(ACTOR(c)), &learning_assignment_shape,
		&out->assignments);
	if (e || c->actor->role != ROLE_INSTRUCTOR)
		return e;
	const char *waiting;
	e = db_text(c, HOME_WAITING, DB_ARGS(ACTOR(c)), &waiting);
	if (!e)
		out->waiting = strtoll(waiting, NULL, 10);
	return e;
}
