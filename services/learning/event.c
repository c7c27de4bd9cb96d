/*
 * Events in: the copies of people, classes and enrolments. Events out: what happened in a lesson.
 *
 * Events come in any order and more than once: the inbox takes each id once, and a copy only ever
 * moves to a higher version.
 */
#include <string.h>

#include "events_proto.h"
#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "services/learning/learning.h"

/* ---- in ---- */

/* What both statements say: whether the class has changed. */
#define HAS_ANOTHER_LABEL                                                                          \
	" SELECT coalesce((SELECT put.label IS DISTINCT FROM (SELECT was.label FROM was)"          \
	" FROM put), false)"

static const char MEMBER_PUT[] =
	"WITH was AS (SELECT label FROM learning.member WHERE id = $1::uuid),"
	" put AS (INSERT INTO learning.member AS m (id, version, role, status, name, label)"
	"  VALUES ($1::uuid, $2::bigint, $3, $4, $5, $6)"
	"  ON CONFLICT (tenant_id, id) DO UPDATE SET version = excluded.version,"
	"  role = excluded.role, status = excluded.status, name = excluded.name,"
	"  label = excluded.label WHERE m.version < excluded.version RETURNING "
	"label)" HAS_ANOTHER_LABEL;

static const char CLASS_PUT[] =
	"WITH was AS (SELECT label FROM learning.class WHERE id = $1::uuid),"
	" put AS (INSERT INTO learning.class AS k (id, version, title, status, label)"
	"  VALUES ($1::uuid, $2::bigint, $3, $4, $5)"
	"  ON CONFLICT (tenant_id, id) DO UPDATE SET version = excluded.version,"
	"  title = excluded.title, status = excluded.status, label = excluded.label"
	"  WHERE k.version < excluded.version RETURNING label)" HAS_ANOTHER_LABEL;

static const char ENROLLMENT_PUT[] =
	"INSERT INTO learning.enrollment AS e (id, version, class_id, user_id, role, status,"
	" begin_date, end_date)"
	" VALUES ($1::uuid, $2::bigint, $3::uuid, $4::uuid, $5, $6, $7::date, $8::date)"
	" ON CONFLICT (tenant_id, id) DO UPDATE SET version = excluded.version,"
	" class_id = excluded.class_id, user_id = excluded.user_id, role = excluded.role,"
	" status = excluded.status, begin_date = excluded.begin_date,"
	" end_date = excluded.end_date WHERE e.version < excluded.version";

/* Who is deleted has no name any more, and soon no key. */
static enum err seal_name(struct call *c, const struct user_changed *user, const char **sealed)
{
	const struct personal parts[] = { user->family_name, user->given_name,
		user->kana_family_name, user->kana_given_name };
	const struct personal_place place = { .row_id = user->user_id,
		.user_id = strcmp(user->status, "deleted") == 0 ? NULL : user->user_id };
	return personal_seal_parts(c, &place, parts, sizeof(parts) / sizeof(*parts), sealed);
}

static enum err on_user(struct call *c, const struct event_text *event, const void *data)
{
	const struct user_changed *user = data;
	const char *name, *is_labelled = "f";
	enum err e = seal_name(c, user, &name);
	if (e == ERR_NOT_FOUND) { /* erased meanwhile: the event that says so is on its way */
		c->failure = (struct failure){ 0 };
		return OK;
	}
	if (!e)
		e = db_text(c, MEMBER_PUT,
			DB_ARGS(user->user_id, db_integer(c, user->version), user->role,
				user->status, name, user->label),
			&is_labelled);
	if (!e && is_labelled[0] == 't')
		e = event_user_labelled(c, user->user_id);
	return e || strcmp(user->status, "deleted") != 0
		? e
		: erase_pupil(c, user->user_id, event->time);
}

