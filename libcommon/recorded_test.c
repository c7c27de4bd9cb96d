/* Facts about reads that share an event: which are alike, and that nothing goes unrecorded. */
#include "libcommon/recorded.h"

#include <string.h>

#include "libcommon/db.h"
#include "libcommon/testing.h"

#define VIDEO "01890000-0000-7000-8000-00000000000a"
#define OTHER_VIDEO "01890000-0000-7000-8000-00000000000b"
#define OTHER_SESSION "01890000-0000-7000-8000-0000000000f2"

static struct test test;
static struct actor teacher;

/* What a handler finds out. */
static struct {
	const char *object_id;
	enum label label;
	enum err err;
} next;

static enum err look(struct call *c, const void *in, void *out)
{
	c->object_id = next.object_id;
	c->label = next.label;
	return next.err ? fail(c, next.err, "not now") : OK;
}

static const char *const by_gateway[] = { "gateway", NULL };

#define LOOK(name_, shared_s_)                                                                     \
	{                                                                                          \
		.name = (name_), .handler = look, .allow = ROLE_INSTRUCTOR, .flags = OP_READS,     \
		.status = 204, .callers = by_gateway,                                              \
		.audit = { "datastore_activity.read", 6005, 1 }, .audit_shared_s = (shared_s_)     \
	}

static const struct op ops[] = {
	LOOK("look", 60),
	LOOK("look_briefly", 0),
	LOOK("look_otherwise", 60),
};

static const struct service learning = {
	.name = "learning",
	.ops = ops,
	.ops_n = sizeof(ops) / sizeof(ops[0]),
};

static int open_world(void **state)
{
	test_open(&test, &learning);
	teacher = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_INSTRUCTOR);
	next.object_id = VIDEO;
	next.label = LABEL_NONE;
	next.err = OK;
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* How many events there are after one more look. */
static const char *events_after(struct test_request request)
{
	struct reply reply;
	if (!request.operation)
		request.operation = "look";
	if (!request.actor)
		request.actor = &teacher;
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, next.err ? 404 : 204);
	return test_sql_text(&test, "SELECT count(*) FROM learning.outbox");
}

static void alike_looks_share_an_event(void **state)
{
	for (int i = 0; i < 5; i++)
		assert_string_equal(events_after((struct test_request){ 0 }), "1");
}

static void what_shares_nothing_is_recorded_each_time(void **state)
{
	const struct test_request request = { .operation = "look_briefly" };
	assert_string_equal(events_after(request), "1");
	assert_string_equal(events_after(request), "2");
}

static void another_session_object_class_address_or_operation_is_not_alike(void **state)
{
	struct actor again = teacher;
	again.session_id = OTHER_SESSION;
	assert_string_equal(events_after((struct test_request){ 0 }), "1");
	assert_string_equal(events_after((struct test_request){ .actor = &again }), "2");
	assert_string_equal(events_after((struct test_request){ .source = "192.0.2.1" }), "3");
	assert_string_equal(
		events_after((struct test_request){ .operation = "look_otherwise" }), "4");
	next.object_id = OTHER_VIDEO;
	assert_string_equal(events_after((struct test_request){ 0 }), "5");
	next.label = LABEL_III;
	assert_string_equal(events_after((struct test_request){ 0 }), "6");
	next.object_id = VIDEO;
	next.label = LABEL_NONE;
	assert_string_equal(events_after((struct test_request){ 0 }), "6");
}

static void each_refused_look_is_recorded(void **state)
{
	assert_string_equal(events_after((struct test_request){ 0 }), "1");
	next.err = ERR_NOT_FOUND;
	assert_string_equal(events_after((struct test_request){ 0 }), "2");
	assert_string_equal(events_after((struct test_request){ 0 }), "3");
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM learning.outbox"
				    " WHERE body LIKE '%\"status_code\":\"not_found\"%'"),
		"2");
}

static void what_could_not_be_recorded_is_refused_and_recorded_next_time(void **state)
{
	struct reply reply;
	const struct test_request request = { .operation = "look", .actor = &teacher };
	test_sql(&test, "REVOKE INSERT ON learning.outbox FROM manabiya_learning");
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.err, ERR_INTERNAL);
	test_sql(&test, "GRANT INSERT ON learning.outbox TO manabiya_learning");
	assert_string_equal(events_after(request), "1");
	assert_string_equal(events_after(request), "1");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(alike_looks_share_an_event),
		FACT(what_shares_nothing_is_recorded_each_time),
		FACT(another_session_object_class_address_or_operation_is_not_alike),
		FACT(each_refused_look_is_recorded),
		FACT(what_could_not_be_recorded_is_refused_and_recorded_next_time),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
