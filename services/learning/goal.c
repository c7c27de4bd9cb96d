/* Goals (めあて・体調): every one that a pupil writes is kept, the latest counts. */
#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

static const char GOAL_GET[] = "SELECT " SEALED("g.id",
	"g.content") " AS content, tenancy.stamp(g.written_at) AS written_at"
		     " FROM learning.visible_assignment($1::uuid, $2::text) a"
		     " JOIN learning.goal g ON g.tenant_id = a.tenant_id AND g.assignment_id = a.id"
		     " WHERE a.id = $3::uuid AND g.user_id = $1::uuid ORDER BY g.id DESC LIMIT 1";

static const char GOAL_PUT[] =
	"INSERT INTO learning.goal (id, assignment_id, user_id, content)"
	" SELECT $4::uuid, a.id, $1::uuid, $5"
	" FROM learning.visible_assignment($1::uuid, $2::text) a WHERE a.id = $3::uuid";

enum err learning_goal_get(
	struct call *c, const struct learning_goal_get_in *in, struct learning_goal *out)
{
	return db_row(c, GOAL_GET, DB_ARGS(ACTOR(c), in->assignment_id), &learning_goal_shape, out);
}

enum err learning_goal_put(
	struct call *c, const struct learning_goal_put_in *in, struct learning_goal *out)
{
	const char *id = uuid_make(c->arena), *content;
	const struct personal_place place = { .row_id = id, .user_id = c->actor->user_id };
	const struct personal parts[] = { in->goal, in->condition };
	enum err e = personal_seal_parts(c, &place, parts, 2, &content);
	if (!e)
		e = db_exec_one(c, GOAL_PUT, DB_ARGS(ACTOR(c), in->assignment_id, id, content));
	if (e)
		return e;
	const struct lesson lesson = { .kind = "submission",
		.assignment_id = in->assignment_id,
		.watchers = AUDIENCE_TEACHERS };
	e = event_lesson(c, &lesson);
	if (e)
		return e;
	return db_row(c, GOAL_GET, DB_ARGS(ACTOR(c), in->assignment_id), &learning_goal_shape, out);
}
