/* Skills: what a unit is made of. They belong to the contract as a whole. */
#include "libcommon/db.h"
#include "libcommon/page.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

#define SKILL_COLUMNS "s.id, s.name, s.area, s.curriculum_code, s.points, s.position"

/* From basic to advanced. A place in the order is written as one text, of which a cursor is made;
 * positions have five digits at most. */
#define SKILL_ORDER                                                                                \
	"(array_position('{mat,vault,bar,swimming,other}', s.area) || '/'"                         \
	" || lpad(s.position::text, 5, '0')) COLLATE \"C\""

static const char SKILL_LIST[] =
	"SELECT " SKILL_COLUMNS " FROM learning.skill s"
	" WHERE $2::uuid IS NULL OR (" SKILL_ORDER ", s.id) > ($1, $2::uuid)"
	" ORDER BY " SKILL_ORDER ", s.id LIMIT $3::integer";

static const char SKILL_PLACE[] =
	"SELECT " SKILL_ORDER " FROM learning.skill s WHERE s.id = $1::uuid";

/* Without a position, behind the others of its area. */
static const char SKILL_CREATE[] =
	"INSERT INTO learning.skill (id, name, area, curriculum_code, points, position)"
	" SELECT $1::uuid, $2, $3, $4, $5, coalesce($6::integer,"
	"  (SELECT least(max(o.position) + 1, 10000) FROM learning.skill o WHERE o.area = $3), 0)";

static const char SKILL_GET[] =
	"SELECT " SKILL_COLUMNS " FROM learning.skill s WHERE s.id = $1::uuid";

static enum err next_page(struct call *c, struct learning_skill_list_out *out)
{
	const char *parts[2] = { NULL, out->items.items[out->items.n - 1].id };
	enum err e = db_text(c, SKILL_PLACE, DB_ARGS(parts[1]), &parts[0]);
	if (!e)
		out->next_cursor = cursor_make(c, parts, 2);
	return e;
}

enum err learning_skill_list(struct call *c, const struct learning_skill_list_in *in,
	struct learning_skill_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 2, &page);
	if (!e)
		e = db_rows(c, SKILL_LIST, DB_ARGS(page.after[0], page.after[1], page.rows),
			&learning_skill_shape, &out->items);
	if (e || !page_goes_on(&page, &out->items.n))
		return e;
	return next_page(c, out);
}

enum err learning_skill_create(
	struct call *c, const struct learning_skill_create_in *in, struct learning_skill *out)
{
	c->object_id = uuid_make(c->arena);
	enum err e = db_exec(c, SKILL_CREATE,
		DB_ARGS(c->object_id, in->name, in->area, in->curriculum_code, in->points,
			in->has_position ? db_integer(c, in->position) : NULL));
	return e ? e : db_row(c, SKILL_GET, DB_ARGS(c->object_id), &learning_skill_shape, out);
}
