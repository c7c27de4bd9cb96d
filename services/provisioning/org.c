/* Schools, and the district that a contract begins with. */
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

/* The largest list that org_list answers; a city of a million has 300 schools. */
#define ORGS_MAX "500"

static const struct problem TOO_MANY = { ERR_CONFLICT, 409, "too_many_orgs",
	"登録できる学校の数を超えています。", "There are as many schools as a contract can have." };
static const struct problem NAME_TAKEN = { ERR_CONFLICT, 409, "org_name_taken",
	"同じ名前の学校があります。", "There is a school of this name." };

static const char ORG_CREATE[] =
	"INSERT INTO provisioning.org (id, name, type) VALUES ($1::uuid, $2, 'school')";

static const char TOO_MANY_ORGS[] = "SELECT count(*) > " ORGS_MAX " FROM provisioning.org";

static const char ORG_LIST[] =
	"SELECT o.id, o.name, o.type FROM provisioning.org o"
	" WHERE $1 = 'contractor' OR EXISTS (SELECT FROM provisioning.class k"
	"  JOIN provisioning.enrollment e ON e.tenant_id = k.tenant_id AND e.class_id = k.id"
	"  WHERE k.tenant_id = o.tenant_id AND k.org_id = o.id AND e.user_id = $2::uuid"
	"  AND e.role = 'teacher')"
	" ORDER BY o.type, o.name, o.id LIMIT " ORGS_MAX;

enum err org_count_check(struct call *c)
{
	const char *is_over;
	enum err e = db_text(c, TOO_MANY_ORGS, DB_NONE, &is_over);
	return !e && *is_over == 't' ? fail_as(c, &TOO_MANY) : e;
}

enum err provisioning_org_create(
	struct call *c, const struct provisioning_org_create_in *in, struct provisioning_org *out)
{
	const char *id = uuid_make(c->arena);
	enum err e = db_exec(c, ORG_CREATE, DB_ARGS(id, in->name));
	if (e == ERR_CONFLICT)
		return fail_as(c, &NAME_TAKEN);
	*out = (struct provisioning_org){ .id = id, .name = in->name, .type = "school" };
	return e ? e : org_count_check(c);
}

enum err provisioning_org_list(struct call *c, struct provisioning_org_list_out *out)
{
	return db_rows(c, ORG_LIST, DB_ARGS(role_name(c->actor->role), c->actor->user_id),
		&provisioning_org_shape, &out->items);
}
