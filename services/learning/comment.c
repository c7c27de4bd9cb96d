/* Comments at a moment of a try's video: the teachers' and, where the teacher shared it,
 * classmates'. */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/label.h"
#include "libcommon/personal.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

#define COMMENT_COLUMNS                                                                            \
	"k.id, k.try_id, k.author_id, " SEALED("m.id",                                             \
		"m.name") " AS name, m.label, k.author_role, k.position_ms,"                       \
			  " " SEALED("k.id",                                                       \
				  "k.text") " AS text, tenancy.stamp(k.created_at) AS created_at"  \
					    " FROM learning.comment k"                             \
					    " LEFT JOIN learning.member m ON m.tenant_id = "       \
					    "k.tenant_id "                                         \
					    "AND m.id = k.author_id"

/* What comment_list may answer; one that no list shows would be lost. */
#define COMMENTS_MAX 500

static const struct problem comments_full = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "comments_full",
	.ja = "この動画にはこれ以上コメントできません。",
	.en = "No more comments can be added to this video.",
};

/* What a pupil wrote whose class was raised is for no classmate, as that pupil is not. */
static const char COMMENT_LIST[] =
	"SELECT " COMMENT_COLUMNS
	" WHERE k.try_id = $1::uuid AND ($4 <> 'student' OR k.author_role <> 'student'"
	"  OR k.author_id = $3::uuid OR learning.is_for_pupils(m.label))"
	" ORDER BY k.position_ms, k.id LIMIT $2::integer";

static const char COMMENT_GET[] = "SELECT " COMMENT_COLUMNS " WHERE k.id = $1::uuid";

static const char COMMENT_CREATE[] =
	"INSERT INTO learning.comment (id, try_id, author_id, author_role, position_ms, text)"
	" SELECT $1::uuid, $2::uuid, $3::uuid, $4, $5::integer, $6"
	" WHERE (SELECT count(*) FROM learning.comment k WHERE k.try_id = $2::uuid) < $7::integer";

enum err learning_comment_list(struct call *c, const struct learning_comment_list_in *in,
	struct learning_comment_list_out *out)
{
	struct learning_try seen = { 0 };
	enum err e = try_find(c, in->try_id, &seen);
	if (e)
		return e;
	return db_rows(c, COMMENT_LIST, DB_ARGS(in->try_id, db_integer(c, COMMENTS_MAX), ACTOR(c)),
		&learning_comment_shape, &out->items);
}

/* Whoever writes it, it is about the pupil of the try. */
static enum err comment_add(struct call *c, const struct learning_try *on, int64_t position_ms,
	struct personal text, struct learning_comment *out)
{
	int64_t made;
	const char *sealed;
	c->object_id = uuid_make(c->arena);
	c->about.user_id = on->user_id;
	const struct personal_place place = { .row_id = c->object_id, .user_id = on->user_id };
	enum err e = personal_seal_for(c, &place, text, &sealed);
	if (!e)
		e = db_count(c, COMMENT_CREATE,
			DB_ARGS(c->object_id, on->id, ACTOR(c), db_integer(c, position_ms), sealed,
				db_integer(c, COMMENTS_MAX)),
			&made);
	if (e)
		return e;
	if (made == 0)
		return fail_with(c, &comments_full, "try %s", on->id);
	return db_row(c, COMMENT_GET, DB_ARGS(c->object_id), &learning_comment_shape, out);
}

enum err learning_comment_create(
	struct call *c, const struct learning_comment_create_in *in, struct learning_comment *out)
{
	struct learning_try on = { 0 };
	enum err e = try_find(c, in->try_id, &on);
	if (!e)
		e = comment_add(c, &on, in->position_ms, in->text, out);
	if (!e)
		e = try_answered(c, on.id);
	if (e)
		return e;
	const struct lesson lesson = { .kind = "comment",
		.assignment_id = on.assignment_id,
		.try_id = on.id,
		.position_ms = &in->position_ms,
		.pupil_id = on.user_id,
		.watchers = AUDIENCE_TEACHERS };
	return event_lesson(c, &lesson);
}

/* The own try is not a classmate's, and one that is not shared is not seen. */
enum err learning_peer_comment_create(struct call *c,
	const struct learning_peer_comment_create_in *in, struct learning_comment *out)
{
	struct learning_try on = { 0 };
	enum err e = try_find(c, in->try_id, &on);
	if (e)
		return e;
	if (strcmp(on.user_id, c->actor->user_id) == 0)
		return fail(c, ERR_FORBIDDEN, "a comment on the own try");
	e = comment_add(c, &on, in->position_ms, in->text, out);
	if (e)
		return e;
	const bool is_for_pupils = label_is_for_pupils(label_from_name(out->label));
	const struct lesson lesson = { .kind = "peer_comment",
		.assignment_id = on.assignment_id,
		.try_id = on.id,
		.position_ms = &in->position_ms,
		.pupil_id = is_for_pupils ? on.user_id : NULL,
		.recipients = AUDIENCE_TEACHERS };
	return event_lesson(c, &lesson);
}
