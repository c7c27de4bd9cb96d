/* Facts about pages. */
#include "libcommon/cmocka_call.h"

#include <string.h>

#include "libcommon/page.h"

#define SOME_ID "01890000-0000-7000-8000-0000000000a1"

static void a_page_asks_for_one_row_more(void **state)
{
	struct call c = { .arena = arena_new() };
	struct page page;
	size_t n = 50;
	assert_int_equal(page_read(&c, NULL, false, 0, 2, &page), OK);
	assert_string_equal(page.rows, "51");
	assert_null(page.after[0]);
	assert_null(page.after[1]);
	assert_false(page_goes_on(&page, &n));
	assert_int_equal(n, 50);
	assert_int_equal(page_read(&c, NULL, true, 2, 2, &page), OK);
	n = 3;
	assert_true(page_goes_on(&page, &n));
	assert_int_equal(n, 2);
	arena_free(c.arena);
}

static void a_cursor_says_behind_what_the_page_begins(void **state)
{
	struct call c = { .arena = arena_new() };
	struct page page;
	const char *const good[] = { "あ", SOME_ID }, *const bad[] = { "あ", "x" },
			  *const none[] = { "あ", NULL };
	assert_int_equal(page_read(&c, cursor_make(&c, good, 2), true, 9, 2, &page), OK);
	assert_string_equal(page.after[0], "あ");
	assert_string_equal(page.after[1], SOME_ID);
	assert_int_equal(page_read(&c, cursor_make(&c, bad, 2), true, 9, 2, &page), ERR_INVALID);
	assert_int_equal(page_read(&c, cursor_make(&c, none, 2), true, 9, 2, &page), ERR_INVALID);
	assert_int_equal(page_read(&c, cursor_make(&c, good, 2), true, 9, 1, &page), ERR_INVALID);
	arena_free(c.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_asks_for_one_row_more),
		cmocka_unit_test(a_cursor_says_behind_what_the_page_begins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
