/* Tries: a pupil's own video of a skill, sent to the teacher, perhaps shown to the class. */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

static const struct problem media_unfinished = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "media_unfinished",
	.ja = "動画の送信がまだ終わっていません。",
	.en = "The video has not been uploaded completely.",
};

static const struct problem media_in_use = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "media_in_use",
	.ja = "この動画はすでに使われています。",
	.en = "The video is used already.",
};

static const char TRY_GET[] = DB_PLAN_ONCE
	"SELECT " TRY_COLUMNS " FROM learning.visible_try($1::uuid, $2::text) t" TRY_JOINS
	" WHERE t.id = $3::uuid";

/* UUIDv7: the order of ids is the order of creation. First the page, then what is shown of it. */
static const char TRY_LIST[] =
	"WITH t AS MATERIALIZED (SELECT v.tenant_id, v.id, v.assignment_id, v.skill_id, v.user_id,"
	"  v.media_id, v.shared, v.created_at, v.submitted_at"
	"  FROM learning.visible_try($1::uuid, $2::text) v"
	"  WHERE ($3::uuid IS NULL OR v.assignment_id = $3::uuid)"
	"  AND ($4::uuid IS NULL OR v.user_id = $4::uuid)"
	"  AND ($5::uuid IS NULL OR v.id < $5::uuid)"
	"  ORDER BY v.id DESC LIMIT $6::integer)"
	" SELECT " TRY_COLUMNS " FROM t" TRY_JOINS " ORDER BY t.id DESC";

/* Goal, evaluation and reflection are between the pupil and the teacher, not for classmates. */
#define NAME SEALED("m.id", "m.name")
#define GOAL SEALED("g.id", "g.content")
#define EVALUATION SEALED("e.try_id", "e.content")
#define REFLECTION SEALED("r.try_id", "r.content")
static const char TRY_DETAIL[] = DB_PLAN_ONCE
	"SELECT us.model_media_id,"
	" json_build_object('id', t.id, 'assignmentId', t.assignment_id, 'skillId', t.skill_id,"
	"  'skillName', s.name, 'userId', t.user_id, 'name', " NAME ","
	"  'mediaId', t.media_id, 'state', w.state,"
	"  'shared', t.shared, 'createdAt', tenancy.stamp(t.created_at),"
	"  'submittedAt', tenancy.stamp(t.submitted_at), 'label', w.label) AS try,"
	" (SELECT json_build_object('content', " GOAL ","
	"   'writtenAt', tenancy.stamp(g.written_at)) FROM learning.goal g"
	"  WHERE own.is_near AND g.tenant_id = t.tenant_id AND g.assignment_id = t.assignment_id"
	"   AND g.user_id = t.user_id ORDER BY g.id DESC LIMIT 1) AS goal,"
	" (SELECT json_build_object('content', " EVALUATION ","
	"   'evaluatedAt', tenancy.stamp(e.evaluated_at)) FROM learning.evaluation e"
	"  WHERE own.is_near AND e.tenant_id = t.tenant_id AND e.try_id = t.id) AS evaluation,"
	" (SELECT json_build_object('content', " REFLECTION ","
	"   'writtenAt', tenancy.stamp(r.written_at)) FROM learning.reflection r"
	"  WHERE own.is_near AND r.tenant_id = t.tenant_id AND r.try_id = t.id) AS reflection"
	" FROM learning.visible_try($1::uuid, $2::text) t" TRY_JOINS
	" CROSS JOIN LATERAL (SELECT $2::text = 'instructor' OR t.user_id = $1::uuid AS is_near)"
	" own LEFT JOIN learning.unit_skill us"
	"  ON us.tenant_id = t.tenant_id AND us.unit_id = t.unit_id AND us.skill_id = t.skill_id"
	" WHERE t.id = $3::uuid";

static const char MEDIA_STATE[] =
	"SELECT CASE WHEN m.completed_at IS NULL THEN 'unfinished'"
	" WHEN EXISTS (SELECT FROM learning.try t WHERE t.tenant_id = m.tenant_id"
	"  AND t.media_id = m.id) THEN 'used' ELSE 'free' END"
	" FROM learning.media m WHERE m.id = $1::uuid AND m.uploader_id = $2::uuid"
	" AND m.uploader_role = 'student'";

