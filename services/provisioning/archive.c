/* What an archive of the tenant holds of schools, people, classes and what they are denied. */
#include "libcommon/archive.h"
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

/* What is on its way out (status deleted) is left out: it is gone with its transaction. */
static const struct archived_type TYPES[] = {
	{ "org", &provisioning_archived_org_shape,
		"SELECT o.id, o.name, o.type, tenancy.stamp(o.created_at) AS created_at"
		" FROM provisioning.org o WHERE ($1::uuid IS NULL OR o.id > $1::uuid)"
		" ORDER BY o.id LIMIT $2::integer" },
	{ "user", &provisioning_archived_user_shape,
		"SELECT p.id, " SEALED("p.id", "p.login") " AS username, p.role, " SEALED(
			"p.id", "p.name") " AS name, p.grade, p.label,"
					  " " PERSON_STATUS
					  " AS status, tenancy.stamp(p.created_at) AS created_at "
					  "FROM provisioning.person p"
					  " WHERE p.status <> 'deleted' AND ($1::uuid IS NULL OR "
					  "p.id > $1::uuid)"
					  " ORDER BY p.id LIMIT $2::integer" },
	{ "class", &provisioning_archived_class_shape,
		"SELECT k.id, k.org_id, k.title, k.grade, k.status, k.label,"
		" tenancy.stamp(k.created_at) AS created_at FROM provisioning.class k"
		" WHERE k.status <> 'deleted' AND ($1::uuid IS NULL OR k.id > $1::uuid)"
		" ORDER BY k.id LIMIT $2::integer" },
	{ "enrollment", &provisioning_archived_enrollment_shape,
		"SELECT e.id, e.class_id, e.user_id, e.role, e.is_primary AS primary, e.begin_date,"
		" e.end_date, e.status FROM provisioning.enrollment e"
		" WHERE e.status <> 'deleted' AND ($1::uuid IS NULL OR e.id > $1::uuid)"
		" ORDER BY e.id LIMIT $2::integer" },
	/* For other systems, which have roles in schools, and courses that classes are of. */
	{ "roster_org", &provisioning_roster_org_shape,
		"SELECT o.id, o.name, o.type, (SELECT d.id FROM provisioning.org d"
		"  WHERE d.tenant_id = o.tenant_id AND d.type = 'district' AND o.type <> "
		"'district')"
		"  AS parent_id, EXISTS (SELECT FROM provisioning.class k"
		"  WHERE k.tenant_id = o.tenant_id AND k.org_id = o.id AND k.status <> 'deleted')"
		"  AS has_classes FROM provisioning.org o WHERE ($1::uuid IS NULL OR o.id > "
		"$1::uuid)"
		" ORDER BY o.id LIMIT $2::integer" },
	{ "roster_role", &provisioning_roster_role_shape,
		"SELECT p.id AS user_id, p.role, coalesce("
		" (SELECT json_agg(s.org_id ORDER BY s.org_id) FROM (SELECT DISTINCT k.org_id"
		"   FROM provisioning.enrollment e JOIN provisioning.class k"
		"    ON k.tenant_id = e.tenant_id AND k.id = e.class_id"
		"   WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id AND e.status = 'active'"
		"    AND p.role <> 'contractor' ORDER BY k.org_id LIMIT 500) s),"
		" (SELECT json_agg(d.id) FROM provisioning.org d"
		"   WHERE d.tenant_id = p.tenant_id AND d.type = 'district')) AS org_ids"
		" FROM provisioning.person p"
		" WHERE p.status <> 'deleted' AND ($1::uuid IS NULL OR p.id > $1::uuid)"
		" ORDER BY p.id LIMIT $2::integer" },
	/* They are told of those in use only. */
	{ "roster_enrollment", &provisioning_roster_enrollment_shape,
		"SELECT e.id, e.class_id, k.org_id, e.user_id, e.role, e.is_primary AS primary,"
		" e.begin_date, e.end_date FROM provisioning.enrollment e"
		" JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id"
		" WHERE e.status = 'active' AND ($1::uuid IS NULL OR e.id > $1::uuid)"
		" ORDER BY e.id LIMIT $2::integer" },
	/* The contract's own last, so that a cursor always names a user. */
	{ "feature", &provisioning_archived_feature_shape,
		"SELECT f.user_id, json_agg(f.feature ORDER BY f.feature) AS denied FROM ("
		" SELECT p.user_id, p.feature FROM provisioning.person_feature p"
		"  WHERE $1::uuid IS NULL OR p.user_id > $1::uuid"
		" UNION ALL SELECT NULL, t.feature FROM provisioning.tenant_feature t) f"
		" GROUP BY f.user_id ORDER BY f.user_id NULLS LAST LIMIT $2::integer" },
};
#define TYPES_N (sizeof(TYPES) / sizeof(TYPES[0]))

enum err provisioning_archive_read(struct call *c, const struct provisioning_archive_read_in *in,
	struct common_archive_page *out)
{
	struct archived_lines lines;
	const struct archived_type *type = archived_type_find(TYPES, TYPES_N, in->type);
	enum err e = archive_lines(c, type, in->cursor, in->max, &lines);
	if (e)
		return e;
	out->lines.items = lines.items;
	out->lines.n = lines.n;
	out->next_cursor = lines.next_cursor;
	return OK;
}
