/* Function limits: what a contract, or one person, is denied. Kept here, enforced from auth's copy.
 */
#include "auth_proto.h"
#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

static const char FEATURE_LIST[] =
	"SELECT coalesce(json_agg(feature ORDER BY feature), '[]') AS denied"
	" FROM provisioning.tenant_feature";

static const char FEATURE_CLEAR[] = "DELETE FROM provisioning.tenant_feature";

static const char FEATURE_DENY[] = "INSERT INTO provisioning.tenant_feature (feature)"
				   " SELECT DISTINCT unnest($1::text[])";

static const char USER_FEATURE_LIST[] =
	"SELECT (SELECT coalesce(json_agg(f.feature ORDER BY f.feature), '[]')"
	"  FROM provisioning.person_feature f"
	"  WHERE f.tenant_id = p.tenant_id AND f.user_id = p.id) AS denied"
	" FROM provisioning.person p WHERE p.id = $1::uuid";

static const char USER_FEATURE_CLEAR[] =
	"DELETE FROM provisioning.person_feature WHERE user_id = $1::uuid";

static const char USER_FEATURE_DENY[] = "INSERT INTO provisioning.person_feature (user_id, feature)"
					" SELECT DISTINCT $1::uuid, unnest($2::text[])";

/* `user_id` NULL: for the whole contract. */
static enum err put_in_auth(
	struct call *c, const char *user_id, const struct provisioning_feature_limits *limits)
{
	const struct auth_feature_put_in in = {
		.user_id = user_id,
		.denied = { limits->denied.items, limits->denied.n },
	};
	return auth_feature_put_call(c, &in);
}

enum err provisioning_feature_list(struct call *c, struct provisioning_feature_limits *out)
{
	return db_row(c, FEATURE_LIST, DB_NONE, &provisioning_feature_limits_shape, out);
}

/* Replaced as a whole: what the list lacks is allowed again. */
enum err provisioning_feature_put(struct call *c, const struct provisioning_feature_put_in *in,
	struct provisioning_feature_limits *out)
{
	enum err e = db_exec(c, FEATURE_CLEAR, DB_NONE);
	if (!e)
		e = db_exec(
			c, FEATURE_DENY, DB_ARGS(db_text_array(c, in->denied.items, in->denied.n)));
	if (!e)
		e = provisioning_feature_list(c, out);
	return e ? e : put_in_auth(c, NULL, out);
}

enum err provisioning_user_feature_list(struct call *c,
	const struct provisioning_user_feature_list_in *in, struct provisioning_feature_limits *out)
{
	return db_row(c, USER_FEATURE_LIST, DB_ARGS(in->user_id),
		&provisioning_feature_limits_shape, out);
}

enum err provisioning_user_feature_put(struct call *c,
	const struct provisioning_user_feature_put_in *in, struct provisioning_feature_limits *out)
{
	enum err e = db_exec(c, USER_FEATURE_CLEAR, DB_ARGS(in->user_id));
	if (!e)
		e = db_exec(c, USER_FEATURE_DENY,
			DB_ARGS(in->user_id, db_text_array(c, in->denied.items, in->denied.n)));
	if (!e)
		e = db_row(c, USER_FEATURE_LIST, DB_ARGS(in->user_id),
			&provisioning_feature_limits_shape, out);
	return e ? e : put_in_auth(c, in->user_id, out);
}
