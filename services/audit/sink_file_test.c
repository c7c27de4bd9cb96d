/* The sink's file holds every event once, whatever happens between file and database. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/db.h"
#include "services/audit/audit_world.h"
#include "services/audit/sink.h"

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	sink_conf.file = arena_printf(test.arena, "%s/audit.ndjson", test_directory(&test));
	assert_int_equal(pipeline_open(), OK);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static void happen_many(int n)
{
	for (int i = 0; i < n; i++)
		happen(&test,
			(struct happening){ .tenant_id = i % 3 ? TEST_TENANT : TEST_OTHER_TENANT });
}

/* One turn of the job; with `crash`, the process dies before the commit. */
static bool run(bool crash)
{
	bool more = false;
	struct call c = test_call(&test, NULL);
	assert_int_equal(sink_file_run(&c, &more), OK);
	if (crash)
		db_rollback(test.db);
	else
		assert_int_equal(db_commit(&c), OK);
	return more;
}

static char *content(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	char *text = arena_alloc(test.arena, (size_t)status.st_size + 1);
	assert_int_equal(read(fd, text, (size_t)status.st_size), status.st_size);
	close(fd);
	return text;
}

/* The file is exactly the stored lines, in the order in which they came. */
static void expect_complete(void)
{
	assert_string_equal(content(sink_conf.file),
		test_sql_text(&test,
			"SELECT string_agg(line || chr(10), '' ORDER BY arrival)"
			" FROM audit.event"));
}

static void drain(void)
{
	while (run(false))
		;
}

static void every_event_goes_out_in_order(void **state)
{
	happen_many(7);
	drain();
	expect_complete();
	happen_many(5);
	drain();
	expect_complete();
}

static void a_lost_commit_doubles_nothing(void **state)
{
	happen_many(4);
	drain();
	happen_many(5);
	(void)run(true);
	happen_many(2);
	(void)run(true);
	drain();
	expect_complete();
}

static void a_line_written_in_part_is_written_again(void **state)
{
	happen_many(6);
	(void)run(true);
	size_t n = strlen(content(sink_conf.file));
	for (size_t cut = 1; cut < n; cut += 97) {
		test_sql(&test,
			"DELETE FROM audit.sink_position;"
			"UPDATE audit.sink SET held_until = now()");
		assert_int_equal(truncate(sink_conf.file, (off_t)(n - cut)), 0);
		(void)run(true);
		drain();
		expect_complete();
	}
}

static void any_number_of_crashes_between_batches_doubles_nothing(void **state)
{
	test_sql(&test,
		"INSERT INTO audit.head (tenant_id, sequence) VALUES ('" TEST_TENANT "', 1203);"
		"INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, line)"
		" SELECT '" TEST_TENANT "', gen_random_uuid(), n, now(), 'a.b', 'success',"
		" '{}' FROM generate_series(1, 1203) n ORDER BY n;"
		"UPDATE audit.event SET line = '{\"metadata\":{\"tenant_uid\":\"' || tenant_id"
		" || '\",\"uid\":\"' || id || '\",\"sequence\":' || sequence || '}}'");
	for (int crashes = 0; crashes < 8; crashes++)
		(void)run(true);
	drain();
	expect_complete();
}

static void a_file_renamed_away_is_begun_anew(void **state)
{
	const char *old = arena_printf(test.arena, "%s.1", sink_conf.file);
	happen_many(3);
	drain();
	assert_int_equal(rename(sink_conf.file, old), 0);
	happen_many(2);
	drain();
	assert_string_equal(arena_printf(test.arena, "%s%s", content(old), content(sink_conf.file)),
		test_sql_text(&test,
			"SELECT string_agg(line || chr(10), '' ORDER BY arrival)"
			" FROM audit.event"));
}

static void lines_of_another_past_move_nothing(void **state)
{
	const struct happening lost = { .tenant_id = TEST_TENANT };
	const char *line = line_of(test.arena, &lost);
	FILE *file = fopen(sink_conf.file, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "%.*s,\"sequence\":99}}\nnot ours\n", (int)strlen(line) - 2,
			    line) > 0);
	assert_int_equal(fclose(file), 0);
	happen_many(3);
	drain();
	assert_string_equal(strstr(content(sink_conf.file), "not ours\n") + 9,
		test_sql_text(&test,
			"SELECT string_agg(line || chr(10), '' ORDER BY arrival)"
			" FROM audit.event"));
}

/* A pipe that nobody empties would hold up the end of the process. */
static void what_is_no_ordinary_file_gets_nothing(void **state)
{
	bool more = false;
	char some[1];
	assert_int_equal(mkfifo(sink_conf.file, 0600), 0);
	int reader = open(sink_conf.file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	happen_many(1);
	struct call c = test_call(&test, NULL);
	assert_int_equal(sink_file_run(&c, &more), ERR_UNAVAILABLE);
	db_rollback(test.db);
	assert_true(read(reader, some, sizeof(some)) <= 0);
	close(reader);
}

static void without_a_file_nothing_is_taken(void **state)
{
	sink_conf.file = "";
	happen_many(2);
	assert_false(run(false));
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.sink_position"), "0");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(every_event_goes_out_in_order),
		FACT(a_lost_commit_doubles_nothing),
		FACT(a_line_written_in_part_is_written_again),
		FACT(any_number_of_crashes_between_batches_doubles_nothing),
		FACT(a_file_renamed_away_is_begun_anew),
		FACT(lines_of_another_past_move_nothing),
		FACT(what_is_no_ordinary_file_gets_nothing),
		FACT(without_a_file_nothing_is_taken),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
