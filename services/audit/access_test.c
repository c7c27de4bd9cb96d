/* Facts about what a gateway tells of requests, and what is named when it does not. */
#include "services/audit/audit_world.h"

#include "libcommon/db.h"
#include "libcommon/ocsf.h"

static struct test test;

#define RUN "01900000-0000-7000-8000-0000000000a1"
#define OTHER_RUN "01900000-0000-7000-8000-0000000000a2"

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	access_silence_s = 60;
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* As the owner of the database; the first column of the first row. */
static const char *stored(const char *sql)
{
	return test_sql_text(&test, sql);
}

static void call(const char *operation, const char *body)
{
	struct reply reply;
	const struct test_request request = {
		.operation = operation, .caller = "gateway", .body = body
	};
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 204);
}

static void open_for(const char *run_id, const char *tenant_id)
{
	call("access_open",
		arena_printf(
			test.arena, "{\"runId\":\"%s\",\"tenantId\":\"%s\"}", run_id, tenant_id));
}

/* A batch with one line, or a word without any; NULL: none. */
static void tell(const char *run_id, int batches, const char *line, bool is_end)
{
	const char *lines = lines_body(test.arena, &line, line ? 1 : 0);
	call("access_append",
		arena_printf(test.arena, "%.*s,\"runId\":\"%s\",\"stored\":%d,\"ended\":%s}",
			(int)strlen(lines) - 1, lines, run_id, batches, is_end ? "true" : "false"));
}

static const char *a_line(const char *tenant_id)
{
	const struct happening what = { .tenant_id = tenant_id, .operation = "gateway.request" };
	return line_of(test.arena, &what);
}

