#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/range.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static void ranges_of_a_thousand_bytes(void **state)
{
	static const struct {
		const char *header;
		bool exists;
		int64_t first, length;
	} cases[] = {
		{ NULL, true, 0, 1000 },
		{ "bytes=0-0", true, 0, 1 },
		{ "bytes=0-", true, 0, 1000 },
		{ "bytes=10-19", true, 10, 10 },
		{ "bytes=990-5000", true, 990, 10 },
		{ "bytes=999-", true, 999, 1 },
		{ "bytes=-1", true, 999, 1 },
		{ "bytes=-5000", true, 0, 1000 },
		{ "bytes=1000-", false, 0, 0 },
		{ "bytes=1000-1001", false, 0, 0 },
		{ "bytes=-0", false, 0, 0 },
		{ "bytes=20-10", true, 0, 1000 },
		{ "bytes=0-1,5-6", true, 0, 1000 },
		{ "bytes=a-b", true, 0, 1000 },
		{ "bytes=-", true, 0, 1000 },
		{ "bytes=--1", true, 0, 1000 },
		{ "bytes= 0-1", true, 0, 1000 },
		{ "items=0-1", true, 0, 1000 },
		{ "bytes=0-99999999999999999999", true, 0, 1000 },
		{ "bytes=99999999999999999999-", true, 0, 1000 },
	};
	for (size_t i = 0; i < N(cases); i++) {
		int64_t first, length;
		bool exists = range_resolve(range_parse(cases[i].header), 1000, &first, &length);
		if (exists != cases[i].exists ||
			(exists && (first != cases[i].first || length != cases[i].length))) {
			fail_msg("%s", cases[i].header);
		}
	}
}

static void nothing_has_no_range(void **state)
{
	int64_t first, length;
	assert_true(range_resolve(range_parse(NULL), 0, &first, &length));
	assert_int_equal(length, 0);
	assert_false(range_resolve(range_parse("bytes=0-"), 0, &first, &length));
	assert_false(range_resolve(range_parse("bytes=-5"), 0, &first, &length));
}

static void entity_tags_are_compared_weakly(void **state)
{
	assert_true(etag_is_listed("\"a\"", "\"a\""));
	assert_true(etag_is_listed("\"x\", W/\"a\" ,\"b\"", "\"a\""));
	assert_true(etag_is_listed("\"a\"", "W/\"a\""));
	assert_true(etag_is_listed("*", "\"a\""));
	assert_true(etag_is_listed("\"x,y\", \"a\"", "\"a\""));
	assert_false(etag_is_listed("\"ab\"", "\"a\""));
	assert_false(etag_is_listed("a", "\"a\""));
	assert_false(etag_is_listed("\"a", "\"a\""));
	assert_false(etag_is_listed("", "\"a\""));
}

static void if_range_wants_the_same_strong_tag(void **state)
{
	assert_true(range_is_current(NULL, "\"a\""));
	assert_true(range_is_current("\"a\"", "\"a\""));
	assert_false(range_is_current("\"b\"", "\"a\""));
	assert_false(range_is_current("W/\"a\"", "W/\"a\""));
	assert_false(range_is_current("Sun, 06 Nov 1994 08:49:37 GMT", "\"a\""));
	assert_false(range_is_current("\"a\"", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_of_a_thousand_bytes),
		cmocka_unit_test(nothing_has_no_range),
		cmocka_unit_test(entity_tags_are_compared_weakly),
		cmocka_unit_test(if_range_wants_the_same_strong_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
