/* Facts about the log that is compared with its own tree: what is gone or changed is named, once.
 */
#include "libcommon/log.h"
#include "services/audit/log_world.h"

static struct test test;

#define SIZE 700 /* two full tiles, and one that is not */

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	grow_log(&test, SIZE);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* One turn of the job. */
static void compare(void)
{
	bool more;
	struct call c = test_call(&test, NULL);
	assert_int_equal(compare_run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_false(more);
}

static void assert_gaps(const char *expected)
{
	compare();
	assert_string_equal(
		test_sql_text(&test,
			"SELECT coalesce(string_agg(concat_ws(' ', right(tenant_id::text, 2), kind,"
			" first_sequence || '-' || last_sequence), ', ' ORDER BY tenant_id,"
			" first_sequence, last_sequence), '') FROM audit.gap"),
		expected);
}

static void what_is_whole_is_not_named(void **state)
{
	assert_gaps("");
	for (int n = 1; n < 100; n += 7) {
		grow_log(&test, n);
		assert_gaps("");
	}
}

static void lines_that_are_gone_are_named_once(void **state)
{
	test_sql(&test, "DELETE FROM audit.event WHERE sequence IN (1, 300, 301, 302, 700)");
	log_open("test", LOG_LEVEL_ERROR + 1);
	assert_gaps("0a event_removed 1-1, 0a event_removed 300-302, 0a event_removed 700-700");
	grow_log(&test, 400);
	assert_gaps("0a event_removed 1-1, 0a event_removed 300-302, 0a event_removed 700-700");
	/* Each says the time of the line before it, where there is one. */
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM audit.gap WHERE at ="
				    " (SELECT min(time) FROM audit.event)"),
		"2");
	test_sql(&test, "DELETE FROM audit.event WHERE sequence > 512");
	assert_gaps("0a event_removed 1-1, 0a event_removed 300-302, 0a event_removed 513-768,"
		    " 0a event_removed 700-700, 0a event_removed 769-1024,"
		    " 0a event_removed 1025-1100");
}

static void a_line_that_was_changed_is_named_with_those_around_it_once(void **state)
{
	test_sql(&test,
		"UPDATE audit.event SET line = replace(line, 'thing', 'think')"
		" WHERE sequence IN (300, 301, 600)");
	log_open("test", LOG_LEVEL_ERROR + 1);
	assert_gaps("0a event_changed 257-512, 0a event_changed 513-700");
	grow_log(&test, 400);
	assert_gaps("0a event_changed 257-512, 0a event_changed 513-700");
}

/* Who exchanges two lines has taken nothing away. */
static void so_are_lines_in_another_order(void **state)
{
	test_sql(&test,
		"UPDATE audit.event SET sequence = -sequence WHERE sequence IN (10, 20);"
		"UPDATE audit.event SET sequence = 30 + sequence WHERE sequence < 0");
	log_open("test", LOG_LEVEL_ERROR + 1);
	assert_gaps("0a event_changed 1-256");
}

/* More tiles than a turn looks at, and another log behind them. */
static void it_goes_round(void **state)
{
	const char *line =
		line_of(test.arena, &(struct happening){ .tenant_id = TEST_OTHER_TENANT });
	assert_int_equal(append_lines(&test, &line, 1).status, 204);
	grow_log(&test, 17 * 256);
	test_sql(&test,
		"DELETE FROM audit.event WHERE sequence = 5000 OR tenant_id = '" TEST_OTHER_TENANT
		"'");
	log_open("test", LOG_LEVEL_ERROR + 1);
	assert_gaps("");
	test_sql(&test, "DELETE FROM audit.event WHERE sequence = 7");
	assert_gaps("0a event_removed 5000-5000, 0b event_removed 1-1");
	assert_gaps("0a event_removed 7-7, 0a event_removed 5000-5000, 0b event_removed 1-1");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(what_is_whole_is_not_named),
		FACT(lines_that_are_gone_are_named_once),
		FACT(a_line_that_was_changed_is_named_with_those_around_it_once),
		FACT(so_are_lines_in_another_order),
		FACT(it_goes_round),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