/* As the job does, when nobody has told anything for so long while it looked. */
static void look_after(int silence_s)
{
	bool more;
	test_sql(&test,
		arena_printf(test.arena, "UPDATE audit.access_run SET silent_s = silent_s + %d",
			silence_s));
	struct call c = test_call(&test, NULL);
	assert_int_equal(access_run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_false(more);
}

#define GAPS                                                                                       \
	"SELECT coalesce(string_agg(right(tenant_id::text, 2) || ' ' || right(run_id::text, 2)"    \
	" || coalesce(' ' || changed, ''), ',' ORDER BY tenant_id, run_id, found_at, id), '')"     \
	" FROM audit.gap WHERE kind = 'accesses_missing' AND service = 'gateway'"

static void a_run_that_is_gone_is_named_to_all_for_whom_it_read(void **state)
{
	open_for(RUN, TEST_TENANT);
	open_for(RUN, TEST_TENANT);
	open_for(OTHER_RUN, TEST_OTHER_TENANT);
	tell(RUN, 0, a_line(TEST_TENANT), false);
	look_after(59);
	tell(OTHER_RUN, 0, NULL, false);
	assert_string_equal(stored(GAPS), "");
	look_after(1);
	assert_string_equal(stored(GAPS), "01 a1,0a a1");
	look_after(58);
	assert_string_equal(stored(GAPS), "01 a1,0a a1");
	look_after(2);
	assert_string_equal(stored(GAPS), "01 a1,01 a2,0a a1,0b a2");
	look_after(1000);
	assert_string_equal(stored(GAPS), "01 a1,01 a2,0a a1,0b a2");
}

static void a_run_that_has_ended_is_not(void **state)
{
	open_for(RUN, TEST_TENANT);
	tell(RUN, 0, a_line(TEST_TENANT), false);
	tell(RUN, 1, NULL, true);
	tell(RUN, 0, a_line(TEST_TENANT), false); /* late, and once more */
	tell(RUN, 1, NULL, true);
	tell(OTHER_RUN, 0, NULL, true); /* never heard of before */
	look_after(1000);
	assert_string_equal(stored(GAPS), "");
	assert_string_equal(stored("SELECT count(*) FROM audit.access_reader"), "0");
}

/* Cut off for a while: what it tells then is stored, and the next silence is named again. */
static void a_run_that_comes_back_goes_on(void **state)
{
	open_for(RUN, TEST_TENANT);
	look_after(60);
	tell(RUN, 0, a_line(TEST_TENANT), false);
	look_after(59);
	assert_string_equal(stored(GAPS), "01 a1,0a a1");
	assert_string_equal(stored("SELECT count(*) FROM audit.event"), "1");
	look_after(1);
	assert_string_equal(stored(GAPS), "01 a1,01 a1,0a a1,0a a1");
}

/* While nobody can tell anything, nothing counts as silence: a look adds some seconds at most. */
static void what_nobody_saw_is_no_silence(void **state)
{
	open_for(RUN, TEST_TENANT);
	test_sql(&test,
		"UPDATE audit.access_run SET told_at = now() - interval '1 hour',"
		" looked_at = now() - interval '1 hour'");
	look_after(56);
	assert_string_equal(stored(GAPS), "");
	look_after(1);
	assert_string_equal(stored(GAPS), "01 a1,0a a1");
}

static void batches_that_are_not_here_any_more_are_named(void **state)
{
	open_for(RUN, TEST_TENANT);
	tell(RUN, 0, a_line(TEST_TENANT), false);
	tell(RUN, 0, a_line(TEST_TENANT), false); /* its answer was lost, so it comes again */
	tell(RUN, 1, a_line(TEST_TENANT), false);
	tell(RUN, 2, NULL, false);
	assert_string_equal(stored(GAPS), "");
	test_sql(&test, "UPDATE audit.access_run SET stored = 1"); /* restored */
	tell(RUN, 2, a_line(TEST_TENANT), false);
	assert_string_equal(stored(GAPS), "01 a1,0a a1");
	tell(RUN, 3, NULL, false);
	assert_string_equal(stored(GAPS), "01 a1,0a a1");
}

static void what_had_no_room_is_named_to_its_tenant_from_class_iii_on(void **state)
{
	const char *id = uuid_make(test.arena);
	const char *graver = ocsf_lost_line(test.arena, id, TIME_MS, TEST_TENANT, LABEL_III, 7);
	const char *other = ocsf_lost_line(
		test.arena, uuid_make(test.arena), TIME_MS, TEST_TENANT, LABEL_IV, 9);
	const char *stranger =
		ocsf_lost_line(test.arena, uuid_make(test.arena), TIME_MS, "", LABEL_III, 3);
	tell(RUN, 0, graver, false);
	tell(RUN, 0, graver, false);
	tell(RUN, 1, other, false);
	tell(RUN, 2, stranger, false);
	assert_string_equal(stored(GAPS), "01 a1 3,0a a1 7");
	assert_string_equal(stored("SELECT event_id FROM audit.gap WHERE changed = 7"), id);
	assert_string_equal(stored("SELECT count(*) FROM audit.event"), "3");
}

static void only_the_gateway_tells_of_requests(void **state)
{
	static const struct test_request refused[] = {
		{ .operation = "access_append", .caller = "learning", .body = "{}" },
		{ .operation = "access_open", .caller = "learning", .body = "{}" },
		{ .operation = "event_append",
			.caller = "gateway",
			.body = "{\"lines\":[\"{}\"]}" },
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct reply reply;
		test_dispatch(&test, &refused[i], &reply, NULL);
		assert_int_equal(reply.status, 403);
	}
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(a_run_that_is_gone_is_named_to_all_for_whom_it_read),
		FACT(a_run_that_has_ended_is_not),
		FACT(a_run_that_comes_back_goes_on),
		FACT(what_nobody_saw_is_no_silence),
		FACT(batches_that_are_not_here_any_more_are_named),
		FACT(what_had_no_room_is_named_to_its_tenant_from_class_iii_on),
		FACT(only_the_gateway_tells_of_requests),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
