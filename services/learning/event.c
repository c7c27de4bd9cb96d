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

static enum err emit_change(struct call *c, const struct people *watchers);

/* Of what takes a second factor a teacher who has none is not told by a notice, whose id would say
 * that it is there: pages look again, and see what their session may. */
struct sight {
	bool shut;
	const char *snapshot; /* in which it is so */
};

static enum err on_sight(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct sight *)arg = (struct sight){ columns[0] && columns[0][0] == 't',
		arena_strdup(c->arena, columns[1]) };
	return OK;
}

static enum err look(struct call *c, const struct lesson *lesson, struct sight *out)
{
	static const char SHUT[] =
		"SELECT NOT learning.is_for_pupils(least(t.label, a.label)), pg_current_snapshot()"
		" FROM learning.label_of_assignment a LEFT JOIN learning.label_of_try t"
		"  ON t.tenant_id = a.tenant_id AND t.id = $2::uuid WHERE a.id = $1::uuid";
	*out = (struct sight){ .shut = false };
	return db_each(c, SHUT, DB_ARGS(lesson->assignment_id, lesson->try_id), on_sight, out);
}

static enum err let_teachers_look(struct call *c, const struct lesson *lesson)
{
	struct people teachers = { 0 };
	if (!((lesson->recipients | lesson->watchers) & AUDIENCE_TEACHERS))
		return OK;
	enum err e = people_of(c, lesson->assignment_id, AUDIENCE_TEACHERS, NULL, &teachers);
	return e ? e : emit_change(c, &teachers);
}

enum err event_lesson(struct call *c, const struct lesson *lesson)
{
	struct people recipients = { 0 }, watchers = { 0 };
	struct sight sight;
	enum err e = look(c, lesson, &sight);
	if (e)
		return e;
	unsigned told = sight.shut ? AUDIENCE_PUPILS : AUDIENCE_PUPILS | AUDIENCE_TEACHERS;
	e = people_of(
		c, lesson->assignment_id, lesson->recipients & told, lesson->pupil_id, &recipients);
	if (!e)
		e = people_of(c, lesson->assignment_id, lesson->watchers & told, NULL, &watchers);
	if (!e && sight.shut)
		e = let_teachers_look(c, lesson);
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
		.seen = recipients.n ? sight.snapshot : NULL,
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

/* Of a try, or of all of a pupil: what is shut now, and whose it is. */
static const char SHUT_TRIES[] =
	"SELECT t.id, pg_current_xact_id(), t.user_id FROM learning.labelled_try t"
	" WHERE (t.id = $1::uuid OR t.user_id = $1::uuid) AND NOT learning.is_for_pupils(t.label)";
/* Of a unit, whose pupils do not see it either. */
static const char SHUT_ASSIGNMENTS[] =
	"SELECT a.id, pg_current_xact_id() FROM learning.assignment a"
	" JOIN learning.unit u ON u.tenant_id = a.tenant_id AND u.id = a.unit_id"
	" WHERE a.unit_id = $1::uuid AND NOT learning.is_for_pupils(u.label)";

/* Of a school class, whose pupils see it. */
static const char SHUT_IN_CLASS[] =
	"SELECT a.id, pg_current_xact_id() FROM learning.assignment a"
	" JOIN learning.class k ON k.tenant_id = a.tenant_id AND k.id = a.class_id"
	" WHERE k.id = $1::uuid AND NOT learning.is_for_pupils(k.label)";

static enum err on_shut_try(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const char *pupils[] = { columns[2] };
	const struct lesson_happened event = { .kind = "shut",
		.try_id = columns[0],
		.recipients = { pupils, 1 },
		.xact = columns[1] };
	return event_emit(c, &event_lesson_happened, &event);
}

static enum err on_shut_assignment(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct lesson_happened event = {
		.kind = "shut", .assignment_id = columns[0], .xact = columns[1]
	};
	return event_emit(c, &event_lesson_happened, &event);
}

static enum err on_shut_in_class(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct people pupils = { 0 };
	enum err e = people_of(c, columns[0], AUDIENCE_PUPILS, NULL, &pupils);
	const struct lesson_happened event = { .kind = "shut",
		.assignment_id = columns[0],
		.recipients = { pupils.items, pupils.n },
		.xact = columns[1] };
	return e ? e : event_emit(c, &event_lesson_happened, &event);
}

enum err event_try_labelled(struct call *c, const char *try_id)
{
	enum err e = db_each(c, SHUT_TRIES, DB_ARGS(try_id), on_shut_try, NULL);
	return e ? e : tell_change(c, VIEWERS_OF_TRY, try_id);
}

enum err event_unit_labelled(struct call *c, const char *unit_id)
{
	enum err e = db_each(c, SHUT_ASSIGNMENTS, DB_ARGS(unit_id), on_shut_assignment, NULL);
	return e ? e : tell_change(c, VIEWERS_OF_UNIT, unit_id);
}

enum err event_user_labelled(struct call *c, const char *user_id)
{
	enum err e = db_each(c, SHUT_TRIES, DB_ARGS(user_id), on_shut_try, NULL);
	return e ? e : tell_change(c, VIEWERS_OF_USER, user_id);
}

enum err event_class_labelled(struct call *c, const char *class_id)
{
	enum err e = db_each(c, SHUT_IN_CLASS, DB_ARGS(class_id), on_shut_in_class, NULL);
	return e ? e : tell_change(c, VIEWERS_OF_CLASS, class_id);
}
