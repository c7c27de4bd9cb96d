/* Facts about syslog messages as they are made; tests/flow/pipeline_flow_test.py has a receiver. */
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

static const char *frame_of(struct sink_event event)
{
	struct buf out = { .arena = arena };
	event.unix_ms = 1775608200000; /* 2026-04-08T00:30:00Z */
	event.operation = event.operation ? event.operation : "auth.session_create";
	syslog_frame(&event, &out);
	return out.data;
}

static void a_message_has_its_length_in_front(void **state)
{
	assert_string_equal(frame_of((struct sink_event){ .line = "{\"name\":\"南\"}" }),
		"96 <110>1 2026-04-08T00:30:00.000Z audit.example.jp manabiya - "
		"auth.session_create - {\"name\":\"南\"}");
	assert_string_equal(frame_of((struct sink_event){ .line = "{}", .has_failed = true }),
		"84 <108>1 2026-04-08T00:30:00.000Z audit.example.jp manabiya - "
		"auth.session_create - {}");
}

static void a_long_operation_is_cut_as_the_field_demands(void **state)
{
	const char *frame = frame_of((struct sink_event){
		.line = "{}", .operation = "provisioning.a_name_that_is_longer_than_it" });
	assert_non_null(strstr(frame, " - provisioning.a_name_that_is_long - {}"));
}

/* It would end the field, or break the header. */
static void a_host_name_that_is_none_is_left_out(void **state)
{
	static const char *const bad[] = { "", "a b", "a\nb", "学校" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sink_conf.host_name = bad[i];
		assert_non_null(
			strstr(frame_of((struct sink_event){ .line = "{}" }), "Z - manabiya "));
	}
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		FACT(a_message_has_its_length_in_front),
		FACT(a_long_operation_is_cut_as_the_field_demands),
		FACT(a_host_name_that_is_none_is_left_out),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
