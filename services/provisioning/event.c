/* Events out: rows as they are now, read into the shapes of events.yaml and put into the outbox. */
#include <string.h>

#include "events_proto.h"
#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

/* Joins, because `id = ANY ($1)` over thousands of ids compares each row with each id. */
static const char PEOPLE[] = "SELECT id AS user_id, version, role, status, label, " SEALED(
	"id", "name") " AS name"
		      " FROM unnest($1::uuid[]) AS told (id) JOIN provisioning.person USING (id)";

static const char CLASSES[] = "SELECT id AS class_id, version, title, label, status"
			      " FROM unnest($1::uuid[]) AS told (id)"
			      " JOIN provisioning.class USING (id)";

static const char ENROLLMENTS[] =
	"SELECT id AS enrollment_id, version, class_id, user_id, role, status,"
	" begin_date, end_date"
	" FROM unnest($1::uuid[]) AS told (id) JOIN provisioning.enrollment USING (id)";

/* Rows come as structs of the event's own shape: a column that the event lacks is an error. */
static enum err tell(struct call *c, const struct event_type *type, const char *sql,
	const char *const *ids, size_t n)
{
	struct list rows = { 0 };
	if (n == 0)
		return OK;
	enum err e = db_rows(c, sql, DB_ARGS(db_text_array(c, ids, n)), type->shape, &rows);
	const char *row = rows.items;
	for (size_t i = 0; i < rows.n && !e; i++, row += type->shape->size)
		e = event_emit(c, type, row);
	return e;
}

/* Who is deleted has no name any more, and soon no key. */
enum err people_tell(struct call *c, const char *const *ids, size_t n)
{
	struct {
		struct user_changed *items;
		size_t n;
	} people = { 0 };
	enum err e =
		db_rows(c, PEOPLE, DB_ARGS(db_text_array(c, ids, n)), &user_changed_shape, &people);
	for (size_t i = 0; i < people.n && !e; i++) {
		const struct user_changed *person = &people.items[i];
		bool is_gone = strcmp(person->status, "deleted") == 0;
		e = event_emit_about(
			c, &event_user_changed, is_gone ? NULL : person->user_id, person);
	}
	return e;
}

enum err classes_tell(struct call *c, const char *const *ids, size_t n)
{
	return tell(c, &event_class_changed, CLASSES, ids, n);
}

enum err enrollments_tell(struct call *c, const char *const *ids, size_t n)
{
	return tell(c, &event_enrollment_changed, ENROLLMENTS, ids, n);
}

static enum err on_id(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct ids *ids = arg;
	if (ids->n == ids->capacity) {
		ids->capacity = ids->capacity == 0 ? 16 : ids->capacity * 2;
		const char **items = arena_array(c->arena, ids->capacity, sizeof(*items));
		if (ids->n > 0)
			memcpy(items, ids->items, ids->n * sizeof(*items));
		ids->items = items;
	}
	ids->items[ids->n++] = arena_strdup(c->arena, columns[0]);
	return OK;
}

enum err ids_collect(struct call *c, const char *sql, struct db_args args, struct ids *out)
{
	return db_each(c, sql, args, on_id, out);
}
