/*
 * The class of a single user (white paper 8.2.2), as of a child whose place must not become known:
 * administrators raise it and lower it with a reason; the rules are those of libcommon/label.h.
 *
 * Who sees the user then is asked in the skeleton, here as everywhere; what belongs to the user in
 * learning follows by user.changed.
 */
#include "libcommon/label.h"

#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

static const char USER_LABEL[] =
	"SELECT label FROM provisioning.person WHERE id = $1::uuid FOR UPDATE";
static const char USER_LABEL_PUT[] =
	"UPDATE provisioning.person SET version = version + 1, label = $2 WHERE id = $1::uuid";

enum err provisioning_user_label_put(struct call *c,
	const struct provisioning_user_label_put_in *in, struct provisioning_user_label *out)
{
	const char *label;
	enum err e = db_text(c, USER_LABEL, DB_ARGS(in->user_id), &label);
	if (e)
		return e;
	const struct label_change change = {
		.of_type = provisioning_user_shape.label,
		.from = label_from_name(label),
		.to = label_from_name(in->label),
		.reason = in->reason,
	};
	e = label_change_check(c, &change);
	if (e)
		return e;
	out->label = label_raised_name(change.to, change.of_type);
	e = db_exec(c, USER_LABEL_PUT, DB_ARGS(in->user_id, out->label));
	return e ? e : people_tell(c, &in->user_id, 1);
}
