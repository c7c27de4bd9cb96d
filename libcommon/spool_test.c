/* Facts about the bound of what waits for audit: who is refused, what is counted, how it heals. */
#include "libcommon/spool.h"

#include <string.h>

#include "libcommon/db.h"
#include "libcommon/testing.h"

#define BOUND 3

static struct test test;
static struct actor contractor;
static int runs;

static enum err count_runs(struct call *c, const void *in, void *out)
{
	runs++;
	return OK;
}

static const char *const by_gateway[] = { "gateway", NULL };

#define AUDITED(name_, flags_)                                                                     \
	{                                                                                          \
		.name = (name_), .handler = count_runs, .allow = ROLE_CONTRACTOR,                  \
		.flags = (flags_), .status = 204, .callers = by_gateway, .audit = {                \
			"entity_management.update",                                                \
			3004,                                                                      \
			3                                                                          \
		}                                                                                  \
	}

static const struct op ops[] = {
	AUDITED("change", OP_WRITES),
	{ .name = "plain",
		.handler = count_runs,
		.allow = ROLE_CONTRACTOR,
		.status = 204,
		.callers = by_gateway },
	AUDITED("read", OP_READS),
};

static const struct service learning = {
	.name = "learning",
	.ops = ops,
	.ops_n = sizeof(ops) / sizeof(ops[0]),
};

static int open_world(void **state)
{
	test_open(&test, &learning);
	contractor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	spool_bound(BOUND);
	return 0;
}

static int close_world(void **state)
{
	spool_bound(0);
	test_close(&test);
	return 0;
}

static struct reply dispatch(const struct actor *actor, const char *operation)
{
	struct reply reply;
	const struct test_request request = { .operation = operation, .actor = actor };
	runs = 0;
	test_dispatch(&test, &request, &reply, NULL);
	return reply;
}

static struct reply ask_as(const struct actor *actor, const char *operation)
{
	const struct reply reply = dispatch(actor, operation);
	assert_int_equal(runs, reply.status == 204);
	return reply;
}

static unsigned ask(const char *operation)
{
	return ask_as(&contractor, operation).status;
}

static void fill_with_changes(void)
{
	for (int i = 0; i < BOUND; i++)
		assert_int_equal(ask("change"), 204);
}

static const char *waiting(void)
{
	return test_sql_text(&test, "SELECT count(*) FROM learning.outbox");
}

static void measure(void)
{
	struct call c = test_call(&test, NULL);
	/* As at start: the last answer is of no use any more. */
	spool_bound(BOUND);
	assert_int_equal(spool_measure(&c), OK);
	db_rollback(c.db);
}

static void a_change_is_refused_before_it_runs(void **state)
{
	fill_with_changes();
	const struct reply reply = ask_as(&contractor, "change");
	assert_int_equal(reply.status, 503);
	assert_true(reply.executed); /* which says: ask no other instance */
	assert_non_null(strstr((const char *)reply.body.data, "\"code\":\"audit_unavailable\""));
	assert_non_null(strstr(reply.headers.data, "Retry-After: 5\r\n"));
	assert_string_equal(waiting(), "3");
}

static void reads_go_on(void **state)
{
	fill_with_changes();
	for (int i = 0; i < BOUND; i++) {
		assert_int_equal(ask("read"), 204);
		assert_int_equal(ask("plain"), 204);
	}
	assert_string_equal(waiting(), "6");
	/* None goes unrecorded: what cannot be recorded is not read. */
	assert_int_equal(ask("read"), 503);
	assert_int_equal(ask("plain"), 204);
	assert_string_equal(waiting(), "6");
}

/* Refusals are recorded too: a flood of them must not fill the disk. */
static void strangers_cannot_make_it_grow(void **state)
{
	fill_with_changes();
	const struct actor pupil = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_STUDENT);
	assert_int_equal(ask_as(&pupil, "change").status, 503);
	assert_int_equal(ask_as(NULL, "change").status, 503);
	assert_string_equal(waiting(), "3");
}

static void what_waits_is_found_again_after_a_restart(void **state)
{
	fill_with_changes();
	measure();
	assert_int_equal(spool_rows(), BOUND);
	assert_int_equal(ask("change"), 503);
}

static void it_heals_when_the_rows_have_gone(void **state)
{
	fill_with_changes();
	test_sql(&test, "DELETE FROM learning.outbox");
	measure();
	assert_int_equal(ask("change"), 204);
}

static void rows_that_wait_for_a_person_do_not_count(void **state)
{
	fill_with_changes();
	test_sql(&test, "UPDATE learning.outbox SET dead_reason = 'refused'");
	measure();
	assert_int_equal(spool_rows(), 0);
}

static void no_more_is_counted_than_is_of_use(void **state)
{
	spool_bound(0);
	for (int i = 0; i < 5 * BOUND; i++)
		assert_int_equal(ask("change"), 204);
	measure();
	assert_int_equal(spool_rows(), 2 * BOUND + 1);
}

static void assert_refused_for_room(const char *operation)
{
	const struct reply reply = dispatch(&contractor, operation);
	assert_int_equal(reply.status, 503);
	assert_non_null(strstr((const char *)reply.body.data, "\"code\":\"audit_unavailable\""));
	assert_non_null(strstr(reply.headers.data, "Retry-After: 5\r\n"));
}

/* By the code that PostgreSQL gives it, whichever statement it is. */
static void a_full_disk_is_a_full_spool(void **state)
{
	test_sql(&test,
		"CREATE FUNCTION learning.full_disk() RETURNS trigger LANGUAGE plpgsql AS"
		" $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$");
	test_sql(&test,
		"CREATE TRIGGER full_disk BEFORE INSERT ON learning.outbox"
		" FOR EACH ROW EXECUTE FUNCTION learning.full_disk()");
	assert_refused_for_room("change");
	assert_refused_for_room("read");
	assert_int_equal(ask("plain"), 204);
	test_sql(&test, "DROP FUNCTION learning.full_disk CASCADE");
	spool_bound(BOUND); /* as measured a second later: of those nothing waits */
	assert_int_equal(ask("change"), 204);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(a_change_is_refused_before_it_runs),
		FACT(reads_go_on),
		FACT(strangers_cannot_make_it_grow),
		FACT(what_waits_is_found_again_after_a_restart),
		FACT(it_heals_when_the_rows_have_gone),
		FACT(rows_that_wait_for_a_person_do_not_count),
		FACT(no_more_is_counted_than_is_of_use),
		FACT(a_full_disk_is_a_full_spool),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
