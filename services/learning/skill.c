/* Skills: what a unit is made of. They belong to the contract as a whole. */
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"

#define SKILL_COLUMNS "s.id, s.name, s.area, s.curriculum_code, s.points, s.position"

/* $1 is as many as the answer of skill_list may hold: one that no list shows would be lost. */
#define SKILLS_MAX 500

static const struct problem skills_full = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "skills_full",
	.ja = "登録できる技の数の上限に達しています。",
	.en = "No more skills can be registered.",
};

static const char SKILL_LIST[] =
	"SELECT " SKILL_COLUMNS " FROM learning.skill s"
	" ORDER BY array_position('{mat,vault,bar,swimming,other}', s.area), s.position, s.id"
	" LIMIT $1::integer";

/* Without a position, behind the others of its area. */
static const char SKILL_CREATE[] =
	"INSERT INTO learning.skill (id, name, area, curriculum_code, points, position)"
	" SELECT $1::uuid, $2, $3, $4, $5, coalesce($6::integer,"
	"  (SELECT least(max(o.position) + 1, 10000) FROM learning.skill o WHERE o.area = $3), 0)"
	" WHERE (SELECT count(*) FROM learning.skill) < $7::integer";

static const char SKILL_GET[] =
	"SELECT " SKILL_COLUMNS " FROM learning.skill s WHERE s.id = $1::uuid";

enum err learning_skill_list(struct call *c, struct learning_skill_list_out *out)
{
	return db_rows(c, SKILL_LIST, DB_ARGS(db_integer(c, SKILLS_MAX)), &learning_skill_shape,
		&out->items);
}

enum err learning_skill_create(
	struct call *c, const struct learning_skill_create_in *in, struct learning_skill *out)
{
	int64_t made;
	c->object_id = uuid_make(c->arena);
	enum err e = db_count(c, SKILL_CREATE,
		DB_ARGS(c->object_id, in->name, in->area, in->curriculum_code, in->points,
			in->has_position ? db_integer(c, in->position) : NULL,
			db_integer(c, SKILLS_MAX)),
		&made);
	if (e)
		return e;
	if (made == 0)
		return fail_with(c, &skills_full, "more than %d skills", SKILLS_MAX);
	return db_row(c, SKILL_GET, DB_ARGS(c->object_id), &learning_skill_shape, out);
}
