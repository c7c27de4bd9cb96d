/*
 * Schools, classes and enrolments of an import. A file names them on every row; here each is
 * written once, and the rows find their class in memory: the database is asked for no join of
 * thousands.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const char SCHOOLS_CREATE[] =
	"INSERT INTO provisioning.org (id, name, type)"
	" SELECT u.id, u.name, 'school' FROM unnest($1::uuid[], $2::text[]) AS u (id, name)"
	" ON CONFLICT DO NOTHING";

static const char CLASSES_CREATE[] =
	"INSERT INTO provisioning.class (id, org_id, title, grade)"
	" SELECT u.id, o.id, u.title, nullif(u.grade, '')"
	" FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS u (id, school, title, "
	"grade)"
	" JOIN provisioning.org o ON o.name = u.school AND o.type = 'school'"
	" ON CONFLICT DO NOTHING RETURNING id";

static const char CLASSES_FIND[] =
	"SELECT k.id, o.name, k.title FROM provisioning.class k"
	" JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id";

static const char ENROLLMENTS_CREATE[] =
	"INSERT INTO provisioning.enrollment (id, class_id, user_id, role)"
	" SELECT u.id, u.class_id, u.user_id, u.role"
	" FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS u (id, class_id, user_id,"
	" role) ON CONFLICT DO NOTHING RETURNING id";

static const char CLASSES_SUSPENDED[] =
	"SELECT k.id, o.name, k.title FROM provisioning.class k"
	" JOIN provisioning.org o ON o.tenant_id = k.tenant_id AND o.id = k.org_id"
	" WHERE k.status = 'suspended'";

/* UUIDs are in the order of their text, as bsearch() needs it. */
static const char ENROLLED_IN_SUSPENDED[] =
	"SELECT e.class_id || ' ' || e.user_id FROM provisioning.enrollment e"
	" JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id"
	" WHERE k.status = 'suspended' ORDER BY e.class_id, e.user_id";

/* A class of the file. */
struct file_class {
	const char *id; /* as the database knows it */
	size_t people; /* rows that name it */
	const char *school, *title;
	const char *grade; /* of its pupils: NULL without any, "" where they have none or differ */
};

struct places {
	struct file_class *items; /* sorted by school and title */
	size_t n;
};

static int compare(const void *a, const void *b)
{
	const struct file_class *left = a, *right = b;
	int order = strcmp(left->school, right->school);
	return order != 0 ? order : strcmp(left->title, right->title);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct file_class *find(const struct places *places, const char *school, const char *title)
{
	assert(school != NULL); /* import_check.c refuses a class without one */
	const struct file_class key = { .school = school, .title = title };
	return bsearch(&key, places->items, places->n, sizeof(key), compare);
}

static bool teaches(const struct import_row *row)
{
	return strcmp(row->user.role, "instructor") == 0;
}

static void learn_grade(const struct places *places, const struct import_row *row)
{
	for (size_t i = 0; i < row->classes_n && !teaches(row); i++) {
		struct file_class *place = find(places, row->school, row->classes[i].title);
		const char *grade = row->user.grade != NULL ? row->user.grade : "";
		bool is_same = place->grade == NULL || strcmp(place->grade, grade) == 0;
		place->grade = is_same ? grade : "";
	}
}

/* Each class of the file once, in the order that find() needs. */
static struct places places_of(struct import *import)
{
	struct places places = { 0 };
	size_t n = 0, kept = 0;
	for (size_t i = 0; i < import->n; i++)
		n += import->rows[i].classes_n;
	places.items = arena_array(import->c->arena, n, sizeof(*places.items));
	for (size_t i = 0; i < import->n; i++)
		for (size_t j = 0; j < import->rows[i].classes_n; j++)
			places.items[places.n++] =
				(struct file_class){ .school = import->rows[i].school,
					.title = import->rows[i].classes[j].title };
	if (n > 1)
		qsort(places.items, n, sizeof(*places.items), compare);
	for (size_t i = 0; i < places.n; i++)
		if (kept == 0 || compare(&places.items[i], &places.items[kept - 1]) != 0)
			places.items[kept++] = places.items[i];
	places.n = kept;
	for (size_t i = 0; i < import->n; i++)
		learn_grade(&places, &import->rows[i]);
	return places;
}

static enum err on_class(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct file_class *place = find(arg, columns[1], columns[2]);
	if (place != NULL)
		place->id = arena_strdup(c->arena, columns[0]);
	return OK;
}

/* ---- whether it can be done ---- */

/* Somebody who is in the class already may stand in the file. */
static bool is_enrolled(struct call *c, const struct ids *enrolled, const char *class_id,
	const struct import_row *row)
{
	if (row->is_new)
		return false;
	const char *key = arena_printf(c->arena, "%s %s", class_id, row->id);
	return bsearch(&key, enrolled->items, enrolled->n, sizeof(key), compare_text) != NULL;
}

static void check_class(struct import *import, struct file_class *place,
	const struct import_row *row, const struct ids *enrolled)
{
	if (++place->people == CLASS_SIZE_MAX + 1)
		import_refuse(import, import->class_column,
			(struct csv_fault){ row->number, "class_full",
				"クラスの人数が上限（500人）を超えています。",
				"A class holds 500 people at most." });
	if (place->id != NULL && !is_enrolled(import->c, enrolled, place->id, row))
		import_refuse(import, import->class_column,
			(struct csv_fault){ row->number, "class_suspended",
				"このクラスは休止中です。再開してから登録してください。",
				"The class is suspended: restore it first." });
}

enum err import_check_places(struct import *import)
{
	struct places places = places_of(import); /* with ids for those that are suspended */
	struct ids enrolled = { 0 };
	enum err e = db_each(import->c, CLASSES_SUSPENDED, DB_NONE, on_class, &places);
	if (!e)
		e = ids_collect(import->c, ENROLLED_IN_SUSPENDED, DB_NONE, &enrolled);
	for (size_t i = 0; i < import->n && !e; i++) {
		const struct import_row *row = &import->rows[i];
		for (size_t j = 0; j < row->classes_n; j++)
			check_class(import, find(&places, row->school, row->classes[j].title), row,
				&enrolled);
	}
	return e;
}

/* ---- schools ---- */

static enum err put_schools(struct import *import)
{
	struct call *c = import->c;
	const char **names = arena_array(c->arena, import->n, sizeof(*names));
	const char **ids = arena_array(c->arena, import->n, sizeof(*ids));
	size_t n = 0, kept = 0;
	for (size_t i = 0; i < import->n; i++)
		if (import->rows[i].school != NULL)
			names[n++] = import->rows[i].school;
	if (n == 0)
		return OK;
	qsort(names, n, sizeof(*names), compare_text);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(names[i], names[kept - 1]) != 0)
			names[kept++] = names[i];
	for (size_t i = 0; i < kept; i++)
		ids[i] = uuid_make(c->arena);
	return db_exec(c, SCHOOLS_CREATE,
		DB_ARGS(db_text_array(c, ids, kept), db_text_array(c, names, kept)));
}

