/*
 * Classes of schools.
 *
 * A suspended class is out of use and whole: instructors and pupils are not shown it, nothing new
 * begins in it, and restoring brings it back as it was.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/label.h"
#include "libcommon/page.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const struct problem TITLE_TAKEN = { ERR_CONFLICT, 409, "class_title_taken",
	"この学校に同じ名前のクラスがあります。", "The school has a class of this name." };

/* Pupils are counted whom the session may see, or a count beside a list would say how many it left
 * out. Who was raised above that are few, and looked up once for each statement (person_label). */
#define CLASS_COLUMNS(reach_)                                                                      \
	"k.id, k.title, k.org_id, o.name AS org_name, k.grade, k.status, k.version, k.label,"      \
	" (SELECT count(*) FROM provisioning.enrollment e WHERE e.tenant_id = k.tenant_id"         \
	"  AND e.class_id = k.id AND e.role = 'student' AND e.user_id <> ALL (ARRAY("              \
	"   SELECT p.id FROM provisioning.person p WHERE p.label < " reach_ "::text)))"            \
	" AS student_count"

#define CLASS_TABLES                                                                               \
	" FROM provisioning.class k"                                                               \
	" JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id"

static const char CLASS_CREATE[] = "INSERT INTO provisioning.class (id, org_id, title, grade)"
				   " VALUES ($1::uuid, $2::uuid, $3, $4)";

static const char CLASS_GET[] = "SELECT " CLASS_COLUMNS("$2") CLASS_TABLES " WHERE k.id = $1::uuid";

static const char CLASS_GET_WITH_ETAG[] =
	"SELECT " CLASS_COLUMNS("$4") ", '\"v' || k.version || '\"' AS etag" CLASS_TABLES
				      " WHERE k.id = $1::uuid AND " CLASS_VISIBLE_TO("$2", "$3");

static const char CLASS_LIST[] = "SELECT " CLASS_COLUMNS("$8") CLASS_TABLES
	" WHERE " CLASS_VISIBLE_TO("$1", "$2") " AND " CLASS_REACHED(
		"$8") " AND ($6::uuid IS NULL OR (o.name, provisioning.grade_order(k.grade), "
		      "k.title, k.id)"
		      "  > ($3, provisioning.grade_order($4), $5, $6::uuid))"
		      " ORDER BY o.name, provisioning.grade_order(k.grade), k.title, k.id LIMIT "
		      "$7::integer";

static const char HIDES[] =
	"SELECT EXISTS (SELECT FROM provisioning.class k WHERE k.label < $3"
	" AND ($4::uuid IS NULL OR k.id = $4::uuid) AND " CLASS_VISIBLE_TO("$1", "$2") ")::text";

static const char VERSION_LOCK[] =
	"SELECT version FROM provisioning.class WHERE id = $1::uuid FOR UPDATE";

static const char CLASS_UPDATE[] =
	"UPDATE provisioning.class SET version = version + 1, title = coalesce($2, title),"
	" grade = coalesce($3, grade) WHERE id = $1::uuid";

static const char STATUS_PUT[] = "UPDATE provisioning.class SET version = version + 1, status = $2"
				 " WHERE id = $1::uuid";

static const char ENROLLMENTS_MARK[] =
	"UPDATE provisioning.enrollment SET version = version + 1, status = 'deleted'"
	" WHERE class_id = $1::uuid RETURNING id";

static const char CLASS_REMOVE[] = "DELETE FROM provisioning.class WHERE id = $1::uuid";

/* A school that is not there is NOT_FOUND by the foreign key. */
enum err provisioning_class_create(struct call *c, const struct provisioning_class_create_in *in,
	struct provisioning_class *out)
{
	const char *id = uuid_make(c->arena);
	enum err e = lock_roster_share(c);
	if (e)
		return e;
	e = db_exec(c, CLASS_CREATE, DB_ARGS(id, in->org_id, in->title, in->grade));
	if (e == ERR_CONFLICT)
		return fail_as(c, &TITLE_TAKEN);
	if (!e)
		e = classes_tell(c, &id, 1);
	return e
		? e
		: db_row(c, CLASS_GET, DB_ARGS(id, label_reach(c)), &provisioning_class_shape, out);
}

/* A cursor holds the title of the last class of a page, so a list leaves out in SQL what the
 * session may not see, and the skeleton is told that something was. */
enum err classes_hide(struct call *c, const char *class_id)
{
	const char *is_so = "false";
	enum err e = db_text(c, HIDES, DB_ARGS(ACTOR(c), label_reach(c), class_id), &is_so);
	c->hides = c->hides || strcmp(is_so, "true") == 0;
	return e;
}

enum err provisioning_class_get(struct call *c, const struct provisioning_class_get_in *in,
	struct provisioning_class_get_out *out)
{
	return db_row(c, CLASS_GET_WITH_ETAG, DB_ARGS(in->class_id, ACTOR(c), label_reach(c)),
		&provisioning_class_get_out_shape, out);
}

enum err provisioning_class_list(struct call *c, const struct provisioning_class_list_in *in,
	struct provisioning_class_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 4, &page);
	if (!e)
		e = db_rows(c, CLASS_LIST,
			DB_ARGS(ACTOR(c), page.after[0], page.after[1], page.after[2],
				page.after[3], page.rows, label_reach(c)),
			&provisioning_class_shape, &out->items);
	if (!e)
		e = classes_hide(c, NULL);
	if (e || !page_goes_on(&page, &out->items.n))
		return e;
	const struct provisioning_class *last = &out->items.items[out->items.n - 1];
	const char *const parts[] = { last->org_name, last->grade, last->title, last->id };
	out->next_cursor = cursor_make(c, parts, 4);
	return OK;
}

enum err provisioning_class_update(struct call *c, const struct provisioning_class_update_in *in,
	struct provisioning_class_update_out *out)
{
	enum err e = lock_roster_share(c);
	if (!e)
		e = version_check(c, VERSION_LOCK, in->class_id, in->if_match);
	if (e)
		return e;
	e = db_exec_one(c, CLASS_UPDATE, DB_ARGS(in->class_id, in->title, in->grade));
	if (e == ERR_CONFLICT)
		return fail_as(c, &TITLE_TAKEN);
	if (!e)
		e = classes_tell(c, &in->class_id, 1);
	return e ? e
		 : db_row(c, CLASS_GET_WITH_ETAG, DB_ARGS(in->class_id, ACTOR(c), label_reach(c)),
			   &provisioning_class_update_out_shape, out);
}

static enum err put_status(struct call *c, const char *id, const char *status)
{
	enum err e = db_exec_one(c, STATUS_PUT, DB_ARGS(id, status));
	return e ? e : classes_tell(c, &id, 1);
}

enum err provisioning_class_suspend(struct call *c, const struct provisioning_class_suspend_in *in)
{
	return put_status(c, in->class_id, "suspended");
}

enum err provisioning_class_restore(struct call *c, const struct provisioning_class_restore_in *in)
{
	return put_status(c, in->class_id, "active");
}

/* The same order as for users: mark, tell, remove. */
enum err provisioning_class_delete(struct call *c, const struct provisioning_class_delete_in *in)
{
	enum err e = lock_roster_share(c);
	if (!e)
		e = put_status(c, in->class_id, "deleted");
	if (!e)
		e = enrollments_remove(c, ENROLLMENTS_MARK, in->class_id);
	return e ? e : db_exec_one(c, CLASS_REMOVE, DB_ARGS(in->class_id));
}
