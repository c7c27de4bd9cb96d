/* Facts about log records as they are made; tests/flow/pipeline_flow_test.py has a receiver. */
#include "libcommon/json.h"
#include "services/audit/audit_world.h"
#include "services/audit/sink.h"

static struct arena *arena;

static int open_arena(void **state)
{
	arena = arena_new();
	sink_conf.host_name = "audit.example.jp";
	return 0;
}

static int close_arena(void **state)
{
	arena_free(arena);
	return 0;
}

static const struct json *records_of(const struct batch *batch)
{
	const struct json *body;
	struct buf text = { .arena = arena };
	otlp_body(batch, &text);
	assert_int_equal(json_parse(arena, text.data, text.n, &body), OK);
	const struct json *logs = json_item(json_member(body, "resourceLogs"), 0);
	const struct json *scope = json_item(json_member(logs, "scopeLogs"), 0);
	return json_member(scope, "logRecords");
}

static struct sink_event event_with(const char *line)
{
	return (struct sink_event){ .tenant_id = TEST_TENANT,
		.id = TEST_USER,
		.sequence = "9007199254740993",
		.unix_ms = 1775608200123,
		.operation = "auth.session_create",
		.line = line };
}

static void the_line_is_the_body_byte_for_byte(void **state)
{
	static struct batch batch = { .n = 2 };
	static const char line[] = "{\"name\":\"南 \\\"小\\\"\",\"path\":\"a\\\\b\"}";
	batch.events[0] = batch.events[1] = event_with(line);
	const struct json *records = records_of(&batch);
	assert_int_equal(json_count(records), 2);
	const struct json *body = json_member(json_item(records, 1), "body");
	assert_string_equal(json_text(json_member(body, "stringValue")), line);
}

/* A number would be a double on the way. */
static void large_numbers_are_texts(void **state)
{
	static struct batch batch = { .n = 1 };
	batch.events[0] = event_with("{}");
	const struct json *record = json_item(records_of(&batch), 0);
	assert_string_equal(json_text(json_member(record, "timeUnixNano")), "1775608200123000000");
	const struct json *sequence = json_item(json_member(record, "attributes"), 3);
	assert_string_equal(json_text(json_member(sequence, "key")), "manabiya.sequence");
	assert_string_equal(json_text(json_member(json_member(sequence, "value"), "intValue")),
		"9007199254740993");
}

static void what_failed_is_a_warning(void **state)
{
	static struct batch batch = { .n = 2 };
	batch.events[0] = batch.events[1] = event_with("{}");
	batch.events[1].has_failed = true;
	const struct json *records = records_of(&batch);
	assert_int_equal(json_integer(json_member(json_item(records, 0), "severityNumber"), 0), 9);
	assert_int_equal(json_integer(json_member(json_item(records, 1), "severityNumber"), 0), 13);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		FACT(the_line_is_the_body_byte_for_byte),
		FACT(large_numbers_are_texts),
		FACT(what_failed_is_a_warning),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
