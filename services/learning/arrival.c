/*
 * Lessons of an archive on their way in; see arrival.h. What is about a pupil is sealed under that
 * pupil's key as when it was written, and every video gets a key of its own, as a new one does.
 */
#include "services/learning/arrival.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"

#define LEFT_ALONE " ON CONFLICT DO NOTHING"

static const char SKILL_PUT[] =
	"INSERT INTO learning.skill (id, name, area, curriculum_code, points, position, created_at)"
	" VALUES ($1::uuid, $2, $3, $4, $5, $6::integer, $7::timestamptz)" LEFT_ALONE;

/* The last byte arrived where it comes from: that is when it will have been completed. */
static const char MEDIA_PUT[] =
	"INSERT INTO learning.media (id, uploader_id, uploader_role, size, content_type,"
	" created_at, appended_at, sealed_key) VALUES ($1::uuid, $2::uuid, $3, $4::bigint, $5,"
	" $6::timestamptz, $7::timestamptz, $8)" LEFT_ALONE;

static const char UNIT_PUT[] = "INSERT INTO learning.unit (id, title, description, created_at,"
			       " label) VALUES ($1::uuid, $2, $3, $4::timestamptz, $5)" LEFT_ALONE;

static const char UNIT_SKILL_PUT[] =
	"INSERT INTO learning.unit_skill (unit_id, skill_id, position, model_media_id)"
	" VALUES ($1::uuid, $2::uuid, $3::integer, $4::uuid)" LEFT_ALONE;

static const char ASSIGNMENT_PUT[] =
	"INSERT INTO learning.assignment (id, unit_id, class_id, due_on, created_by, created_at)"
	" VALUES ($1::uuid, $2::uuid, $3::uuid, $4::date, $5::uuid, $6::timestamptz)" LEFT_ALONE;

static const char GOAL_PUT[] =
	"INSERT INTO learning.goal (id, assignment_id, user_id, content, written_at)"
	" VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5::timestamptz)" LEFT_ALONE;

static const char TRY_PUT[] =
	"INSERT INTO learning.try (id, assignment_id, skill_id, user_id, media_id, shared,"
	" created_at, submitted_at, answered_at, label, label_by) VALUES ($1::uuid, $2::uuid,"
	" $3::uuid, $4::uuid, $5::uuid, $6::boolean, $7::timestamptz, $8::timestamptz,"
	" $9::timestamptz, $10, $11)" LEFT_ALONE;

static const char COMMENT_PUT[] =
	"INSERT INTO learning.comment (id, try_id, author_id, author_role, position_ms, text,"
	" created_at) VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5::integer, $6,"
	" $7::timestamptz)" LEFT_ALONE;

static const char EVALUATION_PUT[] =
	"INSERT INTO learning.evaluation (try_id, evaluator_id, content, evaluated_at)"
	" VALUES ($1::uuid, $2::uuid, $3, $4::timestamptz)" LEFT_ALONE;

static const char REFLECTION_PUT[] = "INSERT INTO learning.reflection (try_id, content, written_at)"
				     " VALUES ($1::uuid, $2, $3::timestamptz)" LEFT_ALONE;

static const char PUPILS[] =
	"SELECT g.nth - 1, t.user_id FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, nth)"
	" JOIN learning.try t ON t.id = g.id";

/* ---- what clashes, and what a table refuses ---- */

static const struct arrival_clash SKILL_CLASHES[] = { ARRIVAL_ID_CLASH("learning.skill", "id"),
	{ 0 } };
static const struct arrival_clash MEDIA_CLASHES[] = { ARRIVAL_ID_CLASH("learning.media", "id"),
	{ 0 } };
static const struct arrival_clash UNIT_CLASHES[] = { ARRIVAL_ID_CLASH("learning.unit", "id"),
	{ 0 } };
static const struct arrival_clash ASSIGNMENT_CLASHES[] = {
	ARRIVAL_ID_CLASH("learning.assignment", "id"), { 0 }
};
static const struct arrival_clash GOAL_CLASHES[] = { ARRIVAL_ID_CLASH("learning.goal", "id"),
	{ 0 } };
static const struct arrival_clash TRY_CLASHES[] = { ARRIVAL_ID_CLASH("learning.try", "id"), { 0 } };
static const struct arrival_clash COMMENT_CLASHES[] = { ARRIVAL_ID_CLASH("learning.comment", "id"),
	{ 0 } };

