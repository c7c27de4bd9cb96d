/* Evaluation of a try in the three viewpoints (観点別評価): one per try, the last word counts. */
#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "services/learning/learning.h"

static const char EVALUATION_PUT[] =
	"INSERT INTO learning.evaluation AS e (try_id, evaluator_id, content)"
	" VALUES ($1::uuid, $2::uuid, $3)"
	" ON CONFLICT (tenant_id, try_id) DO UPDATE SET evaluator_id = excluded.evaluator_id,"
	" content = excluded.content, evaluated_at = now()"
	" RETURNING " SEALED("e.try_id",
		"e.content") " AS content, tenancy.stamp(e.evaluated_at) AS evaluated_at";

enum err learning_evaluation_put(struct call *c, const struct learning_evaluation_put_in *in,
	struct learning_evaluation *out)
{
	struct learning_try on = { 0 };
	enum err e = try_find(c, in->try_id, &on); /* an instructor sees submitted ones only */
	if (e)
		return e;
	const char *content;
	const struct personal_place place = { .row_id = on.id, .user_id = on.user_id };
	const struct personal parts[] = { in->knowledge_and_skills,
		in->thinking_judgement_expression, in->proactive_attitude, in->note };
	e = personal_seal_parts(c, &place, parts, sizeof(parts) / sizeof(*parts), &content);
	if (!e)
		e = db_row(c, EVALUATION_PUT, DB_ARGS(on.id, c->actor->user_id, content),
			&learning_evaluation_shape, out);
	if (!e)
		e = try_answered(c, on.id);
	if (e)
		return e;
	const struct lesson lesson = { .kind = "evaluation",
		.assignment_id = on.assignment_id,
		.try_id = on.id,
		.pupil_id = on.user_id,
		.watchers = AUDIENCE_TEACHERS };
	return event_lesson(c, &lesson);
}
