/* Skills and units by a part of their names: for the staff, who see all of the contract's. */
#include "libcommon/db.h"
#include "libcommon/label.h"
#include "services/learning/learning.h"

static const char SKILLS[] =
	"SELECT s.id, s.name, s.area, s.curriculum_code, s.points, s.position FROM learning.skill s"
	" WHERE strpos(lower(s.name), lower($1)) > 0 ORDER BY s.area, s.position, s.id LIMIT 20";

/* What is shut takes no place of those that are shown, or the gap would say that a word is in it.
 */
static const char UNITS[] =
	"SELECT u.id, u.title, u.description, u.label, tenancy.stamp(u.created_at) AS created_at,"
	" (SELECT count(*) FROM learning.unit_skill us"
	"  WHERE us.tenant_id = u.tenant_id AND us.unit_id = u.id) AS skill_count"
	" FROM learning.unit u WHERE strpos(lower(u.title), lower($1)) > 0"
	" AND (u.label IS NULL OR u.label >= $2)"
	" ORDER BY u.id DESC LIMIT 20";

enum err learning_search_part(struct call *c, const struct learning_search_part_in *in,
	struct learning_search_part_out *out)
{
	enum err e = db_rows(c, SKILLS, DB_ARGS(in->q), &learning_skill_shape, &out->skills);
	return e ? e
		 : db_rows(c, UNITS, DB_ARGS(in->q, label_reach(c)), &learning_unit_shape,
			   &out->units);
}
