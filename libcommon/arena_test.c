#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/arena.h"

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

static void memory_is_zeroed_and_aligned(void **state)
{
	static const unsigned char zero[5000];
	for (int turn = 0; turn < 3; turn++) {
		for (size_t size = 0; size < sizeof(zero); size += 617) {
			unsigned char *at = arena_alloc(*state, size);
			assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
			assert_memory_equal(at, zero, size);
			memset(at, 0xaa, size);
		}
		arena_reset(*state);
	}
}

static void large_pieces_get_blocks_of_their_own(void **state)
{
	unsigned char *large = arena_alloc(*state, 1 << 20);
	large[(1 << 20) - 1] = 1;
	const unsigned char *small = arena_alloc(*state, 8);
	assert_int_equal(*small, 0);
	assert_int_equal(large[(1 << 20) - 1], 1);
}

static void reset_wipes_what_was_kept(void **state)
{
	unsigned char *before = arena_alloc(*state, 64);
	memset(before, 0x5c, 64);
	arena_reset(*state);
	const unsigned char *after = arena_alloc(*state, 64);
	assert_ptr_equal(before, after);
	assert_int_equal(after[0] | after[63], 0);
}

static void trimming_keeps_what_is_in_use_and_the_rest_zero(void **state)
{
	unsigned char *kept = arena_alloc(*state, 5000);
	memset(kept, 0x5c, 5000);
	arena_trim(*state);
	assert_int_equal(kept[0] & kept[4999], 0x5c);
	const unsigned char *next = arena_alloc(*state, 9000);
	for (size_t i = 0; i < 9000; i++)
		assert_int_equal(next[i], 0);
}

static void texts_are_copied_and_printed(void **state)
{
	assert_string_equal(arena_strdup(*state, "跳び箱"), "跳び箱");
	assert_string_equal(arena_strndup(*state, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(*state, NULL, 0), "");
	assert_string_equal(arena_printf(*state, "%s-%d", "a", 7), "a-7");
}

static void nothing_is_freed_twice_or_from_null(void **state)
{
	arena_free(NULL);
	assert_non_null(arena_array(*state, 0, 16));
}

#define IN_ARENA(test_) cmocka_unit_test_setup_teardown(test_, new_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ARENA(memory_is_zeroed_and_aligned),
		IN_ARENA(large_pieces_get_blocks_of_their_own),
		IN_ARENA(reset_wipes_what_was_kept),
		IN_ARENA(trimming_keeps_what_is_in_use_and_the_rest_zero),
		IN_ARENA(texts_are_copied_and_printed),
		IN_ARENA(nothing_is_freed_twice_or_from_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