static enum err on_class(struct call *c, const struct event_text *event, const void *data)
{
	const struct class_changed *changed = data;
	const char *is_labelled;
	enum err e = db_text(c, CLASS_PUT,
		DB_ARGS(changed->class_id, db_integer(c, changed->version), changed->title,
			changed->status, changed->label),
		&is_labelled);
	return e || is_labelled[0] != 't' ? e : event_class_labelled(c, changed->class_id);
}

static enum err on_enrollment(struct call *c, const struct event_text *event, const void *data)
{
	const struct enrollment_changed *changed = data;
	return db_exec(c, ENROLLMENT_PUT,
		DB_ARGS(changed->enrollment_id, db_integer(c, changed->version), changed->class_id,
			changed->user_id, changed->role, changed->status, changed->begin_date,
			changed->end_date));
}

static const struct event_taker takers[] = {
	{ &event_user_changed, on_user },
	{ &event_class_changed, on_class },
	{ &event_enrollment_changed, on_enrollment },
	{ 0 },
};

enum err learning_event_accept(struct call *c, const struct learning_event_accept_in *in)
{
	enum err e = OK;
	for (size_t i = 0; i < in->events.n && !e; i++) {
		const struct common_event *event = &in->events.items[i];
		const struct event_text text = { event->id, event->type, event->time, event->data,
			event->proof };
		e = event_accept(c, takers, &text);
	}
	return e;
}

/* ---- out: what happened in a lesson ---- */

/* The bound of `recipients` and `watchers` in events.yaml: a whole class (class_size_check() of
 * provisioning), teachers and all. */
#define PEOPLE_MAX 500

static const char PEOPLE[] = "SELECT DISTINCT e.user_id FROM learning.assignment a"
			     " JOIN learning.effective_enrollment e"
			     "  ON e.tenant_id = a.tenant_id AND e.class_id = a.class_id"
			     " WHERE a.id = $1::uuid AND e.role = $2 LIMIT $3::integer";

struct people {
	const char **items;
	size_t n;
};

static enum err add_person(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct people *people = arg;
	people->items[people->n++] = arena_strdup(c->arena, columns[0]);
	return OK;
}

static enum err add_people(
	struct call *c, const char *assignment_id, const char *role, struct people *people)
{
	int64_t room = PEOPLE_MAX - (int64_t)people->n;
	return db_each(
		c, PEOPLE, DB_ARGS(assignment_id, role, db_integer(c, room)), add_person, people);
}

static enum err people_of(struct call *c, const char *assignment_id, unsigned audiences,
	const char *pupil_id, struct people *people)
{
	people->items = arena_array(c->arena, PEOPLE_MAX, sizeof(*people->items));
	if (pupil_id)
		people->items[people->n++] = pupil_id;
	enum err e = OK;
	if (audiences & AUDIENCE_PUPILS)
		e = add_people(c, assignment_id, "student", people);
	if (!e && audiences & AUDIENCE_TEACHERS)
		e = add_people(c, assignment_id, "teacher", people);
	return e;
}

enum err event_lesson(struct call *c, const struct lesson *lesson)
{
	struct people recipients = { 0 }, watchers = { 0 };
	enum err e = people_of(
		c, lesson->assignment_id, lesson->recipients, lesson->pupil_id, &recipients);
	if (!e)
		e = people_of(c, lesson->assignment_id, lesson->watchers, NULL, &watchers);
	if (e)
		return e;
	const struct lesson_happened event = {
		.kind = lesson->kind,
		.assignment_id = lesson->assignment_id,
		.try_id = lesson->try_id,
		.has_position_ms = lesson->position_ms != NULL,
		.position_ms = lesson->position_ms ? *lesson->position_ms : 0,
		.recipients = { recipients.items, recipients.n },
		.watchers = { watchers.items, watchers.n },
	};
	return event_emit(c, &event_lesson_happened, &event);
}

/* ---- out: who may see something has changed ---- */

