/*
 * The class of a single try or unit (white paper 8.2.2). A pupil raises the own tries, a teacher
 * those of the own classes and units; the rules of lowering are those of libcommon/label.h.
 *
 * What a session has to have proven is asked in the skeleton, here as everywhere: nobody gives an
 * object a class that the own session may not see, or lowers one.
 */
#include "libcommon/label.h"

#include <string.h>

#include "libcommon/db.h"
#include "services/learning/learning.h"

static const struct problem CHANGED_MEANWHILE = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "label_changed",
	.ja = "分類がほかの人によって変更されました。もう一度確認してください。",
	.en = "Somebody else has changed the class meanwhile. Look again.",
};

/* Who raised it may lower it; the row is locked so that the answer holds until the change. */
static const char TRY_RAISED_BY[] = "SELECT coalesce(label_by, $2) FROM learning.try"
				    " WHERE id = $1::uuid FOR UPDATE";

static const char TRY_LABEL_PUT[] =
	"UPDATE learning.try SET label = $2, label_by = CASE WHEN $2::text IS NULL THEN NULL"
	" WHEN label_by = 'instructor' THEN label_by ELSE $3 END"
	" WHERE id = $1::uuid AND label IS NOT DISTINCT FROM $4";

static const char UNIT_LABEL[] = "SELECT label FROM learning.unit WHERE id = $1::uuid FOR UPDATE";
static const char UNIT_LABEL_PUT[] = "UPDATE learning.unit SET label = $2 WHERE id = $1::uuid";

/* The name of a class as a row keeps it: NULL for that of the type. */
static const char *raised_name(enum label label, enum label of_type)
{
	return label == of_type ? NULL : label_name(label);
}

static enum err check_try(
	struct call *c, const struct learning_try *seen, const struct learning_try_label_put_in *in)
{
	const char *role = role_name(c->actor->role), *raised_by;
	if (c->actor->role == ROLE_STUDENT && strcmp(seen->user_id, c->actor->user_id) != 0)
		return fail(c, ERR_NOT_FOUND, "try");
	enum err e = db_text(c, TRY_RAISED_BY, DB_ARGS(seen->id, role), &raised_by);
	if (e)
		return e;
	const struct label_change change = {
		.of_type = learning_try_shape.label,
		.from = label_from_name(seen->label),
		.to = label_from_name(in->label),
		.by_student = c->actor->role == ROLE_STUDENT,
		.raised_by_student = strcmp(raised_by, "student") == 0,
		.reason = in->reason,
	};
	return label_change_check(c, &change);
}

enum err learning_try_label_put(
	struct call *c, const struct learning_try_label_put_in *in, struct learning_try_label *out)
{
	struct learning_try seen = { 0 };
	int64_t changed;
	enum err e = try_find(c, in->try_id, &seen);
	if (!e)
		e = check_try(c, &seen, in);
	if (e)
		return e;
	out->label = raised_name(label_from_name(in->label), learning_try_shape.label);
	e = db_count(c, TRY_LABEL_PUT,
		DB_ARGS(seen.id, out->label, role_name(c->actor->role), seen.label), &changed);
	if (!e && !changed)
		e = fail_as(c, &CHANGED_MEANWHILE);
	return e ? e : event_try_labelled(c, seen.id);
}

enum err learning_unit_label_put(struct call *c, const struct learning_unit_label_put_in *in,
	struct learning_unit_label *out)
{
	const char *label;
	enum err e = db_text(c, UNIT_LABEL, DB_ARGS(in->unit_id), &label);
	if (e)
		return e;
	const struct label_change change = {
		.of_type = learning_unit_shape.label,
		.from = label_from_name(label),
		.to = label_from_name(in->label),
		.reason = in->reason,
	};
	e = label_change_check(c, &change);
	if (e)
		return e;
	out->label = raised_name(change.to, change.of_type);
	e = db_exec(c, UNIT_LABEL_PUT, DB_ARGS(in->unit_id, out->label));
	return e ? e : event_unit_labelled(c, in->unit_id);
}
