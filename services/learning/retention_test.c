/* What a contract has kept long enough goes by its class, with everything that belongs to it; what
 * anybody touched, what was raised, and what is another's stays. */
#include "services/learning/lesson_world.h"

#include "services/learning/media_store.h"

#define MANY 60 /* more than a part */

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &learning_under_test);
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	add_words(&test);
	learning_media = media_store_open(test_directory(&test));
	assert_non_null(learning_media);
	return 0;
}

static int close_world(void **state)
{
	media_store_close(learning_media);
	test_close(&test);
	return 0;
}

/* Everything is so many days old. */
static void age(int days)
{
	test_sql(&test,
		arena_printf(test.arena,
			"UPDATE learning.try SET created_at = d.at, submitted_at = CASE WHEN"
			" submitted_at IS NOT NULL THEN d.at END"
			" FROM (SELECT now() - interval '%d days' AS at) d;"
			"UPDATE learning.reflection SET written_at = now() - interval '%d days';"
			"UPDATE learning.goal SET written_at = now() - interval '%d days';"
			"UPDATE learning.media SET created_at = d.at, appended_at = d.at,"
			" completed_at = d.at FROM (SELECT now() - interval '%d days' AS at) d",
			days, days, days, days));
}

/* Of a class, what was not touched for so many days. */
static const char *rule(const char *label, int days)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT json_build_object('label', '%s', 'before',"
			" tenancy.stamp(now() - interval '%d days'))",
			label, days));
}

static struct reply step_as(const char *caller, const char *tenant_id, const char *body)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, tenant_id, "provisioning", ROLE_SERVICE);
	const struct test_request request = {
		.operation = "retention_step", .actor = &actor, .caller = caller, .body = body
	};
	test_dispatch(&test, &request, &reply, NULL);
	return reply;
}

/* Again until nothing is left; how often there was something. */
static int remove_in(const char *tenant_id, const char *body)
{
	for (int parts = 0;; parts++) {
		struct reply reply = step_as("provisioning", tenant_id, body);
		assert_int_equal(reply.status, 200);
		if (strcmp(body_of(&test, &reply), "{\"more\":true}") != 0)
			return parts;
	}
}

static int remove_old(const char *label, int days)
{
	return remove_in(TEST_TENANT, rule(label, days));
}

static const char *count_of(const char *what)
{
	return test_sql_text(
		&test, arena_printf(test.arena, "SELECT count(*) FROM learning.%s", what));
}

static void it_goes_with_everything_that_belongs_to_it(void **state)
{
	age(100);
	assert_int_equal(remove_old("III", 90), 2); /* the goal after its tries */
	static const char *const gone[] = { "try", "reflection", "goal",
		"media WHERE uploader_role = 'student'" };
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		assert_string_equal(count_of(gone[i]), "0");
	assert_string_equal(count_of("media"), "1"); /* the model, which a unit shows */
	assert_string_equal(count_of("assignment"), "1");
}

static void what_is_younger_stays(void **state)
{
	age(80);
	assert_int_equal(remove_old("III", 90), 0);
	assert_string_equal(count_of("try"), "3");
	assert_string_equal(count_of("goal"), "1");
}

/* A mistake of whoever asks must not take what a month's absence would have saved. */
static void nothing_goes_within_a_month_whatever_is_asked(void **state)
{
	age(29);
	assert_int_equal(remove_old("III", 1), 0);
	assert_string_equal(count_of("try"), "3");
}

static void a_word_about_it_keeps_it(void **state)
{
	age(100);
	test_sql(&test,
		"INSERT INTO learning.comment (tenant_id, id, try_id, author_id, author_role,"
		" position_ms, text) VALUES ('" TEST_TENANT
		"', '" ID("701") "', '" SHARED "', '" TEACHER "', 'instructor', 0, " NO_MEDIA_KEY
				 ")");
	assert_int_equal(remove_old("III", 90), 1);
	assert_string_equal(test_sql_text(&test, "SELECT id FROM learning.try"), SHARED);
	assert_string_equal(count_of("goal"), "1"); /* it is shown with the try */
}

