#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"

static int new_arena(void **state)
{
	*state = arena_new();
	return 0;
}

static int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}

static void what_was_added_stands_in_order(void **state)
{
	struct buf buf = { .arena = *state };
	assert_null(buf.data);
	buf_text(&buf, "a=");
	buf_printf(&buf, "%d", 42);
	buf_char(&buf, '&');
	buf_add(&buf, "b\0c", 3);
	assert_int_equal(buf.n, 8);
	assert_memory_equal(buf.data, "a=42&b\0c", 9);
}

static void adding_nothing_still_ends_in_nul(void **state)
{
	struct buf buf = { .arena = *state };
	buf_add(&buf, NULL, 0);
	assert_string_equal(buf.data, "");
}

static void growth_keeps_what_is_there(void **state)
{
	struct buf buf = { .arena = *state };
	for (int i = 0; i < 10000; i++)
		buf_printf(&buf, "%05d", i);
	assert_int_equal(buf.n, 50000);
	assert_memory_equal(buf.data, "0000000001", 10);
	assert_string_equal(buf.data + 49990, "0999809999");
}

#define IN_ARENA(test_) cmocka_unit_test_setup_teardown(test_, new_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ARENA(what_was_added_stands_in_order),
		IN_ARENA(adding_nothing_still_ends_in_nul),
		IN_ARENA(growth_keeps_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