static const char TRY_CREATE[] =
	"INSERT INTO learning.try (id, assignment_id, skill_id, user_id, media_id)"
	" SELECT $3::uuid, a.id, us.skill_id, $1::uuid, $6::uuid"
	" FROM learning.visible_assignment($1::uuid, $2::text) a"
	" JOIN learning.unit_skill us ON us.tenant_id = a.tenant_id AND us.unit_id = a.unit_id"
	" WHERE a.id = $4::uuid AND us.skill_id = $5::uuid";

static const char TRY_SUBMIT[] =
	"UPDATE learning.try SET submitted_at = now()"
	" WHERE id = $1::uuid AND user_id = $2::uuid AND submitted_at IS NULL";

static const char TRY_ANSWERED[] =
	"UPDATE learning.try SET answered_at = now() WHERE id = $1::uuid AND answered_at IS NULL";

static const char TRY_SHARE[] =
	"UPDATE learning.try SET shared = $4::boolean WHERE submitted_at IS NOT NULL AND id IN"
	" (SELECT t.id FROM learning.visible_try($1::uuid, $2::text) t WHERE t.id = $3::uuid)";

enum err try_find(struct call *c, const char *try_id, struct learning_try *out)
{
	return db_row(c, TRY_GET, DB_ARGS(ACTOR(c), try_id), &learning_try_shape, out);
}

enum err try_answered(struct call *c, const char *try_id)
{
	return db_exec(c, TRY_ANSWERED, DB_ARGS(try_id));
}

enum err learning_try_list(
	struct call *c, const struct learning_try_list_in *in, struct learning_try_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, TRY_LIST,
			DB_ARGS(ACTOR(c), in->assignment_id, in->user_id, page.after[0], page.rows),
			&learning_try_shape, &out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return e;
}

enum err learning_try_get(
	struct call *c, const struct learning_try_get_in *in, struct learning_try_detail *out)
{
	return db_row(
		c, TRY_DETAIL, DB_ARGS(ACTOR(c), in->try_id), &learning_try_detail_shape, out);
}

static enum err check_media(struct call *c, const char *media_id)
{
	const char *state;
	enum err e = db_text(c, MEDIA_STATE, DB_ARGS(media_id, c->actor->user_id), &state);
	if (e)
		return e;
	if (strcmp(state, "unfinished") == 0)
		return fail_with(c, &media_unfinished, "video %s", media_id);
	if (strcmp(state, "used") == 0)
		return fail_with(c, &media_in_use, "video %s", media_id);
	return OK;
}

enum err learning_try_create(
	struct call *c, const struct learning_try_create_in *in, struct learning_try *out)
{
	enum err e = check_media(c, in->media_id);
	if (e)
		return e;
	c->object_id = uuid_make(c->arena);
	c->about.user_id = c->actor->user_id;
	e = db_exec_one(c, TRY_CREATE,
		DB_ARGS(ACTOR(c), c->object_id, in->assignment_id, in->skill_id, in->media_id));
	if (e)
		return e;
	const struct lesson lesson = { .kind = "submission",
		.assignment_id = in->assignment_id,
		.watchers = AUDIENCE_TEACHERS };
	e = event_lesson(c, &lesson);
	return e ? e : try_find(c, c->object_id, out);
}

enum err learning_try_submit(
	struct call *c, const struct learning_try_submit_in *in, struct learning_try *out)
{
	int64_t sent;
	enum err e = db_count(c, TRY_SUBMIT, DB_ARGS(in->try_id, c->actor->user_id), &sent);
	if (!e)
		e = try_find(c, in->try_id, out);
	/* Somebody else's try that is shared can be seen, but not sent. */
	if (!e && strcmp(out->user_id, c->actor->user_id) != 0)
		e = fail(c, ERR_NOT_FOUND, "try");
	if (e || sent == 0)
		return e;
	const struct lesson lesson = { .kind = "submission",
		.assignment_id = out->assignment_id,
		.try_id = out->id,
		.recipients = AUDIENCE_TEACHERS };
	return event_lesson(c, &lesson);
}

enum err learning_try_sharing_put(struct call *c, const struct learning_try_sharing_put_in *in)
{
	enum err e =
		db_exec_one(c, TRY_SHARE, DB_ARGS(ACTOR(c), in->try_id, db_boolean(in->shared)));
	return e ? e : event_try_shared(c, in->try_id);
}
