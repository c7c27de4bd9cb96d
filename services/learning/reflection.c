/* Reflection (動いた感じ): the pupil's own word on a try that was sent. */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "services/learning/learning.h"

static const struct problem not_submitted = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "not_submitted",
	.ja = "まだ先生に送っていません。",
	.en = "The try has not been sent to the teacher.",
};

static const char REFLECTION_PUT[] =
	"INSERT INTO learning.reflection AS r (try_id, content) VALUES ($1::uuid, $2)"
	" ON CONFLICT (tenant_id, try_id) DO UPDATE SET content = excluded.content,"
	" written_at = now()"
	" RETURNING " SEALED(
		"r.try_id", "r.content") " AS content, tenancy.stamp(r.written_at) AS written_at";

enum err learning_reflection_put(struct call *c, const struct learning_reflection_put_in *in,
	struct learning_reflection *out)
{
	struct learning_try on = { 0 };
	enum err e = try_find(c, in->try_id, &on);
	if (e)
		return e;
	if (strcmp(on.user_id, c->actor->user_id) != 0)
		return fail(c, ERR_NOT_FOUND, "try");
	if (!on.submitted_at)
		return fail_with(c, &not_submitted, "try %s", on.id);
	const char *content;
	const struct personal_place place = { .row_id = on.id, .user_id = on.user_id };
	const struct personal parts[] = { in->feeling, in->text };
	e = personal_seal_parts(c, &place, parts, 2, &content);
	if (!e)
		e = db_row(c, REFLECTION_PUT, DB_ARGS(on.id, content), &learning_reflection_shape,
			out);
	if (e)
		return e;
	const struct lesson lesson = { .kind = "reflection",
		.assignment_id = on.assignment_id,
		.try_id = on.id,
		.recipients = AUDIENCE_TEACHERS };
	return event_lesson(c, &lesson);
}
