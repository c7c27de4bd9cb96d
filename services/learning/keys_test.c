/* After a rotation everything comes to lie under the new version, and nothing is lost on the way.
 */
#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/idempotency.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_user.h"
#include "libcommon/reseal.h"
#include "services/learning/archive.h"
#include "services/learning/lesson_world.h"

#define ALL 1000 /* turns: more than there are */
#define GOALS 450 /* more than two turns */
#define WRITTEN "こしを高く"
#define CONDITION "3"

static struct test test;

static enum err mint(struct call *c, const char *tenant_id, const char **capability)
{
	const struct actor actor = test_actor(&test, tenant_id, "learning", ROLE_SERVICE);
	*capability = test_capability(&test, &actor);
	return OK;
}

static struct service learning_that_mints;

static int open_world(void **state)
{
	learning_that_mints = learning_under_test;
	learning_that_mints.service_capability = mint;
	test_open(&test, &learning_that_mints);
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	/* Of a version that no test is about: keys of videos here open nothing. */
	test_sql(&test,
		"UPDATE learning.media SET sealed_key = 'AQAAAAAJ' || substr(sealed_key, 9)");
	return 0;
}

static int close_world(void **state)
{
	clock_shift_ms(0);
	test_close(&test);
	return 0;
}

/* Goals of assignments that nobody else looks at. */
static void add_goals(const char *user_id)
{
	const struct actor actor = test_actor(&test, TEST_TENANT, user_id, ROLE_STUDENT);
	struct call c = test_call(&test, &actor);
	struct buf sql = { .arena = test.arena };
	for (int i = 0; i < GOALS; i++) {
		const char *id = uuid_make(test.arena), *assignment = uuid_make(test.arena);
		const struct personal_place place = { .row_id = id, .user_id = user_id };
		const char *sealed = sealed_parts(&c, &place, "goal.content", WRITTEN, CONDITION);
		buf_printf(&sql,
			"INSERT INTO learning.assignment (tenant_id, id, unit_id, class_id,"
			" created_by) VALUES ('" TEST_TENANT "', '%s', '" UNIT "', '" CLASS
			"', '" TEACHER "'); INSERT INTO learning.goal (tenant_id, id,"
			" assignment_id, user_id, content) VALUES ('" TEST_TENANT
			"', '%s', '%s', '%s', '%s');",
			assignment, id, assignment, user_id, sealed);
	}
	test_sql(&test, sql.data);
	db_rollback(c.db);
}

static void rotate(void)
{
	assert_int_equal(keyring_rotate(test.keyring, TEST_TENANT), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
}

/* As the job thread does it: each turn a transaction of its own. */
static unsigned turns(unsigned most)
{
	unsigned n = 0;
	for (bool more = true; more && n < most; n++) {
		struct call c = test_call(&test, NULL);
		assert_int_equal(reseal_run(&c, &more), OK);
		assert_int_equal(db_commit(&c), OK);
	}
	return n;
}

static const char *versions(void)
{
	return test_sql_text(&test,
		"SELECT string_agg(v.prefix || ' ' || v.n, ', ' ORDER BY v.prefix) FROM (SELECT"
		" left(content, 8) AS prefix, count(*) AS n FROM learning.goal GROUP BY 1) v");
}

/* How many goals open and say what was written. */
static enum err on_goal(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct personal_kind kind = { .domain = "text", .column = "goal.content" };
	const char *parts[PERSONAL_PARTS_MAX];
	if (personal_open_parts(c, &kind, columns[0], parts) == OK &&
		strcmp(parts[0], WRITTEN) == 0 && strcmp(parts[1], CONDITION) == 0)
		++*(int *)arg;
	return OK;
}

static int readable(void)
{
	int n = 0;
	const struct actor actor = test_actor(&test, TEST_TENANT, TEACHER, ROLE_INSTRUCTOR);
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_each(&c, "SELECT " SEALED("g.id", "g.content") " FROM learning.goal g",
				 DB_NONE, on_goal, &n),
		OK);
	db_rollback(c.db);
	return n;
}

static void everything_comes_under_the_new_version(void **state)
{
	add_goals(PUPIL);
	assert_string_equal(versions(), "AQEAAAAB 450");
	rotate();
	(void)turns(ALL);
	assert_string_equal(versions(), "AQEAAAAC 450");
	assert_int_equal(readable(), GOALS);
	assert_string_equal(
		test_sql_text(&test,
			"SELECT count(*) FROM learning.member WHERE tenant_id = '" TEST_TENANT
			"' AND left(name, 8) <> 'AQEAAAAC'"),
		"0");
}

static void half_way_all_can_be_read_and_it_goes_on(void **state)
{
	add_goals(PUPIL);
	rotate();
	(void)turns(3); /* the tenant, then two turns */
	assert_string_equal(versions(), "AQEAAAAB 50, AQEAAAAC 400");
	assert_int_equal(readable(), GOALS);
	rotate();
	(void)turns(ALL);
	(void)turns(ALL); /* what the round had passed when the key was rotated again */
	assert_string_equal(versions(), "AQEAAAAD 450");
	assert_int_equal(readable(), GOALS);
}

