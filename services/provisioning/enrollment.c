/*
 * Enrolments: who teaches and who learns in a class.
 *
 * An enrolment is in effect when neither it nor its class is suspended and today lies between its
 * dates (provisioning.effective_enrollment). OneRoster's status knows only active and tobedeleted;
 * a school also has pupils who stay away for some weeks, and they come back with all their work: so
 * an enrolment rests like a user or a class, and what has an end that is known has an endDate.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const struct problem CLASS_FULL = { ERR_CONFLICT, 409, "class_full",
	"クラスの人数が上限（500人）を超えています。", "A class holds 500 people at most." };
static const struct problem CLASS_SUSPENDED = { ERR_CONFLICT, 409, "class_suspended",
	"このクラスは休止中です。再開してから登録してください。",
	"The class is suspended: restore it first." };
static const struct problem ROLE_UNFIT = { ERR_CONFLICT, 409, "enrollment_role_unfit",
	"クラスでの役割は、利用者のロールに合わせてください。",
	"An instructor is a teacher of a class, a student a student." };
static const struct problem ENROLLED = { ERR_CONFLICT, 409, "already_enrolled",
	"すでにこのクラスに入っています。", "Is in this class already." };

#define ENROLLMENT_COLUMNS                                                                         \
	"e.id, e.user_id, e.role, e.is_primary AS \"primary\", e.begin_date, e.end_date,"          \
	" e.status, e.version, least(p.label, k.label) AS label, " SEALED(                         \
		"p.id", "p.name") " AS name"

#define ENROLLMENT_TABLES                                                                          \
	" FROM provisioning.enrollment e"                                                          \
	" JOIN provisioning.person p ON p.tenant_id = e.tenant_id AND p.id = e.user_id"            \
	" JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id"

/* To an instructor a class that is not taught today is not there. */
static const char CLASS_VISIBLE[] = "SELECT k.id FROM provisioning.class k WHERE k.id = $1::uuid"
				    " AND " CLASS_VISIBLE_TO("$2", "$3");

static const char CLASS_STATUS[] =
	"SELECT status FROM provisioning.class WHERE id = $1::uuid FOR SHARE";

static const char LISTED[] = "SELECT e.id, " SEALED("p.id", "p.name") ENROLLMENT_TABLES
	" WHERE e.class_id = $1::uuid"
	" AND ($2 = 'contractor' OR EXISTS (SELECT FROM provisioning.effective_enrollment f"
	"  WHERE f.tenant_id = e.tenant_id AND f.id = e.id))";

static const char ENROLLMENT_PAGE[] =
	"SELECT " ENROLLMENT_COLUMNS ENROLLMENT_TABLES " WHERE e.id = ANY ($1::uuid[])";

static const char ENROLLMENT_GET[] =
	"SELECT " ENROLLMENT_COLUMNS ENROLLMENT_TABLES " WHERE e.id = $1::uuid";

static const char ENROLLMENT_GET_WITH_ETAG[] =
	"SELECT " ENROLLMENT_COLUMNS ", '\"v' || e.version || '\"' AS etag" ENROLLMENT_TABLES
	" WHERE e.id = $1::uuid";

/* A contractor administers and is in no class. */
static const char ENROLLMENT_CREATE[] =
	"INSERT INTO provisioning.enrollment (id, class_id, user_id, role)"
	" SELECT $1::uuid, k.id, p.id, CASE p.role WHEN 'instructor' THEN 'teacher' ELSE 'student' "
	"END"
	" FROM provisioning.class k JOIN provisioning.person p ON p.tenant_id = k.tenant_id"
	" WHERE k.id = $2::uuid AND p.id = $3::uuid AND p.role IN ('instructor', 'student')";

static const char VERSION_LOCK[] =
	"SELECT version FROM provisioning.enrollment WHERE id = $1::uuid FOR UPDATE";

static const char ROLE_OF[] = "SELECT role FROM provisioning.enrollment WHERE id = $1::uuid";

static const char ENROLLMENT_PUT[] =
	"UPDATE provisioning.enrollment SET version = version + 1, is_primary = $2::boolean,"
	" begin_date = $3::date, end_date = $4::date WHERE id = $1::uuid";

static const char STATUS_PUT[] =
	"UPDATE provisioning.enrollment SET version = version + 1, status = $2"
	" WHERE id = $1::uuid";

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

static enum err read_page(struct call *c, const struct provisioning_enrollment_list_in *in,
	const struct page *page, struct provisioning_enrollment_list_out *out)
{
	struct roster roster = { .q = NULL };
	enum err e =
		roster_read(c, LISTED, DB_ARGS(in->class_id, role_name(c->actor->role)), &roster);
	if (e)
		return e;
	const struct roster_page shown = roster_cut(c, &roster, page);
	out->next_cursor = shown.next_cursor;
	return roster_rows(c, ENROLLMENT_PAGE, &shown, &provisioning_enrollment_shape, &out->items);
}

