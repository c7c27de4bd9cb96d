/* Facts about events on standard output. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
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
	sink_conf.to_stdout = false; /* the tests' own may be the log's too */
	assert_int_equal(pipeline_open(), OK);
	sink_conf.to_stdout = true;
	sink_stdout.rest_ms = sink_stdout.rest_until_ms = 0;
	sink_stdout.most = 0;
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

/* The process can end all the same, and nothing counts as told: it comes again as a whole, behind
 * the line that was cut. */
static void who_does_not_read_is_not_waited_for(void **state)
{
	bool more;
	for (int i = 0; i < 40; i++)
		happen(&test, (struct happening){ .tenant_id = TEST_TENANT });
	assert_int_equal(turn(&more), ERR_UNAVAILABLE);
	const char *first = read_some();
	assert_true(strlen(first) < 40 * 300);
	assert_true(first[strlen(first) - 1] != '\n');
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.sink_position"), "0");
	test_sql(&test,
		"DELETE FROM audit.event WHERE arrival > (SELECT min(arrival) FROM audit.event)");
	sink_stdout.rest_ms = sink_stdout.rest_until_ms = 0;
	assert_int_equal(turn(&more), OK);
	assert_string_equal(read_some(),
		test_sql_text(&test, "SELECT chr(10) || line || chr(10) FROM audit.event"));
}

/* Reads a little, again and again, as long as somebody writes; the pipe is 4 KB. */
static void *read_slowly(void *arg)
{
	char some[4096];
	struct pollfd in = { .fd = reader, .events = POLLIN };
	atomic_bool *is_over = arg;
	while (!*is_over) {
		if (poll(&in, 1, 100) > 0)
			assert_true(read(reader, some, sizeof(some)) > 0);
		usleep(500000);
	}
	return NULL;
}

/* Some 150 KB, which would take this reader twenty seconds: the process can end all the same. */
static void who_reads_slowly_is_not_waited_for_either(void **state)
{
	bool more;
	pthread_t thread;
	static atomic_bool is_over;
	test_sql(&test,
		"INSERT INTO audit.head (tenant_id, sequence) VALUES ('" TEST_TENANT "', 500);"
		"INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, line)"
		" SELECT '" TEST_TENANT "', gen_random_uuid(), n, now(), 'a.b', 'success',"
		" repeat('x', 300) FROM generate_series(1, 500) n");
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &is_over), 0);
	assert_int_equal(turn(&more), ERR_UNAVAILABLE);
	is_over = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.sink_position"), "0");
}

/* What is written there waits for the reader, and a line of the log must not. */
static void the_log_goes_another_way(void **state)
{
	int pipe_ends[2], out = dup(STDOUT_FILENO), log = dup(STDERR_FILENO);
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	assert_int_equal(fflush(stdout), 0);
	assert_int_equal(dup2(pipe_ends[1], STDOUT_FILENO), STDOUT_FILENO);
	enum err apart = pipeline_open();
	assert_int_equal(dup2(pipe_ends[1], STDERR_FILENO), STDERR_FILENO);
	enum err together = pipeline_open();
	sink_conf.to_stdout = false;
	enum err off = pipeline_open();
	assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
	for (size_t i = 0; i < 2; i++)
		close(pipe_ends[i]);
	close(out);
	close(log);
	assert_int_equal(apart, OK);
	assert_int_equal(together, ERR_INVALID);
	assert_int_equal(off, OK);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(events_are_lines),
		FACT(who_does_not_read_is_not_waited_for),
		FACT(who_reads_slowly_is_not_waited_for_either),
		FACT(the_log_goes_another_way),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