static const struct arrival_reason *try_fault(const void *row)
{
	static const struct arrival_reason unsent = { "shared_unsent",
		"提出していない試技は公開できません。",
		"What was not submitted cannot be shared." };
	static const struct arrival_reason raised = { "label_unfit",
		"情報の分類の内容が正しくありません。",
		"The class that it was raised to does not fit." };
	const struct learning_archived_try *try = row;
	if (!try->label != !try->label_by || (try->label && strcmp(try->label, "III") == 0))
		return &raised;
	return try->shared && !try->submitted_at ? &unsent : NULL;
}

/* ---- units ---- */

static enum err put_skills(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct learning_archived_skill *row = arrival_at(arrivals, i);
		e = db_later(c, SKILL_PUT,
			DB_ARGS(row->id, row->name, row->area, row->curriculum_code, row->points,
				db_integer(c, row->position), row->created_at));
	}
	return e;
}

static enum err put_unit(struct call *c, const struct learning_archived_unit *row)
{
	enum err e = db_later(c, UNIT_PUT,
		DB_ARGS(row->id, row->title, row->description, row->created_at, row->label));
	for (size_t i = 0; i < row->skills.n && !e; i++)
		e = db_later(c, UNIT_SKILL_PUT,
			DB_ARGS(row->id, row->skills.items[i].skill_id, db_integer(c, (int64_t)i),
				row->skills.items[i].model_media_id));
	return e;
}

static enum err put_units(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_unit(c, arrival_at(arrivals, i));
	return e;
}

static enum err put_assignments(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct learning_archived_assignment *row = arrival_at(arrivals, i);
		e = db_later(c, ASSIGNMENT_PUT,
			DB_ARGS(row->id, row->unit_id, row->class_id, row->due_on, row->created_by,
				row->created_at));
	}
	return e;
}

/* ---- videos ---- */

static enum err put_video(struct call *c, const struct learning_archived_media *row)
{
	const char *key;
	bool is_of_pupil = strcmp(row->uploader_role, "student") == 0;
	const struct personal_place place = { .row_id = row->id,
		.user_id = is_of_pupil ? row->uploader_id : NULL };
	enum err e = media_key_make(c, &media_key_kind, &place, &key);
	return e ? e
		 : db_later(c, MEDIA_PUT,
			   DB_ARGS(row->id, row->uploader_id, row->uploader_role,
				   db_integer(c, row->size), row->content_type, row->created_at,
				   row->completed_at, key));
}

static enum err put_media(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_video(c, arrival_at(arrivals, i));
	return e;
}

/* ---- what pupils did ---- */

static enum err put_goal(struct call *c, const struct learning_archived_goal *row)
{
	const char *content;
	const struct personal_place place = { .row_id = row->id, .user_id = row->user_id };
	const struct personal parts[] = { row->goal, row->condition };
	enum err e = personal_seal_parts(c, &place, parts, 2, &content);
	return e ? e
		 : db_later(c, GOAL_PUT,
			   DB_ARGS(row->id, row->assignment_id, row->user_id, content,
				   row->written_at));
}

static enum err put_goals(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_goal(c, arrival_at(arrivals, i));
	return e;
}

static enum err put_tries(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct learning_archived_try *row = arrival_at(arrivals, i);
		e = db_later(c, TRY_PUT,
			DB_ARGS(row->id, row->assignment_id, row->skill_id, row->user_id,
				row->media_id, db_boolean(row->shared), row->created_at,
				row->submitted_at, row->answered_at, row->label, row->label_by));
	}
	return e;
}

/* ---- what was said of tries: sealed for the pupil whose try it is ---- */

static enum err on_pupil(struct call *c, void *arg, const char *const *columns, size_t n)
{
	((const char **)arg)[strtoul(columns[0], NULL, 10)] = arena_strdup(c->arena, columns[1]);
	return OK;
}