/* ---- classes ---- */

/* Those there already keep their ids: CLASSES_FIND brings old and new ones alike. */
static enum err put_classes(struct call *c, struct places *places)
{
	const char **columns[4];
	struct ids made = { 0 };
	for (size_t i = 0; i < 4; i++)
		columns[i] = arena_array(c->arena, places->n, sizeof(*columns[i]));
	for (size_t i = 0; i < places->n; i++) {
		columns[0][i] = uuid_make(c->arena);
		columns[1][i] = places->items[i].school;
		columns[2][i] = places->items[i].title;
		columns[3][i] = places->items[i].grade != NULL ? places->items[i].grade : "";
	}
	enum err e = ids_collect(c, CLASSES_CREATE,
		DB_ARGS(db_text_array(c, columns[0], places->n),
			db_text_array(c, columns[1], places->n),
			db_text_array(c, columns[2], places->n),
			db_text_array(c, columns[3], places->n)),
		&made);
	if (!e)
		e = import_replan(c);
	if (!e)
		e = classes_tell(c, made.items, made.n);
	return e ? e : db_each(c, CLASSES_FIND, DB_NONE, on_class, places);
}

/* ---- enrolments ---- */

struct enrollments {
	const char **ids, **classes, **users, **roles;
	size_t n;
};

static void enroll(struct call *c, const struct places *places, const struct import_row *row,
	struct enrollments *out)
{
	for (size_t i = 0; i < row->classes_n; i++) {
		out->ids[out->n] = uuid_make(c->arena);
		out->classes[out->n] = find(places, row->school, row->classes[i].title)->id;
		out->users[out->n] = row->id;
		out->roles[out->n++] = teaches(row) ? "teacher" : "student";
	}
}

static struct enrollments enrollments_of(struct import *import, const struct places *places)
{
	struct enrollments out = { 0 };
	size_t n = 0;
	for (size_t i = 0; i < import->n; i++)
		n += import->rows[i].classes_n;
	out.ids = arena_array(import->c->arena, n, sizeof(*out.ids));
	out.classes = arena_array(import->c->arena, n, sizeof(*out.classes));
	out.users = arena_array(import->c->arena, n, sizeof(*out.users));
	out.roles = arena_array(import->c->arena, n, sizeof(*out.roles));
	for (size_t i = 0; i < import->n; i++)
		enroll(import->c, places, &import->rows[i], &out);
	return out;
}

static enum err put_enrollments(struct import *import, const struct places *places)
{
	struct call *c = import->c;
	const struct enrollments all = enrollments_of(import, places);
	const char **classes = arena_array(c->arena, places->n, sizeof(*classes));
	struct ids made = { 0 };
	for (size_t i = 0; i < places->n; i++)
		classes[i] = places->items[i].id;
	enum err e = ids_collect(c, ENROLLMENTS_CREATE,
		DB_ARGS(db_text_array(c, all.ids, all.n), db_text_array(c, all.classes, all.n),
			db_text_array(c, all.users, all.n), db_text_array(c, all.roles, all.n)),
		&made);
	if (!e)
		e = class_size_check(c, classes, places->n);
	return e ? e : enrollments_tell(c, made.items, made.n);
}

enum err import_place(struct import *import)
{
	enum err e = put_schools(import);
	struct places places = places_of(import);
	if (e || places.n == 0)
		return e;
	e = put_classes(import->c, &places);
	return e ? e : put_enrollments(import, &places);
}