static void nobody_waits_for_a_pupil_who_was_erased(void **state)
{
	add_goals(PUPIL);
	add_goals(CLASSMATE);
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, PUPIL), OK);
	rotate();
	(void)turns(ALL);
	assert_string_equal(versions(), "AQEAAAAB 450, AQEAAAAC 450");
}

static void it_is_counted(void **state)
{
	add_goals(PUPIL);
	const struct actor actor = test_actor(&test, TEST_TENANT, CONTRACTOR, ROLE_CONTRACTOR);
	const struct test_request request = {
		.operation = "keys_part", .caller = "gateway", .actor = &actor
	};
	struct reply reply;
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	const char *body = arena_strndup(test.arena, (const char *)reply.body.data, reply.body.n);
	assert_non_null(strstr(
		body, "{\"column\":\"goal.content\",\"version\":1,\"ofUser\":true,\"count\":450}"));
}

static const char *left_under(int version)
{
	const struct actor actor = test_actor(&test, TEST_TENANT, "provisioning", ROLE_SERVICE);
	const struct test_request request = { .operation = "key_left",
		.caller = "provisioning",
		.actor = &actor,
		.params = arena_printf(test.arena, "version=%d", version) };
	struct reply reply;
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	return arena_strndup(test.arena, (const char *)reply.body.data, reply.body.n);
}

static void an_old_key_is_needed_until_the_last_row(void **state)
{
	add_goals(PUPIL);
	rotate();
	assert_non_null(strstr(left_under(1), "\"opens\":true"));
	(void)turns(3);
	assert_non_null(strstr(left_under(1), "\"opens\":true"));
	(void)turns(ALL);
	assert_string_equal(left_under(1), "{\"count\":0,\"opens\":false}");
	assert_non_null(strstr(left_under(2), "\"opens\":true"));
}

/* They do not open with it either; there are more of them than one look takes. */
static void what_is_left_of_an_erased_pupil_needs_no_key(void **state)
{
	add_goals(PUPIL);
	rotate();
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, PUPIL), OK);
	(void)turns(ALL);
	assert_non_null(strstr(left_under(1), "\"opens\":false"));
	assert_null(strstr(left_under(1), "\"count\":0,"));
	assert_null(strstr(left_under(2), "\"opens\":false"));
}

static void what_is_damaged_keeps_its_key(void **state)
{
	add_goals(PUPIL);
	rotate();
	(void)turns(ALL);
	test_sql(&test,
		"UPDATE learning.goal SET content = 'AQEAAAAB' || substr(content, 9) WHERE id ="
		" (SELECT id FROM learning.goal ORDER BY id DESC LIMIT 1)");
	assert_string_equal(left_under(1), "{\"count\":1,\"opens\":true}");
}

static void what_waits_for_delivery_keeps_its_key(void **state)
{
	rotate();
	(void)turns(ALL);
	assert_string_equal(left_under(1), "{\"count\":0,\"opens\":false}");
	test_sql(&test,
		"INSERT INTO learning.outbox (tenant_id, consumer, kind, type, event_id, body)"
		" VALUES ('" TEST_TENANT "', 'notification', 'event', 'x', gen_random_uuid(),"
		" 'AQAAAAABxxx'), ('" TEST_OTHER_TENANT
		"', 'notification', 'event', 'x', gen_random_uuid(), 'AQAAAAABxxx')");
	assert_string_equal(left_under(1), "{\"count\":1,\"opens\":true}");
}

static void what_is_kept_for_a_repetition_keeps_its_key(void **state)
{
	rotate();
	(void)turns(ALL);
	const char *newest = arena_strdup(test.arena, left_under(2));
	test_sql(&test,
		"INSERT INTO learning.idempotency (tenant_id, keys_of, user_id, operation, key,"
		" fingerprint, body) SELECT t, k, 'x', 'y', k::text, '', 'AQ' || h || repeat('x', "
		"80)"
		" FROM (VALUES ('" TEST_TENANT "'::uuid, '" TEST_TENANT "'::uuid, 'AAAAAB'),"
		" ('" TEST_OTHER_TENANT "', '" TEST_OTHER_TENANT "', 'AAAAAB'),"
		" ('" TEST_OPERATOR_TENANT "', '" TEST_TENANT "', 'EAAAAB')) AS rows (t, k, h)");
	assert_string_equal(left_under(1), "{\"count\":2,\"opens\":true}");
	assert_string_equal(left_under(2), newest);
}

static void of_what_others_keep_there_is_no_key(void **state)
{
	static const char *const own[] = { "outbox", "text", "name", "media" };
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		assert_true(test_has_key(&test, own[i], 1));
	assert_true(test_has_key(&test, IDEMPOTENCY_DOMAIN, KEYRING_INDEX));
	assert_false(test_has_key(&test, "index person.login_index", KEYRING_INDEX));
}

/* ---- keys that are destroyed while rows are still there ---- */

