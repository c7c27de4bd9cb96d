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

static const struct problem FOLLOWS = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "label_followed",
	.ja = "この児童生徒やクラスの分類より低くすることはできません。",
	.en = "It cannot be of a lower class than its pupil and their class.",
};

/* Who raised it may lower it; the row is locked so that the answer holds until the change. */
static const char TRY_LOCK[] = "SELECT id FROM learning.try WHERE id = $1::uuid FOR UPDATE";
static const char TRY_LABELS[] = "SELECT coalesce(label_by, $2), own_label, followed_label, label"
				 " FROM learning.labelled_try WHERE id = $1::uuid";

static const char TRY_LABEL_PUT[] =
	"UPDATE learning.try SET label = $2, label_by = CASE WHEN $2::text IS NULL THEN NULL"
	" WHEN label_by = 'instructor' THEN label_by ELSE $3 END WHERE id = $1::uuid";

static const char UNIT_LABEL[] = "SELECT label FROM learning.unit WHERE id = $1::uuid FOR UPDATE";
static const char UNIT_LABEL_PUT[] = "UPDATE learning.unit SET label = $2 WHERE id = $1::uuid";

/* The classes of a try: its own, that of what it follows, and the graver of the two. */
struct try_labels {
	bool raised_by_student;
	enum label own, followed, all;
};

static enum err on_labels(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct try_labels *labels = arg;
	labels->raised_by_student = strcmp(columns[0], "student") == 0;
	labels->own = label_from_name(columns[1]);
	labels->followed = label_from_name(columns[2]);
	labels->all = label_from_name(columns[3]);
	return OK;
}

static enum err lock_try(struct call *c, const char *try_id, struct try_labels *labels)
{
	const char *id;
	enum err e = db_text(c, TRY_LOCK, DB_ARGS(try_id), &id);
	return e ? e
		 : db_each(c, TRY_LABELS, DB_ARGS(try_id, role_name(c->actor->role)), on_labels,
			   labels);
}

static enum err check_try(struct call *c, const struct learning_try *seen,
	const struct learning_try_label_put_in *in, const struct try_labels *labels)
{
	const struct label_change change = {
		.of_type = learning_try_shape.label,
		.from = labels->own,
		.to = label_from_name(in->label),
		.by_student = c->actor->role == ROLE_STUDENT,
		.raised_by_student = labels->raised_by_student,
		.reason = in->reason,
	};
	if (labels->all != label_from_name(seen->label))
		return fail_as(c, &CHANGED_MEANWHILE);
	enum err e = label_change_check(c, &change);
	if (!e && labels->followed && change.to > labels->followed)
		e = fail_as(c, &FOLLOWS);
	return e;
}

enum err learning_try_label_put(
	struct call *c, const struct learning_try_label_put_in *in, struct learning_try_label *out)
{
	struct learning_try seen = { 0 };
	struct try_labels labels = { 0 };
	enum err e = try_find(c, in->try_id, &seen);
	if (!e && c->actor->role == ROLE_STUDENT && strcmp(seen.user_id, c->actor->user_id) != 0)
		e = fail(c, ERR_NOT_FOUND, "try");
	if (!e)
		e = lock_try(c, seen.id, &labels);
	if (!e)
		e = check_try(c, &seen, in, &labels);
	if (e)
		return e;
	out->label = label_raised_name(label_from_name(in->label), learning_try_shape.label);
	e = db_exec_one(c, TRY_LABEL_PUT, DB_ARGS(seen.id, out->label, role_name(c->actor->role)));
	return e ? e : event_try_labelled(c, seen.id);
}

enum err learning_unit_label_put(struct call *c, const struct learning_unit_label_put_in *in,
	struct learning_unit_label *out)
{
	struct label_change change = { .of_type = learning_unit_shape.label,
		.to = label_from_name(in->label),
		.reason = in->reason };
	enum err e = label_change_row(c, UNIT_LABEL, in->unit_id, &change, &out->label);
	if (!e)
		e = db_exec(c, UNIT_LABEL_PUT, DB_ARGS(in->unit_id, out->label));
	return e ? e : event_unit_labelled(c, in->unit_id);
}
