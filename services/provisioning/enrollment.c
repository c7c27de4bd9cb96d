/* Enrolments: who teaches and who learns in a class. */
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const struct problem CLASS_FULL = { ERR_CONFLICT, 409, "class_full",
	"クラスの人数が上限（500人）を超えています。", "A class holds 500 people at most." };
static const struct problem ENROLLED = { ERR_CONFLICT, 409, "already_enrolled",
	"すでにこのクラスに入っています。", "Is in this class already." };

#define ENROLLMENT_COLUMNS                                                                         \
	"e.id, e.user_id, e.role, p.family_name, p.given_name, p.kana_family_name,"                \
	" p.kana_given_name FROM provisioning.enrollment e"                                        \
	" JOIN provisioning.person p ON p.tenant_id = e.tenant_id AND p.id = e.user_id"

/* An instructor's classes are those taught; to others a class is not there. */
static const char CLASS_VISIBLE[] = "SELECT k.id FROM provisioning.class k WHERE k.id = $1::uuid "
				    "AND ($2 = 'contractor' OR EXISTS"
				    " (SELECT FROM provisioning.enrollment e WHERE e.tenant_id = "
				    "k.tenant_id AND e.class_id = k.id"
				    "  AND e.user_id = $3::uuid AND e.role = 'teacher'))";

static const char ENROLLMENT_LIST[] = "SELECT " ENROLLMENT_COLUMNS " WHERE e.class_id = $1::uuid"
				      " ORDER BY p.kana_sort, p.id LIMIT 500";

static const char ENROLLMENT_GET[] = "SELECT " ENROLLMENT_COLUMNS " WHERE e.id = $1::uuid";

/* A contractor administers and is in no class. */
static const char ENROLLMENT_CREATE[] =
	"INSERT INTO provisioning.enrollment (id, class_id, user_id, role)"
	" SELECT $1::uuid, k.id, p.id, CASE p.role WHEN 'instructor' THEN 'teacher' ELSE 'student' "
	"END"
	" FROM provisioning.class k JOIN provisioning.person p ON p.tenant_id = k.tenant_id"
	" WHERE k.id = $2::uuid AND p.id = $3::uuid AND p.role IN ('instructor', 'student')";

static const char ENROLLMENT_MARK[] =
	"UPDATE provisioning.enrollment SET version = version + 1, status = 'deleted'"
	" WHERE id = $1::uuid RETURNING id";

static const char ENROLLMENTS_REMOVE[] =
	"DELETE FROM provisioning.enrollment e USING unnest($1::uuid[]) AS gone (id)"
	" WHERE e.id = gone.id";

static const char CLASSES_FULL[] =
	"SELECT count(*) FROM (SELECT FROM unnest($1::uuid[]) AS wanted (class_id)"
	" JOIN provisioning.enrollment USING (class_id)"
	" GROUP BY class_id HAVING count(*) > $2::integer) AS class";

/* After the insert, in its transaction: two inserts at the same time can pass it by one. */
enum err class_size_check(struct call *c, const char *const *class_ids, size_t n)
{
	const char *full;
	enum err e = db_text(c, CLASSES_FULL,
		DB_ARGS(db_text_array(c, class_ids, n), db_integer(c, CLASS_SIZE_MAX)), &full);
	if (!e && full[0] != '0')
		e = fail_as(c, &CLASS_FULL);
	return e;
}

/* Marked, told, then removed: the event carries the last version that the row had. */
enum err enrollments_remove(struct call *c, const char *sql, const char *id)
{
	struct ids ids = { 0 };
	enum err e = ids_collect(c, sql, DB_ARGS(id), &ids);
	if (e || ids.n == 0)
		return e;
	e = enrollments_tell(c, ids.items, ids.n);
	return e ? e : db_exec(c, ENROLLMENTS_REMOVE, DB_ARGS(db_text_array(c, ids.items, ids.n)));
}

enum err provisioning_enrollment_list(struct call *c,
	const struct provisioning_enrollment_list_in *in,
	struct provisioning_enrollment_list_out *out)
{
	const char *id;
	enum err e = db_text(c, CLASS_VISIBLE,
		DB_ARGS(in->class_id, role_name(c->actor->role), c->actor->user_id), &id);
	return e ? e
		 : db_rows(c, ENROLLMENT_LIST, DB_ARGS(in->class_id),
			   &provisioning_enrollment_shape, &out->items);
}

enum err provisioning_enrollment_create(struct call *c,
	const struct provisioning_enrollment_create_in *in, struct provisioning_enrollment *out)
{
	const char *id = uuid_make(c->arena);
	enum err e = db_exec_one(c, ENROLLMENT_CREATE, DB_ARGS(id, in->class_id, in->user_id));
	if (e == ERR_CONFLICT)
		return fail_as(c, &ENROLLED);
	if (!e)
		e = class_size_check(c, &in->class_id, 1);
	if (!e)
		e = enrollments_tell(c, &id, 1);
	return e ? e : db_row(c, ENROLLMENT_GET, DB_ARGS(id), &provisioning_enrollment_shape, out);
}

enum err provisioning_enrollment_delete(
	struct call *c, const struct provisioning_enrollment_delete_in *in)
{
	const char *id;
	enum err e =
		db_text(c, "SELECT id FROM provisioning.enrollment WHERE id = $1::uuid FOR UPDATE",
			DB_ARGS(in->enrollment_id), &id);
	return e ? e : enrollments_remove(c, ENROLLMENT_MARK, in->enrollment_id);
}
