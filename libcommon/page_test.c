/* Facts about pages. */
#include "libcommon/cmocka_call.h"

#include <string.h>

#include "libcommon/page.h"
#include "libcommon/service.h"

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

/* ---- the link to the next page ---- */

struct asked {
	const char *class_id, *cursor, *q;
	int64_t limit;
	bool has_limit;
};
struct answered {
	const char *next_cursor;
};

#define PARAM(name_, kind_, member_)                                                               \
	.name = (name_), .kind = (kind_), .place = PLACE_PARAM, .has = NO_PRESENCE,                \
	.offset = offsetof(struct asked, member_)

static const struct field asked_fields[] = {
	{ PARAM("classId", KIND_STRING, class_id) }, /* of the path */
	{ PARAM("cursor", KIND_STRING, cursor), .in_query = true },
	{ PARAM("limit", KIND_INTEGER, limit), .in_query = true },
	{ PARAM("q", KIND_STRING, q), .in_query = true },
};
static const struct field answered_fields[] = {
	{ .name = "nextCursor",
		.kind = KIND_STRING,
		.place = PLACE_BODY,
		.has = NO_PRESENCE,
		.offset = offsetof(struct answered, next_cursor) },
};
static const struct shape asked_shape = { "asked", sizeof(struct asked), asked_fields, 4,
	LABEL_NONE };
static const struct shape answered_shape = { "answered", sizeof(struct answered), answered_fields,
	1, LABEL_NONE };

static void a_link_repeats_the_query_behind_the_page(void **state)
{
	static const struct op list = { .in = &asked_shape, .out = &answered_shape };
	struct call c = { .arena = arena_new(), .op = &list };
	struct buf headers = { .arena = c.arena };
	const struct asked asked = {
		.class_id = SOME_ID, .cursor = "old", .q = "あ b", .limit = 2
	};
	page_link(&c, &asked, &(struct answered){ NULL }, &headers);
	assert_int_equal(headers.n, 0);
	page_link(&c, &asked, &(struct answered){ "new" }, &headers);
	assert_string_equal(
		headers.data, "Link: <?cursor=new&limit=2&q=%E3%81%82%20b>; rel=\"next\"\r\n");
	assert_string_equal(asked.cursor, "old");
	arena_free(c.arena);
}

static void what_is_no_list_has_no_link(void **state)
{
	static const struct op bare = { 0 }, made = { .out = &answered_shape };
	struct call c = { .arena = arena_new(), .op = &bare };
	struct buf headers = { .arena = c.arena };
	page_link(&c, NULL, NULL, &headers);
	c.op = &made;
	page_link(&c, NULL, &(struct answered){ "new" }, &headers);
	assert_int_equal(headers.n, 0);
	arena_free(c.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_asks_for_one_row_more),
		cmocka_unit_test(a_cursor_says_behind_what_the_page_begins),
		cmocka_unit_test(a_link_repeats_the_query_behind_the_page),
		cmocka_unit_test(what_is_no_list_has_no_link),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
