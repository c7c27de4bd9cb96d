/* For tests: two classes, their teachers and pupils, a unit assigned to the first class, and three
 * tries of its pupil, each shown to more people than the one before; and another tenant. */
#ifndef MANABIYA_LESSON_WORLD_H
#define MANABIYA_LESSON_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* call.h has its own */

#include "libcommon/personal.h"
#include "libcommon/testing.h"
#include "services/learning/learning.h"

#define ID(end_) "01890000-0000-7000-8000-000000000" end_

#define PUPIL ID("101")
#define CLASSMATE ID("102")
#define OUTSIDER ID("103")
#define TEACHER ID("111")
#define OTHER_TEACHER ID("112")
#define CONTRACTOR ID("121")
#define FOREIGN_TEACHER ID("131")
#define FOREIGN_PUPIL ID("132")
#define CLASS ID("201")
#define OTHER_CLASS ID("202")
#define SKILL ID("301")
#define UNIT ID("302")
#define ASSIGNMENT ID("303")
#define GOAL ID("304")
#define MODEL ID("401")
#define RECORDED_MEDIA ID("402")
#define SUBMITTED_MEDIA ID("403")
#define SHARED_MEDIA ID("404")
#define RECORDED ID("501")
#define SUBMITTED ID("502")
#define SHARED ID("503")
#define MISSING ID("999")

static const struct {
	const char *id, *role, *name[PERSONAL_PARTS_MAX];
} LESSON_PEOPLE[] = {
	{ PUPIL, "student", { "山田", "花子", "ヤマダ", "はなこ" } },
	{ CLASSMATE, "student", { "青木", "健", "あおき", "ケン" } },
	{ OUTSIDER, "student", { "原", "光", "はら", "ひかる" } },
	{ TEACHER, "instructor", { "佐藤", "先生", "さとう", "せんせい" } },
	{ OTHER_TEACHER, "instructor", { "鈴木", "先生", "すずき", "せんせい" } },
};

static const char LESSON_CLASSES[] =
	"INSERT INTO learning.class (tenant_id, id, version, title, status) VALUES"
	" ('" TEST_TENANT "', '" CLASS "', 1, '1年1組', 'active'),"
	" ('" TEST_TENANT "', '" OTHER_CLASS "', 1, '1年2組', 'active');"
	"INSERT INTO learning.enrollment (tenant_id, id, version, class_id, user_id, role, status)"
	" SELECT '" TEST_TENANT "', gen_random_uuid(), 1, class::uuid, member::uuid, role, 'active'"
	" FROM (VALUES ('" CLASS "', '" PUPIL "', 'student'),"
	" ('" CLASS "', '" CLASSMATE "', 'student'), ('" OTHER_CLASS "', '" OUTSIDER
	"', 'student'),"
	" ('" CLASS "', '" TEACHER "', 'teacher'), ('" OTHER_CLASS "', '" OTHER_TEACHER
	"', 'teacher'))"
	" AS e (class, member, role);";

/* For rows of videos that have no file: it has the form, and opens nothing. */
#define NO_MEDIA_KEY "'AQAAAAAB' || repeat('A', 140)"

static const char LESSON_TRIES[] =
	"INSERT INTO learning.skill (tenant_id, id, name, area, position)"
	" VALUES ('" TEST_TENANT "', '" SKILL "', '前転', 'mat', 1);"
	"INSERT INTO learning.unit (tenant_id, id, title)"
	" VALUES ('" TEST_TENANT "', '" UNIT "', 'マット運動');"
	"INSERT INTO learning.media (tenant_id, id, uploader_id, uploader_role, size, received,"
	" content_type, completed_at, sealed_key)"
	" SELECT '" TEST_TENANT "', id::uuid, by::uuid, role, 1000, 1000, 'video/mp4', now(),"
	" " NO_MEDIA_KEY " FROM (VALUES ('" MODEL "', '" TEACHER "', 'instructor'),"
	" ('" RECORDED_MEDIA "', '" PUPIL "', 'student'),"
	" ('" SUBMITTED_MEDIA "', '" PUPIL "', 'student'),"
	" ('" SHARED_MEDIA "', '" PUPIL "', 'student')) AS m (id, by, role);"
	"INSERT INTO learning.unit_skill (tenant_id, unit_id, skill_id, position, model_media_id)"
	" VALUES ('" TEST_TENANT "', '" UNIT "', '" SKILL "', 1, '" MODEL "');"
	"INSERT INTO learning.assignment (tenant_id, id, unit_id, class_id, created_by)"
	" VALUES ('" TEST_TENANT "', '" ASSIGNMENT "', '" UNIT "', '" CLASS "', '" TEACHER "');"
	"INSERT INTO learning.try (tenant_id, id, assignment_id, skill_id, user_id, media_id,"
	" shared, submitted_at)"
	" SELECT '" TEST_TENANT "', id::uuid, '" ASSIGNMENT "', '" SKILL "', '" PUPIL "',"
	" media::uuid, shared, CASE WHEN sent THEN now() END"
	" FROM (VALUES ('" RECORDED "', '" RECORDED_MEDIA "', false, false),"
	" ('" SUBMITTED "', '" SUBMITTED_MEDIA "', true, false),"
	" ('" SHARED "', '" SHARED_MEDIA "', true, true)) AS t (id, media, sent, shared);";

