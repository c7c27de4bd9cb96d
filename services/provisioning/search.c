/*
 * What a member of the staff finds by a name or a title: a contractor everybody and every class, an
 * instructor the own classes and who is in them.
 */
#include "libcommon/db.h"
#include "libcommon/label.h"
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

#define FOUND_MAX 20 /* of each kind */

/* Whom the actor may find; a class is that of the first enrolment that counts today. */
#define FINDABLE                                                                                   \
	" FROM provisioning.person p LEFT JOIN LATERAL ("                                          \
	"  SELECT e.class_id FROM provisioning.effective_enrollment e JOIN provisioning.class k"   \
	"  ON k.tenant_id = e.tenant_id AND k.id = e.class_id AND " CLASS_REACHED(                 \
		"$3") "  WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id AND ($1::text = "    \
		      "'contractor'"                                                               \
		      "   OR e.class_id IN (SELECT t.class_id FROM "                               \
		      "provisioning.effective_enrollment t"                                        \
		      "    WHERE t.user_id = $2::uuid AND t.role = 'teacher'))"                    \
		      "  ORDER BY e.class_id LIMIT 1) k ON true"                                   \
		      " WHERE p.status <> 'deleted'"                                               \
		      " AND ($1::text = 'contractor' OR (p.role = 'student' AND k.class_id IS "    \
		      "NOT NULL))"

static const char NAMES[] = "SELECT p.id, " SEALED("p.id", "p.name") ", " SEALED("p.id", "p.login")
	FINDABLE " AND " PERSON_SOUGHT("$3");

static const char USERS[] = "SELECT p.id, " SEALED(
	"p.id", "p.name") " AS name, p.role, p.status, k.class_id, p.label" FINDABLE
			  " AND p.id = ANY ($4::uuid[]) ORDER BY array_position($4::uuid[], p.id)";

static const char CLASSES[] =
	"SELECT k.id, k.title, k.label, o.name AS org_name FROM provisioning.class k"
	" JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id"
	" WHERE strpos(k.title, $3) > 0 AND " CLASS_REACHED(
		"$4") " AND ($1::text = 'contractor' OR EXISTS ("
		      "  SELECT FROM provisioning.effective_enrollment t WHERE t.tenant_id = "
		      "k.tenant_id"
		      "  AND t.class_id = k.id AND t.user_id = $2::uuid AND t.role = 'teacher'))"
		      " ORDER BY o.name, k.title, k.id LIMIT 20";

/* As the list of users searches. */
static enum err find_users(struct call *c, const char *role,
	const struct provisioning_search_part_in *in, struct provisioning_search_part_out *out)
{
	struct roster found = { .q = in->q };
	enum err e =
		roster_read(c, NAMES, DB_ARGS(role, c->actor->user_id, label_reach(c)), &found);
	if (e)
		return e;
	size_t n = found.n < FOUND_MAX ? found.n : FOUND_MAX;
	return db_rows(c, USERS,
		DB_ARGS(role, c->actor->user_id, label_reach(c), db_text_array(c, found.ids, n)),
		&provisioning_found_user_shape, &out->users);
}

enum err provisioning_search_part(struct call *c, const struct provisioning_search_part_in *in,
	struct provisioning_search_part_out *out)
{
	const char *role = role_name(c->actor->role);
	enum err e = find_users(c, role, in, out);
	return e ? e
		 : db_rows(c, CLASSES, DB_ARGS(role, c->actor->user_id, in->q, label_reach(c)),
			   &provisioning_found_class_shape, &out->classes);
}