/* Some tens of classes may have the same unit: PEOPLE_MAX at a time. */
#define IN_PARTS(people_)                                                                          \
	"SELECT DISTINCT p.user_id FROM (" people_                                                 \
	") p WHERE $2::uuid IS NULL OR p.user_id > $2::uuid"                                       \
	" ORDER BY p.user_id LIMIT $3::integer"
#define IN_CLASS                                                                                   \
	" JOIN learning.effective_enrollment e"                                                    \
	" ON e.tenant_id = a.tenant_id AND e.class_id = a.class_id"
#define IN_CLASS_OF_TRY                                                                            \
	"SELECT e.user_id FROM learning.try t"                                                     \
	" JOIN learning.assignment a ON a.tenant_id = t.tenant_id AND a.id = "                     \
	"t.assignment_id" IN_CLASS " WHERE t.id = $1::uuid"

static const char CLASS_OF_TRY[] = IN_PARTS(IN_CLASS_OF_TRY);

/* Classmates have never seen one that is not shared. */
static const char VIEWERS_OF_TRY[] =
	IN_PARTS("SELECT t.user_id FROM learning.try t WHERE t.id = $1::uuid"
		 " UNION " IN_CLASS_OF_TRY " AND (e.role = 'teacher' OR t.shared)");

/* Every teacher sees every unit. */
static const char VIEWERS_OF_UNIT[] =
	IN_PARTS("SELECT m.id AS user_id FROM learning.member m"
		 " WHERE m.role = 'instructor' AND m.status = 'active'"
		 " UNION SELECT e.user_id FROM learning.assignment a" IN_CLASS
		 " WHERE a.unit_id = $1::uuid");

/* Administrators have everybody in their lists; the others meet in classes. */
static const char VIEWERS_OF_USER[] =
	IN_PARTS("SELECT m.id AS user_id FROM learning.member m"
		 " WHERE m.role = 'contractor' AND m.status = 'active'"
		 " UNION SELECT o.user_id FROM learning.effective_enrollment e"
		 " JOIN learning.effective_enrollment o"
		 " ON o.tenant_id = e.tenant_id AND o.class_id = e.class_id"
		 " WHERE e.user_id = $1::uuid");

static const char VIEWERS_OF_CLASS[] =
	IN_PARTS("SELECT m.id AS user_id FROM learning.member m"
		 " WHERE m.role = 'contractor' AND m.status = 'active'"
		 " UNION SELECT e.user_id FROM learning.effective_enrollment e"
		 " WHERE e.class_id = $1::uuid");

static enum err emit_change(struct call *c, const struct people *watchers)
{
	const struct lesson_happened event = { .kind = "change",
		.watchers = { watchers->items, watchers->n } };
	return watchers->n ? event_emit(c, &event_lesson_happened, &event) : OK;
}

static enum err tell_change(struct call *c, const char *people_sql, const char *id)
{
	struct people part = { .items = arena_array(c->arena, PEOPLE_MAX, sizeof(*part.items)) };
	const char *last = NULL;
	enum err e;
	do {
		part.n = 0;
		e = db_each(c, people_sql, DB_ARGS(id, last, db_integer(c, PEOPLE_MAX)), add_person,
			&part);
		if (!e)
			e = emit_change(c, &part);
		last = part.n ? part.items[part.n - 1] : NULL;
	} while (!e && part.n == PEOPLE_MAX);
	return e;
}

enum err event_try_shared(struct call *c, const char *try_id)
{
	return tell_change(c, CLASS_OF_TRY, try_id);
}

enum err event_try_labelled(struct call *c, const char *try_id)
{
	return tell_change(c, VIEWERS_OF_TRY, try_id);
}

enum err event_unit_labelled(struct call *c, const char *unit_id)
{
	return tell_change(c, VIEWERS_OF_UNIT, unit_id);
}

enum err event_user_labelled(struct call *c, const char *user_id)
{
	return tell_change(c, VIEWERS_OF_USER, user_id);
}

enum err event_class_labelled(struct call *c, const char *class_id)
{
	return tell_change(c, VIEWERS_OF_CLASS, class_id);
}