static inline void add_people(struct test *test)
{
	static const char *const foreigners[] = { FOREIGN_TEACHER, FOREIGN_PUPIL };
	test_people(test, TEST_OTHER_TENANT, foreigners, 2);
	for (size_t i = 0; i < sizeof(LESSON_PEOPLE) / sizeof(*LESSON_PEOPLE); i++) {
		const char *id = LESSON_PEOPLE[i].id;
		test_people(test, TEST_TENANT, &id, 1);
		test_sql(test,
			arena_printf(test->arena,
				"INSERT INTO learning.member (tenant_id, id, version, role, status,"
				" name) VALUES ('" TEST_TENANT "', '%s', 1, '%s', 'active', '%s')",
				id, LESSON_PEOPLE[i].role,
				test_sealed_name(test, TEST_TENANT, id, LESSON_PEOPLE[i].name)));
	}
	test_sql(test, LESSON_CLASSES);
}

static const struct service learning_under_test = {
	.name = "learning",
	.ops = learning_ops,
	.ops_n = LEARNING_OPS_N,
	.keyring = KEYRING_READS,
	.sealed = learning_sealed,
	.sealed_n = LEARNING_SEALED_N,
};

/* Everyone from whose eyes something is looked at. */
enum who { P, MATE, OUT, T, OTHER_T, STAFF, FOREIGN_T, FOREIGN_P, WHO };

static const struct {
	const char *name, *tenant_id, *user_id;
	enum role role;
} people[WHO] = {
	[P] = { "the pupil", TEST_TENANT, PUPIL, ROLE_STUDENT },
	[MATE] = { "a classmate", TEST_TENANT, CLASSMATE, ROLE_STUDENT },
	[OUT] = { "a pupil of another class", TEST_TENANT, OUTSIDER, ROLE_STUDENT },
	[T] = { "the teacher", TEST_TENANT, TEACHER, ROLE_INSTRUCTOR },
	[OTHER_T] = { "another teacher", TEST_TENANT, OTHER_TEACHER, ROLE_INSTRUCTOR },
	[STAFF] = { "a contractor", TEST_TENANT, CONTRACTOR, ROLE_CONTRACTOR },
	[FOREIGN_T] = { "a teacher elsewhere", TEST_OTHER_TENANT, FOREIGN_TEACHER,
		ROLE_INSTRUCTOR },
	[FOREIGN_P] = { "a pupil elsewhere", TEST_OTHER_TENANT, FOREIGN_PUPIL, ROLE_STUDENT },
};

static inline struct actor person(struct test *test, enum who who)
{
	return test_actor(test, people[who].tenant_id, people[who].user_id, people[who].role);
}

/* Two parts of one column, sealed as the service does it. */
static inline const char *sealed_parts(struct call *c, const struct personal_place *place,
	const char *column, const char *first, const char *second)
{
	const struct personal_kind kinds[] = {
		{ .domain = "text", .column = column, .part = 1, .last = 1, .of_user = true },
		{ .domain = "text", .column = column, .part = 2, .last = 2, .of_user = true },
	};
	const struct personal parts[] = { { first, &kinds[0] }, { second, &kinds[1] } };
	const char *sealed;
	assert_int_equal(personal_seal_parts(c, place, parts, 2, &sealed), OK);
	return sealed;
}

/* What the pupil wrote: a goal, and how the shared try felt. */
static inline void add_words(struct test *test)
{
	const struct personal_place goal = { .row_id = GOAL, .user_id = PUPIL },
				    on_shared = { .row_id = SHARED, .user_id = PUPIL };
	const struct actor actor = person(test, P);
	struct call c = test_call(test, &actor);
	const char *sql = arena_printf(test->arena,
		"INSERT INTO learning.goal (tenant_id, id, assignment_id, user_id, content)"
		" VALUES ('" TEST_TENANT "', '" GOAL "', '" ASSIGNMENT "', '" PUPIL "', '%s');"
		"INSERT INTO learning.reflection (tenant_id, try_id, content)"
		" VALUES ('" TEST_TENANT "', '" SHARED "', '%s')",
		sealed_parts(&c, &goal, "goal.content", "まっすぐ", "4"),
		sealed_parts(&c, &on_shared, "reflection.content", "3", NULL));
	db_rollback(c.db);
	test_sql(test, sql);
}

/* What a person gets for a request; the key is new every time. */
static inline struct reply ask(struct test *test, enum who who, const char *operation,
	const char *params, const char *body)
{
	static unsigned keys;
	struct reply reply;
	const struct actor actor = person(test, who);
	const struct test_request request = { .operation = operation,
		.actor = &actor,
		.params = params,
		.body = body,
		.idempotency_key = arena_printf(test->arena, "key-%u", keys++) };
	test_dispatch(test, &request, &reply, NULL);
	return reply;
}

static inline const char *body_of(struct test *test, const struct reply *reply)
{
	return reply->body.n
		? arena_strndup(test->arena, (const char *)reply->body.data, reply->body.n)
		: "";
}

static inline void expect_status(
	const struct reply *reply, unsigned status, const char *operation, enum who who)
{
	if (reply->status != status)
		fail_msg("%s for %s: %u, not %u: %.*s", operation, people[who].name, reply->status,
			status, (int)reply->body.n, (const char *)reply->body.data);
}

#endif