/* The pupils of the tries that the lines name in a member; each of them is there. */
static enum err find_pupils(
	struct call *c, const struct arrivals *arrivals, const char *member, const char ***out)
{
	const struct field *field = shape_find(arrivals->shape, PLACE_BODY, member);
	const char **tries = arena_array(c->arena, arrivals->n, sizeof(*tries));
	const char **pupils = arena_array(c->arena, arrivals->n, sizeof(*pupils));
	for (size_t i = 0; i < arrivals->n; i++)
		memcpy(&tries[i], (const char *)arrival_at(arrivals, i) + field->offset,
			sizeof(tries[i]));
	*out = pupils;
	enum err e =
		db_each(c, PUPILS, DB_ARGS(db_text_array(c, tries, arrivals->n)), on_pupil, pupils);
	for (size_t i = 0; i < arrivals->n && !e; i++)
		if (!pupils[i])
			e = fail(c, ERR_INVALID, "there is no try %s", tries[i]);
	return e;
}

static enum err put_comment(
	struct call *c, const struct learning_archived_comment *row, const char *pupil)
{
	const char *text;
	const struct personal_place place = { .row_id = row->id, .user_id = pupil };
	enum err e = personal_seal_for(c, &place, row->text, &text);
	return e ? e
		 : db_later(c, COMMENT_PUT,
			   DB_ARGS(row->id, row->try_id, row->author_id, row->author_role,
				   db_integer(c, row->position_ms), text, row->created_at));
}

static enum err put_comments(struct call *c, const struct arrivals *arrivals)
{
	const char **pupils;
	enum err e = find_pupils(c, arrivals, "tryId", &pupils);
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_comment(c, arrival_at(arrivals, i), pupils[i]);
	return e;
}

static enum err put_evaluation(
	struct call *c, const struct learning_archived_evaluation *row, const char *pupil)
{
	const char *content;
	const struct personal_place place = { .row_id = row->try_id, .user_id = pupil };
	const struct personal parts[] = { row->knowledge_and_skills,
		row->thinking_judgement_expression, row->proactive_attitude, row->note };
	enum err e =
		personal_seal_parts(c, &place, parts, sizeof(parts) / sizeof(*parts), &content);
	return e ? e
		 : db_later(c, EVALUATION_PUT,
			   DB_ARGS(row->try_id, row->evaluator_id, content, row->evaluated_at));
}

static enum err put_evaluations(struct call *c, const struct arrivals *arrivals)
{
	const char **pupils;
	enum err e = find_pupils(c, arrivals, "tryId", &pupils);
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_evaluation(c, arrival_at(arrivals, i), pupils[i]);
	return e;
}

static enum err put_reflection(
	struct call *c, const struct learning_archived_reflection *row, const char *pupil)
{
	const char *content;
	const struct personal_place place = { .row_id = row->try_id, .user_id = pupil };
	const struct personal parts[] = { row->feeling, row->text };
	enum err e = personal_seal_parts(c, &place, parts, 2, &content);
	return e ? e : db_later(c, REFLECTION_PUT, DB_ARGS(row->try_id, content, row->written_at));
}

static enum err put_reflections(struct call *c, const struct arrivals *arrivals)
{
	const char **pupils;
	enum err e = find_pupils(c, arrivals, "tryId", &pupils);
	for (size_t i = 0; i < arrivals->n && !e; i++)
		e = put_reflection(c, arrival_at(arrivals, i), pupils[i]);
	return e;
}

/* ---- all types ---- */

static const struct arrival_type TYPES[] = {
	{ "skill", &learning_archived_skill_shape, SKILL_CLASHES, put_skills, NULL },
	{ "media", &learning_archived_media_shape, MEDIA_CLASHES, put_media, NULL },
	{ "unit", &learning_archived_unit_shape, UNIT_CLASHES, put_units, NULL },
	{ "assignment", &learning_archived_assignment_shape, ASSIGNMENT_CLASHES, put_assignments,
		NULL },
	{ "goal", &learning_archived_goal_shape, GOAL_CLASHES, put_goals, NULL },
	{ "try", &learning_archived_try_shape, TRY_CLASHES, put_tries, try_fault },
	{ "comment", &learning_archived_comment_shape, COMMENT_CLASHES, put_comments, NULL },
	{ "evaluation", &learning_archived_evaluation_shape, NULL, put_evaluations, NULL },
	{ "reflection", &learning_archived_reflection_shape, NULL, put_reflections, NULL },
};

enum err arrival_write(struct call *c, const struct arrival_lines *lines, struct arrivals *out)
{
	return arrivals_take(c, TYPES, sizeof(TYPES) / sizeof(*TYPES), lines, out);
}
