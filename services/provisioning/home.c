/* My part of the home screen: who I am, and where. */
#include "libcommon/db.h"
#include "libcommon/label.h"
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

/* The first class by name stands for the school day; a contractor sees how many people there
 * are whom the session may see. */
static const char HOME[] = "SELECT " SEALED("p.id",
	"p.name") " AS name,"
		  " coalesce(k.org_name, (SELECT o.name FROM provisioning.org o WHERE o.type = "
		  "'district'"
		  "  AND p.role = 'contractor' LIMIT 1)) AS org_name, k.class_title,"
		  " CASE p.role WHEN 'contractor' THEN (SELECT count(*) FROM provisioning.person o "
		  "WHERE o.label IS NULL OR o.label >= $2::text) END"
		  " AS user_count"
		  " FROM provisioning.person p LEFT JOIN LATERAL ("
		  "  SELECT o.name AS org_name, k.title AS class_title"
		  "  FROM provisioning.effective_enrollment e"
		  "  JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id"
		  "  JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id"
		  "  WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id AND (p.role = 'student' "
		  "OR " CLASS_REACHED("$2") ") ORDER BY k.title, k.id "
					    "LIMIT 1"
					    " ) k ON true WHERE p.id = $1::uuid";

enum err provisioning_home_part(struct call *c, struct provisioning_home_part_out *out)
{
	/* An operator is nobody's customer: there is no person, and nothing to say. */
	if (c->actor->role == ROLE_OPERATOR)
		return OK;
	return db_row(c, HOME, DB_ARGS(c->actor->user_id, label_reach(c)),
		&provisioning_home_part_out_shape, out);
}
