/* Classes of schools. */
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

/* The largest list that class_list answers; a city of 300 schools is split into several contracts.
 */
#define CLASSES_MAX "1000"

static const struct problem TOO_MANY = { ERR_CONFLICT, 409, "too_many_classes",
	"登録できるクラスの数を超えています。",
	"There are as many classes as a contract can have." };
static const struct problem TITLE_TAKEN = { ERR_CONFLICT, 409, "class_title_taken",
	"この学校に同じ名前のクラスがあります。", "The school has a class of this name." };

#define CLASS_COLUMNS                                                                              \
	"k.id, k.title, k.org_id, o.name AS org_name, k.grade,"                                    \
	" (SELECT count(*) FROM provisioning.enrollment e WHERE e.tenant_id = k.tenant_id"         \
	"  AND e.class_id = k.id AND e.role = 'student') AS student_count"                         \
	" FROM provisioning.class k"                                                               \
	" JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id"

static const char CLASS_CREATE[] = "INSERT INTO provisioning.class (id, org_id, title, grade)"
				   " VALUES ($1::uuid, $2::uuid, $3, $4)";

static const char TOO_MANY_CLASSES[] = "SELECT count(*) > " CLASSES_MAX " FROM provisioning.class";

static const char CLASS_GET[] = "SELECT " CLASS_COLUMNS " WHERE k.id = $1::uuid";

static const char CLASS_LIST[] = "SELECT " CLASS_COLUMNS " WHERE $1 = 'contractor' OR EXISTS ("
				 "SELECT FROM provisioning.enrollment e WHERE e.tenant_id = "
				 "k.tenant_id AND e.class_id = k.id"
				 " AND e.user_id = $2::uuid AND e.role = 'teacher')"
				 " ORDER BY o.name, k.grade, k.title, k.id LIMIT " CLASSES_MAX;

static const char CLASS_UPDATE[] =
	"UPDATE provisioning.class SET version = version + 1, title = coalesce($2, title),"
	" grade = coalesce($3, grade) WHERE id = $1::uuid";

static const char CLASS_MARK[] = "UPDATE provisioning.class SET version = version + 1,"
				 " status = 'deleted' WHERE id = $1::uuid";

static const char ENROLLMENTS_MARK[] =
	"UPDATE provisioning.enrollment SET version = version + 1, status = 'deleted'"
	" WHERE class_id = $1::uuid RETURNING id";

static const char CLASS_REMOVE[] = "DELETE FROM provisioning.class WHERE id = $1::uuid";

static enum err tell_and_get(struct call *c, const char *id, struct provisioning_class *out)
{
	enum err e = classes_tell(c, &id, 1);
	return e ? e : db_row(c, CLASS_GET, DB_ARGS(id), &provisioning_class_shape, out);
}

enum err class_count_check(struct call *c)
{
	const char *is_over;
	enum err e = db_text(c, TOO_MANY_CLASSES, DB_NONE, &is_over);
	return !e && *is_over == 't' ? fail_as(c, &TOO_MANY) : e;
}

/* A school that is not there is NOT_FOUND by the foreign key. */
enum err provisioning_class_create(struct call *c, const struct provisioning_class_create_in *in,
	struct provisioning_class *out)
{
	const char *id = uuid_make(c->arena);
	enum err e = db_exec(c, CLASS_CREATE, DB_ARGS(id, in->org_id, in->title, in->grade));
	if (e == ERR_CONFLICT)
		return fail_as(c, &TITLE_TAKEN);
	if (!e)
		e = class_count_check(c);
	return e ? e : tell_and_get(c, id, out);
}

enum err provisioning_class_list(struct call *c, struct provisioning_class_list_out *out)
{
	return db_rows(c, CLASS_LIST, DB_ARGS(role_name(c->actor->role), c->actor->user_id),
		&provisioning_class_shape, &out->items);
}

enum err provisioning_class_update(struct call *c, const struct provisioning_class_update_in *in,
	struct provisioning_class *out)
{
	enum err e = db_exec_one(c, CLASS_UPDATE, DB_ARGS(in->class_id, in->title, in->grade));
	if (e == ERR_CONFLICT)
		return fail_as(c, &TITLE_TAKEN);
	return e ? e : tell_and_get(c, in->class_id, out);
}

/* The same order as for users: mark, tell, remove. */
enum err provisioning_class_delete(struct call *c, const struct provisioning_class_delete_in *in)
{
	enum err e = db_exec_one(c, CLASS_MARK, DB_ARGS(in->class_id));
	if (!e)
		e = enrollments_remove(c, ENROLLMENTS_MARK, in->class_id);
	if (!e)
		e = classes_tell(c, &in->class_id, 1);
	return e ? e : db_exec_one(c, CLASS_REMOVE, DB_ARGS(in->class_id));
}