static void a_raised_one_goes_by_its_own_class(void **state)
{
	age(100);
	test_sql(&test,
		"UPDATE learning.try SET label = 'II', label_by = 'instructor' WHERE id = '" SHARED
		"'");
	assert_int_equal(remove_old("III", 90), 1);
	assert_string_equal(test_sql_text(&test, "SELECT id FROM learning.try"), SHARED);
	assert_int_equal(remove_old("I", 90), 0);
	assert_int_equal(remove_old("II", 90), 1);
	assert_string_equal(count_of("try"), "0");
}

static void a_video_that_was_never_sent_goes_too(void **state)
{
	age(100);
	test_sql(&test,
		"DELETE FROM learning.reflection; DELETE FROM learning.try WHERE id <> '" RECORDED
		"'; UPDATE learning.try SET created_at = now()");
	assert_int_equal(remove_old("III", 90), 1);
	assert_string_equal(test_sql_text(&test,
				    "SELECT id FROM learning.media WHERE uploader_role = "
				    "'student'"),
		RECORDED_MEDIA);
}

static void every_removal_is_an_event_of_the_class_of_what_went(void **state)
{
	age(100);
	test_sql(&test,
		"UPDATE learning.try SET label = 'II', label_by = 'instructor' WHERE id = '" SHARED
		"'");
	(void)remove_old("III", 90);
	(void)remove_old("II", 90);
	(void)remove_old("III", 90); /* the goal, to which there is no try any more */
	assert_string_equal(test_sql_text(&test,
				    "SELECT string_agg(concat(o.body::json->'metadata'->>'labels',"
				    " o.body::json->'unmapped'->>'kind'), ' ' ORDER BY o.id)"
				    " FROM learning.outbox o WHERE o.kind = 'audit'"
				    " AND o.type = 'learning.record_expire'"),
		"[\"III\"]try [\"III\"]try [\"II\"]try [\"III\"]goal");
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM learning.outbox WHERE kind = 'audit'"
				    " AND body LIKE '%" SHARED "%'"),
		"1");
}

/* Of the try: its pupil's and the teachers' pages look again. */
static void open_pages_are_told(void **state)
{
	age(100);
	test_sql(&test,
		"DELETE FROM learning.reflection;"
		"DELETE FROM learning.try WHERE id <> '" SHARED "'");
	(void)remove_old("III", 90);
	const char *event = test_event(&test, "lesson.happened", SHARED);
	assert_non_null(strstr(event, "\"kind\":\"removal\""));
	assert_non_null(strstr(event, "\"recipients\":[\"" PUPIL "\"]"));
	assert_non_null(strstr(event, "\"watchers\":[\"" TEACHER "\"]"));
}

static void what_is_much_goes_in_parts(void **state)
{
	test_sql(&test,
		arena_printf(test.arena,
			"WITH m AS (INSERT INTO learning.media (tenant_id, id, uploader_id,"
			" uploader_role, size, received, content_type, completed_at, sealed_key)"
			" SELECT '" TEST_TENANT "', gen_random_uuid(), '" PUPIL "', 'student', 9,"
			" 9, 'video/mp4', now(), " NO_MEDIA_KEY " FROM generate_series(1, %d)"
			" RETURNING id) INSERT INTO learning.try (tenant_id, id, assignment_id,"
			" skill_id, user_id, media_id) SELECT '" TEST_TENANT "',"
			" gen_random_uuid(), '" ASSIGNMENT "', '" SKILL "', '" PUPIL "', id FROM m",
			MANY));
	age(100);
	assert_int_equal(remove_old("III", 90), 3); /* the goal last */
	assert_string_equal(count_of("try"), "0");
}

static void an_export_that_holds_it_ends(void **state)
{
	age(100);
	test_sql(&test,
		"INSERT INTO learning.export (tenant_id, id, requested_by, sealed_key)"
		" VALUES ('" TEST_TENANT "', '" ID("801") "', '" CONTRACTOR "', " NO_MEDIA_KEY ")");
	assert_int_equal(remove_old("II", 90), 0);
	assert_string_equal(test_sql_text(&test, "SELECT state FROM learning.export"), "working");
	(void)remove_old("III", 90);
	assert_string_equal(test_sql_text(&test, "SELECT state FROM learning.export"), "invalid");
}