enum err provisioning_enrollment_list(struct call *c,
	const struct provisioning_enrollment_list_in *in,
	struct provisioning_enrollment_list_out *out)
{
	struct page page;
	const char *id;
	enum err e = db_text(c, CLASS_VISIBLE, DB_ARGS(in->class_id, ACTOR(c)), &id);
	if (!e)
		e = page_read(c, in->cursor, in->has_limit, in->limit, 2, &page);
	return e ? e : read_page(c, in, &page, out);
}

enum err provisioning_enrollment_get(struct call *c,
	const struct provisioning_enrollment_get_in *in,
	struct provisioning_enrollment_get_out *out)
{
	return db_row(c, ENROLLMENT_GET_WITH_ETAG, DB_ARGS(in->enrollment_id),
		&provisioning_enrollment_get_out_shape, out);
}

/* The class stays as it is until this transaction ends. */
static enum err check_class(struct call *c, const char *class_id)
{
	const char *status;
	enum err e = db_text(c, CLASS_STATUS, DB_ARGS(class_id), &status);
	if (!e && strcmp(status, "active") != 0)
		e = fail_as(c, &CLASS_SUSPENDED);
	return e;
}

enum err provisioning_enrollment_create(struct call *c,
	const struct provisioning_enrollment_create_in *in, struct provisioning_enrollment *out)
{
	const char *id = uuid_make(c->arena);
	enum err e = lock_roster_share(c);
	if (!e)
		e = check_class(c, in->class_id);
	if (e)
		return e;
	c->about.user_id = in->user_id;
	e = db_exec_one(c, ENROLLMENT_CREATE, DB_ARGS(id, in->class_id, in->user_id));
	if (e == ERR_CONFLICT)
		return fail_as(c, &ENROLLED);
	if (!e)
		e = class_size_check(c, &in->class_id, 1);
	if (!e)
		e = enrollments_tell(c, &id, 1);
	return e ? e : db_row(c, ENROLLMENT_GET, DB_ARGS(id), &provisioning_enrollment_shape, out);
}

/* ---- change ---- */

static enum err check_put(struct call *c, const struct provisioning_enrollment_put_in *in)
{
	const char *role;
	enum err e = db_text(c, ROLE_OF, DB_ARGS(in->enrollment_id), &role);
	if (e)
		return e;
	if (strcmp(role, in->role) != 0)
		return fail_as(c, &ROLE_UNFIT);
	if (in->primary && strcmp(role, "teacher") != 0)
		return fail_field(c, "/primary", "担任は指導者だけです。", "is only for a teacher");
	if (in->begin_date && in->end_date && strcmp(in->end_date, in->begin_date) <= 0)
		return fail_field(c, "/endDate", "終わりの日は、始まりの日より後にしてください。",
			"is not after beginDate");
	return OK;
}

enum err provisioning_enrollment_put(struct call *c,
	const struct provisioning_enrollment_put_in *in,
	struct provisioning_enrollment_put_out *out)
{
	enum err e = version_check(c, VERSION_LOCK, in->enrollment_id, in->if_match);
	if (!e)
		e = check_put(c, in);
	if (!e)
		e = db_exec(c, ENROLLMENT_PUT,
			DB_ARGS(in->enrollment_id, db_boolean(in->primary), in->begin_date,
				in->end_date));
	if (!e)
		e = enrollments_tell(c, &in->enrollment_id, 1);
	return e ? e
		 : db_row(c, ENROLLMENT_GET_WITH_ETAG, DB_ARGS(in->enrollment_id),
			   &provisioning_enrollment_put_out_shape, out);
}

static enum err put_status(struct call *c, const char *id, const char *status)
{
	enum err e = db_exec_one(c, STATUS_PUT, DB_ARGS(id, status));
	return e ? e : enrollments_tell(c, &id, 1);
}

enum err provisioning_enrollment_suspend(
	struct call *c, const struct provisioning_enrollment_suspend_in *in)
{
	return put_status(c, in->enrollment_id, "suspended");
}

enum err provisioning_enrollment_restore(
	struct call *c, const struct provisioning_enrollment_restore_in *in)
{
	return put_status(c, in->enrollment_id, "active");
}

enum err provisioning_enrollment_delete(
	struct call *c, const struct provisioning_enrollment_delete_in *in)
{
	const char *id;
	enum err e = lock_roster_share(c);
	if (!e)
		e = db_text(c,
			"SELECT id FROM provisioning.enrollment WHERE id = $1::uuid FOR UPDATE",
			DB_ARGS(in->enrollment_id), &id);
	return e ? e : enrollments_remove(c, ENROLLMENT_MARK, in->enrollment_id);
}
