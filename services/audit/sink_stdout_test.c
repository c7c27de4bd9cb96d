/* Facts about events on standard output. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "libcommon/db.h"
#include "services/audit/audit_world.h"
#include "services/audit/sink.h"

static struct test test;
static int reader;

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	assert_int_equal(pipeline_open(), OK);
	sink_conf.to_stdout = true;
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* cmocka speaks on standard output too: it is a pipe of ours during one turn only. */
static enum err turn(bool *more)
{
	static int writer = -1;
	int pipe_ends[2], kept = dup(STDOUT_FILENO);
	assert_true(kept >= 0);
	if (writer < 0) {
		assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
		reader = pipe_ends[0];
		writer = pipe_ends[1];
		assert_true(fcntl(writer, F_SETPIPE_SZ, 4096) >= 4096);
	}
	assert_int_equal(fflush(stdout), 0);
	assert_int_equal(dup2(writer, STDOUT_FILENO), STDOUT_FILENO);
	struct call c = test_call(&test, NULL);
	enum err e = sink_stdout_run(&c, more);
	if (e)
		db_rollback(test.db);
	else
		e = db_commit(&c);
	assert_int_equal(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
	close(kept);
	return e;
}

static const char *read_some(void)
{
	char *text = arena_alloc(test.arena, 65536);
	assert_true(read(reader, text, 65535) > 0);
	return text;
}

static void events_are_lines(void **state)
{
	bool more;
	happen(&test, (struct happening){ .tenant_id = TEST_TENANT });
	happen(&test, (struct happening){ .tenant_id = TEST_OTHER_TENANT });
	assert_int_equal(turn(&more), OK);
	assert_string_equal(read_some(),
		test_sql_text(&test,
			"SELECT string_agg(line || chr(10), '' ORDER BY arrival) FROM "
			"audit.event"));
}

/* The process can end all the same, and nothing counts as told. */
static void who_does_not_read_is_not_waited_for(void **state)
{
	bool more;
	for (int i = 0; i < 40; i++)
		happen(&test, (struct happening){ .tenant_id = TEST_TENANT });
	assert_int_equal(turn(&more), ERR_UNAVAILABLE);
	const char *first = read_some();
	assert_true(strlen(first) < 40 * 300);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.sink_position"), "0");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(events_are_lines),
		FACT(who_does_not_read_is_not_waited_for),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