/* What it brings is old, and comes bit by bit. */
static void while_an_archive_comes_in_nothing_goes(void **state)
{
	age(100);
	test_sql(&test,
		"INSERT INTO learning.archive_import (tenant_id, id, created_by, size, received,"
		" sealed_key, state) VALUES ('" TEST_TENANT
		"', '" ID("802") "', '" CONTRACTOR "', 10, 10, " NO_MEDIA_KEY ", 'applying')");
	assert_int_equal(remove_old("III", 90), 0);
	test_sql(&test, "UPDATE learning.archive_import SET state = 'applied'");
	assert_true(remove_old("III", 90) > 0);
}

static void another_tenant_keeps_its_own(void **state)
{
	age(100);
	assert_int_equal(remove_in(TEST_OTHER_TENANT, rule("III", 90)), 0);
	assert_string_equal(count_of("try"), "3");
}

static void nobody_but_provisioning_may_ask(void **state)
{
	age(100);
	assert_int_equal(step_as("notification", TEST_TENANT, rule("III", 90)).status, 403);
	struct reply reply = ask(&test, STAFF, "retention_step", NULL, rule("III", 90));
	assert_int_equal(reply.status, 403);
	assert_string_equal(count_of("try"), "3");
}

static const char *counted(const char *label, int days)
{
	struct reply reply;
	const struct actor actor = person(&test, STAFF);
	const struct test_request request = { .operation = "retention_count",
		.actor = &actor,
		.caller = "provisioning",
		.params = test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT 'label=%s&before=' || replace(tenancy.stamp(now()"
				" - interval '%d days'), ':', '%%3A')",
				label, days)) };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	return body_of(&test, &reply);
}

/* Three tries; their goal goes only after them and is not counted before. */
static void what_would_go_is_counted(void **state)
{
	age(100);
	assert_string_equal(counted("III", 90), "{\"count\":3}");
	assert_string_equal(counted("III", 110), "{\"count\":0}");
	assert_string_equal(counted("II", 90), "{\"count\":0}");
	assert_string_equal(count_of("try"), "3");
}

static void what_was_not_sent_goes_by_the_class_of_its_pupil_and_school_class(void **state)
{
	age(100);
	test_sql(&test, "DELETE FROM learning.reflection; DELETE FROM learning.try");
	assert_string_equal(counted("III", 90), "{\"count\":4}"); /* a goal and three videos */
	test_sql(&test, "UPDATE learning.member SET label = 'II' WHERE id = '" PUPIL "'");
	assert_string_equal(counted("III", 90), "{\"count\":0}");
	assert_string_equal(counted("II", 90), "{\"count\":4}");
	test_sql(&test, "UPDATE learning.class SET label = 'I' WHERE id = '" CLASS "'");
	assert_string_equal(counted("I", 90), "{\"count\":1}");
	assert_int_equal(remove_old("III", 90), 0);
	assert_int_equal(remove_old("I", 90), 1);
	assert_string_equal(count_of("goal"), "0");
	assert_string_equal(count_of("media WHERE uploader_role = 'student'"), "3");
	assert_int_equal(remove_old("II", 90), 1);
	assert_string_equal(count_of("media WHERE uploader_role = 'student'"), "0");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(it_goes_with_everything_that_belongs_to_it),
		FACT(what_is_younger_stays),
		FACT(nothing_goes_within_a_month_whatever_is_asked),
		FACT(a_word_about_it_keeps_it),
		FACT(a_raised_one_goes_by_its_own_class),
		FACT(a_video_that_was_never_sent_goes_too),
		FACT(every_removal_is_an_event_of_the_class_of_what_went),
		FACT(open_pages_are_told),
		FACT(what_is_much_goes_in_parts),
		FACT(an_export_that_holds_it_ends),
		FACT(while_an_archive_comes_in_nothing_goes),
		FACT(another_tenant_keeps_its_own),
		FACT(nobody_but_provisioning_may_ask),
		FACT(what_would_go_is_counted),
		FACT(what_was_not_sent_goes_by_the_class_of_its_pupil_and_school_class),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
