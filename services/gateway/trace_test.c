#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/trace.h"

#define CALL "01900000-1111-7222-8333-444444444444"
#define GIVEN "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void a_given_trace_goes_on_in_a_span_of_ours(void **state)
{
	struct arena *arena = arena_new();
	const char *mine = trace_parent(arena, GIVEN, CALL);
	assert_true(trace_is_valid(mine));
	assert_memory_equal(mine, GIVEN, 36);
	assert_memory_not_equal(mine + 36, &GIVEN[36], 16);
	assert_string_equal(mine + 52, "-01");
	arena_free(arena);
}

static void a_new_trace_is_named_after_the_call(void **state)
{
	static const char *const broken[] = { NULL, "", "00", "ff-" GIVEN,
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x", GIVEN "-00" };
	struct arena *arena = arena_new();
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		const char *mine = trace_parent(arena, broken[i], CALL);
		assert_true(trace_is_valid(mine));
		assert_memory_equal(mine, "00-01900000111172228333444444444444-", 36);
	}
	arena_free(arena);
}

static void what_cannot_be_a_trace_names_none(void **state)
{
	static const char *const broken[] = { NULL, "", "me", CALL "0",
		"00000000-0000-0000-0000-000000000000" };
	struct arena *arena = arena_new();
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_true(trace_is_valid(trace_parent(arena, NULL, broken[i])));
	arena_free(arena);
}

static void the_call_is_named_after_the_trace(void **state)
{
	struct arena *arena = arena_new();
	assert_string_equal(trace_call_id(arena, GIVEN), "0af76519-16cd-43dd-8448-eb211c80319c");
	assert_string_equal(trace_call_id(arena, trace_parent(arena, NULL, CALL)), CALL);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_given_trace_goes_on_in_a_span_of_ours),
		cmocka_unit_test(a_new_trace_is_named_after_the_call),
		cmocka_unit_test(what_cannot_be_a_trace_names_none),
		cmocka_unit_test(the_call_is_named_after_the_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
