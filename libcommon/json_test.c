#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/arena.h"
#include "libcommon/json.h"
#include "libcommon/json_check.h"

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

static const struct json *parsed(struct arena *arena, const char *text)
{
	const struct json *out = NULL;
	assert_int_equal(json_parse(arena, text, strlen(text), &out), OK);
	return out;
}

static void members_items_and_values_are_found(void **state)
{
	const struct json *json = parsed(*state,
		" {\"a\":[1,\"\\u3042\\ud83d\\ude00\",true,null,-2e3],\"b\":{\"c\":"
		"9007199254740991}} ");
	const struct json *a = json_member(json, "a");
	assert_int_equal(json_count(a), 5);
	assert_int_equal(json_integer(json_item(a, 0), -1), 1);
	assert_string_equal(json_text(json_item(a, 1)), "あ😀");
	assert_true(json_is_true(json_item(a, 2)));
	assert_int_equal(json_kind(json_item(a, 3)), JSON_NULL);
	assert_int_equal(json_integer(json_item(a, 4), 0), -2000);
	assert_null(json_item(a, 5));
	assert_int_equal(
		json_integer(json_member(json_member(json, "b"), "c"), 0), 9007199254740991);
	assert_string_equal(json_name(json_first(json)), "a");
}

static void absent_values_are_harmless(void **state)
{
	assert_null(json_member(NULL, "x"));
	assert_null(json_item(NULL, 0));
	assert_null(json_text(NULL));
	assert_int_equal(json_count(NULL), 0);
	assert_int_equal(json_integer(NULL, 7), 7);
	assert_int_equal(json_integer(parsed(*state, "9007199254740993"), 7), 7);
	assert_int_equal(json_integer(parsed(*state, "1.5"), 7), 7);
	assert_int_equal(json_integer(parsed(*state, "1e999"), 7), 7);
}

static void what_the_rfc_does_not_allow_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5",
		"+1", "-", "1e", "nul", "truex", "'a'", "\"\n\"", "\"\\x\"", "\"\\u12g4\"",
		"\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\xff\"",
		"\"\xc0\x80\"", "\"\xed\xa0\x80\"", "[1] 2", "{\"a\" 1}", "{1:2}", "\v1",
		"\xef\xbb\xbf{}", "\"a", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct json *out;
		if (json_parse(*state, bad[i], strlen(bad[i]), &out) != ERR_INVALID)
			fail_msg("accepted: %s", bad[i]);
	}
	const struct json *out;
	assert_int_equal(json_parse(*state, "\"a\0b\"", 5, &out), ERR_INVALID);
	assert_int_equal(json_parse(*state, "1\0", 2, &out), ERR_INVALID);
}

static void sixteen_levels_are_allowed(void **state)
{
	assert_true(is_strict_json("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", 33));
	assert_false(is_strict_json("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", 35));
}

static void quoted_text_reads_back(void **state)
{
	static const char text[] = "a\"\\/\b\f\n\r\t\x01 跳び箱 😀";
	struct buf buf = { .arena = *state };
	json_quote(&buf, text);
	assert_string_equal(json_text(parsed(*state, buf.data)), text);
}

static void broken_utf8_is_replaced(void **state)
{
	struct buf buf = { .arena = *state };
	json_quote(&buf, "a\xff\xe3\x81z");
	assert_string_equal(buf.data, "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

#define IN_ARENA(test_) cmocka_unit_test_setup_teardown(test_, new_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ARENA(members_items_and_values_are_found),
		IN_ARENA(absent_values_are_harmless),
		IN_ARENA(what_the_rfc_does_not_allow_is_refused),
		IN_ARENA(sixteen_levels_are_allowed),
		IN_ARENA(quoted_text_reads_back),
		IN_ARENA(broken_utf8_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
