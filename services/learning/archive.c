/* Lessons as lines of an archive; see archive.h. */
#include "services/learning/archive.h"

#include "learning_proto.h"
#include "libcommon/personal.h"

#define AFTER(key_) " ($1::uuid IS NULL OR " key_ " > $1::uuid) ORDER BY " key_ " LIMIT $2::integer"

const struct archived_type learning_archived[LEARNING_ARCHIVED_N] = {
	{ "skill", &learning_archived_skill_shape,
		"SELECT s.id, s.name, s.area, s.curriculum_code, s.points, s.position,"
		" tenancy.stamp(s.created_at) AS created_at FROM learning.skill s"
		" WHERE" AFTER("s.id") },
	/* What is still being uploaded is nobody's work yet. */
	{ "media", &learning_archived_media_shape,
		"SELECT m.id, m.uploader_id, m.uploader_role, m.size, m.content_type,"
		" tenancy.stamp(m.created_at) AS created_at,"
		" tenancy.stamp(m.completed_at) AS completed_at FROM learning.media m"
		" WHERE m.completed_at IS NOT NULL AND" AFTER("m.id") },
	{ "unit", &learning_archived_unit_shape,
		"SELECT u.id, u.title, u.description, u.label, tenancy.stamp(u.created_at) AS "
		"created_at,"
		" (SELECT coalesce(json_agg(json_strip_nulls(json_build_object("
		"  'skillId', s.skill_id, 'modelMediaId', s.model_media_id))"
		"  ORDER BY s.position, s.skill_id), '[]') FROM learning.unit_skill s"
		"  WHERE s.tenant_id = u.tenant_id AND s.unit_id = u.id) AS skills"
		" FROM learning.unit u WHERE" AFTER("u.id") },
	{ "assignment", &learning_archived_assignment_shape,
		"SELECT a.id, a.unit_id, a.class_id, a.due_on, a.created_by,"
		" tenancy.stamp(a.created_at) AS created_at FROM learning.assignment a"
		" WHERE" AFTER("a.id") },
	{ "goal", &learning_archived_goal_shape,
		"SELECT g.id, g.assignment_id, g.user_id, " SEALED(
			"g.id", "g.content") " AS content,"
					     " tenancy.stamp(g.written_at) AS written_at "
					     "FROM learning.goal g"
					     " WHERE" AFTER("g.id") },
	{ "try", &learning_archived_try_shape,
		"SELECT t.id, t.assignment_id, t.skill_id, t.user_id, t.media_id, t.shared,"
		" t.label, t.label_by,"
		" tenancy.stamp(t.created_at) AS created_at,"
		" tenancy.stamp(t.submitted_at) AS submitted_at,"
		" tenancy.stamp(t.answered_at) AS answered_at FROM learning.try t"
		" WHERE" AFTER("t.id") },
	{ "comment", &learning_archived_comment_shape,
		"SELECT k.id, k.try_id, k.author_id, k.author_role, k.position_ms, " SEALED(
			"k.id", "k.text") " AS text, tenancy.stamp(k.created_at) AS created_at"
					  " FROM learning.comment k WHERE" AFTER("k.id") },
	{ "evaluation", &learning_archived_evaluation_shape,
		"SELECT e.try_id, e.evaluator_id, " SEALED("e.try_id",
			"e.content") " AS content,"
				     " tenancy.stamp(e.evaluated_at) AS evaluated_at FROM "
				     "learning.evaluation e"
				     " WHERE" AFTER("e.try_id") },
	{ "reflection", &learning_archived_reflection_shape,
		"SELECT r.try_id, " SEALED(
			"r.try_id", "r.content") " AS content,"
						 " tenancy.stamp(r.written_at) AS written_at FROM "
						 "learning.reflection r"
						 " WHERE" AFTER("r.try_id") },
};