/* What the pupil wrote and is told, as of the shared try. */
static void add_marks(void)
{
	const struct personal_place on_shared = { .row_id = SHARED, .user_id = PUPIL };
	const struct actor actor = person(&test, T);
	struct call c = test_call(&test, &actor);
	static const struct personal_kind kinds[] = {
		{ .domain = "text", .column = "evaluation.content", .part = 1, .last = 1 },
		{ .domain = "text", .column = "evaluation.content", .part = 2, .last = 2 },
		{ .domain = "text", .column = "evaluation.content", .part = 3, .last = 3 },
	};
	const struct personal marks[] = { { "A", &kinds[0] }, { "B", &kinds[1] },
		{ "C", &kinds[2] } };
	const char *sealed;
	assert_int_equal(personal_seal_parts(&c, &on_shared, marks, 3, &sealed), OK);
	db_rollback(c.db);
	add_words(&test);
	test_sql(&test,
		arena_printf(test.arena,
			"INSERT INTO learning.evaluation (tenant_id, try_id, evaluator_id, content)"
			" VALUES ('" TEST_TENANT "', '" SHARED "', '" TEACHER "', '%s')",
			sealed));
}

static const char *seen(enum who who, const char *operation, const char *params, unsigned status)
{
	const struct reply reply = ask(&test, who, operation, params, NULL);
	expect_status(&reply, status, operation, who);
	return body_of(&test, &reply);
}

static size_t goals_in_an_archive(enum err expected)
{
	const struct actor actor = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	struct call c = test_call(&test, &actor);
	struct archived_lines lines = { 0 };
	const struct archived_type *goals =
		archived_type_find(learning_archived, LEARNING_ARCHIVED_N, "goal");
	assert_int_equal(archive_lines(&c, goals, NULL, 1000, &lines), expected);
	db_rollback(c.db);
	return lines.n;
}

/* Its marks have no stand-in: they are left out of what else is there, and are 410 alone. */
static void of_an_erased_pupil_marks_are_left_out(void **state)
{
	add_marks();
	assert_non_null(strstr(seen(T, "try_get", "tryId=" SHARED, 200), "\"evaluation\":{"));
	assert_int_equal(goals_in_an_archive(OK), 1);
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, PUPIL), OK);
	const char *try = seen(T, "try_get", "tryId=" SHARED, 200);
	assert_non_null(strstr(try, "\"familyName\":\"削除済み\""));
	assert_null(strstr(try, "\"evaluation\""));
	assert_null(strstr(try, "\"reflection\""));
	assert_null(strstr(try, "\"goal\""));
	const char *gone = seen(P, "goal_get", "assignmentId=" ASSIGNMENT, 410);
	assert_non_null(strstr(gone, "\"code\":\"content_gone\""));
	assert_non_null(strstr(gone, "鍵が破棄されている"));
	assert_non_null(strstr(seen(T, "try_list", "assignmentId=" ASSIGNMENT, 200), SHARED));
	assert_int_equal(goals_in_an_archive(OK), 0);
}

/* As when the database alone was restored. People see that it is gone, nothing is written on from
 * it, and what was altered is another matter. */
static void under_a_version_that_ended_it_is_said_so(void **state)
{
	const struct keyring_version first = { TEST_TENANT, 1 };
	struct keyring_receipt receipt;
	add_marks();
	test_sql(&test,
		"UPDATE learning.media SET sealed_key = 'AQAAAAAB' || substr(sealed_key, 9)");
	assert_int_equal(keyring_rotate(test.keyring, TEST_TENANT), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(keyring_version_destroy(test.keyring, test.arena, &first, &receipt), OK);
	clock_shift_ms(2 * KEYRING_TRUST_MS);
	const char *try = seen(T, "try_get", "tryId=" SHARED, 200);
	assert_non_null(strstr(try, "\"familyName\":\"復元不可\""));
	assert_null(strstr(try, "\"evaluation\""));
	(void)seen(P, "goal_get", "assignmentId=" ASSIGNMENT, 410);
	(void)goals_in_an_archive(ERR_NOT_FOUND);
	test_sql(&test, "UPDATE learning.goal SET content = 'AQEAAAAC' || substr(content, 9)");
	(void)seen(P, "goal_get", "assignmentId=" ASSIGNMENT, 500);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(everything_comes_under_the_new_version),
		FACT(half_way_all_can_be_read_and_it_goes_on),
		FACT(nobody_waits_for_a_pupil_who_was_erased),
		FACT(it_is_counted),
		FACT(of_what_others_keep_there_is_no_key),
		FACT(an_old_key_is_needed_until_the_last_row),
		FACT(what_is_left_of_an_erased_pupil_needs_no_key),
		FACT(what_is_damaged_keeps_its_key),
		FACT(what_waits_for_delivery_keeps_its_key),
		FACT(what_is_kept_for_a_repetition_keeps_its_key),
		FACT(of_an_erased_pupil_marks_are_left_out),
		FACT(under_a_version_that_ended_it_is_said_so),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
