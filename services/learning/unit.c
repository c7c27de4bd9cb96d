/* Units: skills in teaching order, each with a model video. */
#include "libcommon/db.h"
#include "libcommon/page.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

#define UNIT_COLUMNS                                                                               \
	"u.id, u.title, u.description, u.label, tenancy.stamp(u.created_at) AS created_at,"        \
	" (SELECT count(*) FROM learning.unit_skill us"                                            \
	"  WHERE us.tenant_id = u.tenant_id AND us.unit_id = u.id) AS skill_count"

static const char UNIT_LIST[] =
	"SELECT " UNIT_COLUMNS " FROM learning.unit u"
	" WHERE $1::uuid IS NULL OR u.id < $1::uuid ORDER BY u.id DESC LIMIT $2::integer";

static const char UNIT_CREATE[] =
	"INSERT INTO learning.unit (id, title, description) VALUES ($1::uuid, $2, $3)";

static const char UNIT_SKILLS_CREATE[] =
	"INSERT INTO learning.unit_skill (unit_id, skill_id, position)"
	" SELECT $1::uuid, s.id, wanted.position"
	" FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (id, position)"
	" JOIN learning.skill s ON s.id = wanted.id";

static const char UNIT_GET[] = "SELECT " UNIT_COLUMNS " FROM learning.unit u WHERE u.id = $1::uuid";

/* An instructor sees every unit, a student those that are assigned to the own classes. */
static const char UNIT_DETAIL[] =
	"SELECT u.id, u.title, u.description, u.label,"
	" (SELECT coalesce(json_agg(json_build_object('skillId', s.id, 'name', s.name,"
	"   'area', s.area, 'curriculumCode', s.curriculum_code, 'points', s.points,"
	"   'modelMediaId', us.model_media_id) ORDER BY us.position), '[]')"
	"  FROM learning.unit_skill us"
	"  JOIN learning.skill s ON s.tenant_id = us.tenant_id AND s.id = us.skill_id"
	"  WHERE us.tenant_id = u.tenant_id AND us.unit_id = u.id) AS skills"
	" FROM learning.unit u"
	" WHERE u.id = $3::uuid AND ($2::text = 'instructor' OR EXISTS ("
	"  SELECT FROM learning.visible_assignment($1::uuid, $2::text) a WHERE a.unit_id = u.id))";

/* A model is a complete video of an instructor: the actor's own, or one that is a model already. */
static const char MODEL_PUT[] =
	"UPDATE learning.unit_skill us SET model_media_id = m.id"
	" FROM learning.visible_media($1::uuid, $2::text, $5::uuid) m"
	" WHERE us.tenant_id = m.tenant_id AND us.unit_id = $3::uuid AND us.skill_id = $4::uuid"
	" AND m.uploader_role = 'instructor'";

enum err learning_unit_list(
	struct call *c, const struct learning_unit_list_in *in, struct learning_unit_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, UNIT_LIST, DB_ARGS(page.after[0], page.rows), &learning_unit_shape,
			&out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return e;
}

/* A skill named twice is a CONFLICT by the key of unit_skill. */
static enum err add_skills(struct call *c, const struct learning_unit_create_in *in)
{
	int64_t added;
	enum err e = db_count(c, UNIT_SKILLS_CREATE,
		DB_ARGS(c->object_id, db_text_array(c, in->skill_ids.items, in->skill_ids.n)),
		&added);
	if (e)
		return e;
	if (added != (int64_t)in->skill_ids.n)
		return fail(c, ERR_NOT_FOUND, "skill");
	return OK;
}

enum err learning_unit_create(
	struct call *c, const struct learning_unit_create_in *in, struct learning_unit *out)
{
	c->object_id = uuid_make(c->arena);
	enum err e = db_exec(c, UNIT_CREATE, DB_ARGS(c->object_id, in->title, in->description));
	if (!e)
		e = add_skills(c, in);
	if (e)
		return e;
	return db_row(c, UNIT_GET, DB_ARGS(c->object_id), &learning_unit_shape, out);
}

enum err learning_unit_get(
	struct call *c, const struct learning_unit_get_in *in, struct learning_unit_detail *out)
{
	return db_row(
		c, UNIT_DETAIL, DB_ARGS(ACTOR(c), in->unit_id), &learning_unit_detail_shape, out);
}

enum err learning_unit_model_put(struct call *c, const struct learning_unit_model_put_in *in)
{
	return db_exec_one(
		c, MODEL_PUT, DB_ARGS(ACTOR(c), in->unit_id, in->skill_id, in->media_id));
}
