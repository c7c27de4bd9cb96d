/*
 * What a member of the staff finds by a name or a title: a contractor everybody and every class, an
 * instructor the own classes and who is in them.
 */
#include "libcommon/db.h"
#include "services/provisioning/provisioning.h"

/* As the list of users searches; a class is that of the first enrolment that counts today. */
static const char USERS[] =
	"SELECT p.id, p.family_name, p.given_name, p.kana_family_name, p.kana_given_name, p.role,"
	" p.status, k.class_id FROM provisioning.person p LEFT JOIN LATERAL ("
	"  SELECT e.class_id FROM provisioning.effective_enrollment e"
	"  WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id AND ($1::text = 'contractor'"
	"   OR e.class_id IN (SELECT t.class_id FROM provisioning.effective_enrollment t"
	"    WHERE t.user_id = $2::uuid AND t.role = 'teacher'))"
	"  ORDER BY e.class_id LIMIT 1) k ON true"
	" WHERE p.status <> 'deleted'"
	" AND ($1::text = 'contractor' OR (p.role = 'student' AND k.class_id IS NOT NULL))"
	" AND (starts_with(p.kana_sort, provisioning.kana_key($3))"
	"  OR starts_with(replace(p.kana_sort, ' ', ''),"
	"   replace(provisioning.kana_key($3), ' ', ''))"
	"  OR strpos(p.family_name || ' ' || p.given_name, $3) > 0"
	"  OR strpos(p.family_name || p.given_name, $3) > 0"
	"  OR starts_with(p.username_key, lower($3)))"
	" ORDER BY p.kana_sort, p.id LIMIT 20";

static const char CLASSES[] =
	"SELECT k.id, k.title, o.name AS org_name FROM provisioning.class k"
	" JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id"
	" WHERE strpos(k.title, $3) > 0 AND ($1::text = 'contractor' OR EXISTS ("
	"  SELECT FROM provisioning.effective_enrollment t WHERE t.tenant_id = k.tenant_id"
	"  AND t.class_id = k.id AND t.user_id = $2::uuid AND t.role = 'teacher'))"
	" ORDER BY o.name, k.title, k.id LIMIT 20";

enum err provisioning_search_part(struct call *c, const struct provisioning_search_part_in *in,
	struct provisioning_search_part_out *out)
{
	const char *role = role_name(c->actor->role);
	enum err e = db_rows(c, USERS, DB_ARGS(role, c->actor->user_id, in->q),
		&provisioning_found_user_shape, &out->users);
	return e ? e
		 : db_rows(c, CLASSES, DB_ARGS(role, c->actor->user_id, in->q),
			   &provisioning_found_class_shape, &out->classes);
}
