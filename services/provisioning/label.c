/*
 * The class of a single user or school class (white paper 8.2.2), as of a child whose place must
 * not become known, or of a class in which to be says something of a child: administrators raise it
 * and lower it with a reason; the rules are those of libcommon/label.h.
 *
 * Who sees it then is asked in the skeleton, here as everywhere; what belongs to it in learning
 * follows by user.changed and class.changed.
 */
#include "libcommon/label.h"

#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

static const char USER_LABEL[] =
	"SELECT label FROM provisioning.person WHERE id = $1::uuid FOR UPDATE";
static const char USER_LABEL_PUT[] =
	"UPDATE provisioning.person SET version = version + 1, label = $2 WHERE id = $1::uuid";

static const char CLASS_LABEL[] =
	"SELECT label FROM provisioning.class WHERE id = $1::uuid FOR UPDATE";
static const char CLASS_LABEL_PUT[] =
	"UPDATE provisioning.class SET version = version + 1, label = $2 WHERE id = $1::uuid";

enum err provisioning_user_label_put(struct call *c,
	const struct provisioning_user_label_put_in *in, struct provisioning_user_label *out)
{
	struct label_change change = { .of_type = provisioning_user_shape.label,
		.to = label_from_name(in->label),
		.reason = in->reason };
	enum err e = label_change_row(c, USER_LABEL, in->user_id, &change, &out->label);
	if (!e)
		e = db_exec(c, USER_LABEL_PUT, DB_ARGS(in->user_id, out->label));
	return e ? e : people_tell(c, &in->user_id, 1);
}

enum err provisioning_class_label_put(struct call *c,
	const struct provisioning_class_label_put_in *in, struct provisioning_class_label *out)
{
	struct label_change change = { .of_type = provisioning_class_shape.label,
		.to = label_from_name(in->label),
		.reason = in->reason };
	enum err e = label_change_row(c, CLASS_LABEL, in->class_id, &change, &out->label);
	if (!e)
		e = db_exec(c, CLASS_LABEL_PUT, DB_ARGS(in->class_id, out->label));
	return e ? e : classes_tell(c, &in->class_id, 1);
}
