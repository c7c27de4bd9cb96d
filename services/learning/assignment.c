/* Assignments: a unit for a class. */
#include "libcommon/db.h"
#include "libcommon/label.h"
#include "libcommon/page.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

static const char ASSIGNMENT_LIST[] =
	"SELECT " ASSIGNMENT_COLUMNS " FROM learning.visible_assignment($1::uuid, $2::text) a"
	" WHERE $3::uuid IS NULL OR a.id < $3::uuid ORDER BY a.id DESC LIMIT $4::integer";

static const char ASSIGNMENT_GET[] = DB_PLAN_ONCE
	"SELECT " ASSIGNMENT_COLUMNS
	" FROM learning.visible_assignment($1::uuid, $2::text) a WHERE a.id = $3::uuid";

static const char ASSIGNMENT_CREATE[] =
	"INSERT INTO learning.assignment (id, unit_id, class_id, due_on, created_by)"
	" SELECT $3::uuid, u.id, k.id, $6::date, $1::uuid"
	" FROM learning.unit u JOIN learning.class k ON k.tenant_id = u.tenant_id"
	" WHERE u.id = $4::uuid AND k.id = $5::uuid AND k.status = 'active'"
	" AND k.id IN (SELECT o.class_id FROM learning.own_class($1::uuid, $2::text) o)";

static const char UNIT_LABEL[] = "SELECT label FROM learning.unit WHERE id = $1::uuid";

enum err learning_assignment_list(struct call *c, const struct learning_assignment_list_in *in,
	struct learning_assignment_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, ASSIGNMENT_LIST, DB_ARGS(ACTOR(c), page.after[0], page.rows),
			&learning_assignment_shape, &out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return e;
}

enum err learning_assignment_get(struct call *c, const struct learning_assignment_get_in *in,
	struct learning_assignment *out)
{
	return db_row(c, ASSIGNMENT_GET, DB_ARGS(ACTOR(c), in->assignment_id),
		&learning_assignment_shape, out);
}

enum err learning_assignment_create(struct call *c, const struct learning_assignment_create_in *in,
	struct learning_assignment *out)
{
	c->object_id = uuid_make(c->arena);
	enum err e = db_exec_one(c, ASSIGNMENT_CREATE,
		DB_ARGS(ACTOR(c), c->object_id, in->unit_id, in->class_id, in->due_on));
	if (e)
		return e;
	e = db_row(c, ASSIGNMENT_GET, DB_ARGS(ACTOR(c), c->object_id), &learning_assignment_shape,
		out);
	if (e)
		return e;
	/* Of what they do not see they are not told; of whatever class their own is, they see it.
	 */
	const char *label;
	e = db_text(c, UNIT_LABEL, DB_ARGS(in->unit_id), &label);
	if (e)
		return e;
	const bool is_for_pupils = label_is_for_pupils(label_from_name(label));
	const struct lesson lesson = { .kind = "assignment",
		.assignment_id = out->id,
		.recipients = is_for_pupils ? AUDIENCE_PUPILS : 0 };
	return event_lesson(c, &lesson);
}
