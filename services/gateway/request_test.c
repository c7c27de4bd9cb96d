#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/request.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static void targets_are_taken_apart(void **state)
{
	static const struct {
		const char *target, *path, *query; /* path NULL: refused */
	} cases[] = {
		{ "/", "/", "" },
		{ "/a/b?c=d", "/a/b", "c=d" },
		{ "/a?b?c", "/a", "b?c" },
		{ "/?", "/", "" },
		{ "/%e3%81%82", "/%e3%81%82", "" },
		{ "https://Example.test/a?b", "/a", "b" },
		{ "HTTPS://example.TEST", "/", "" },
		{ "https://example.test?b", "/", "b" },
		{ "//other/a", "//other/a", "" },
		{ "", NULL, NULL },
		{ "*", NULL, NULL },
		{ "a", NULL, NULL },
		{ "/a#b", NULL, NULL },
		{ "/%", NULL, NULL },
		{ "/%4", NULL, NULL },
		{ "/%0g", NULL, NULL },
		{ "/%00", NULL, NULL },
		{ "/?%00", NULL, NULL },
		{ "/a b", NULL, NULL },
		{ "/\\", NULL, NULL },
		{ "/\xc3\xa9", NULL, NULL },
		{ "http://example.test/", NULL, NULL },
		{ "https://other.test/", NULL, NULL },
		{ "https://example.test.evil/", NULL, NULL },
		{ "https://u@example.test/", NULL, NULL },
		{ "https:///a", NULL, NULL },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct request request = { .authority = "example.test" };
		char target[64] = "";
		strncpy(target, cases[i].target, sizeof target - 1);
		assert_int_equal(request_set_target(&request, target), cases[i].path != NULL);
		if (cases[i].path) {
			assert_string_equal(request.path, cases[i].path);
			assert_string_equal(request.query, cases[i].query);
		}
	}
}

static void authorities_are_told_from_others(void **state)
{
	static const char *const good[] = { "a", "example.test", "example.test:8443", "127.0.0.1:1",
		"[::1]", "[2001:db8::1]:443", "a_b-c" };
	static const char *const bad[] = { "", ":1", "a:", "a:b", "a:123456", "a@b", "a/b", "a b",
		"[", "[]", "[::1", "[::1]x", "[g]", "a,b", "a%2e", "a?b", "a#b", "a\tb" };
	for (size_t i = 0; i < N(good); i++)
		assert_true(request_is_authority(good[i]));
	for (size_t i = 0; i < N(bad); i++)
		assert_false(request_is_authority(bad[i]));
}

static void lengths_are_digits_alone(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1,1", "0x1", "1.0", "1e3",
		"9999999999999999999", "0000000000000000001" };
	assert_int_equal(request_length("0"), 0);
	assert_int_equal(request_length("0005"), 5);
	assert_true(request_length("999999999999999999") == 999999999999999999);
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(request_length(bad[i]), -1);
}

static void methods_are_few(void **state)
{
	static const char *const bad[] = { "TRACE", "CONNECT", "get", "PROPFIND", "" };
	assert_string_equal(request_method("PATCH"), "PATCH");
	for (size_t i = 0; i < N(bad); i++)
		assert_null(request_method(bad[i]));
}

static void headers_are_limited(void **state)
{
	struct request request = { 0 };
	for (size_t i = 0; i < HEADERS_MAX; i++)
		assert_true(request_add(&request, "a", "b"));
	assert_false(request_add(&request, "a", "b"));
	assert_string_equal(request_header(&request, "a"), "b");
	assert_null(request_header(&request, "c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_taken_apart),
		cmocka_unit_test(authorities_are_told_from_others),
		cmocka_unit_test(lengths_are_digits_alone),
		cmocka_unit_test(methods_are_few),
		cmocka_unit_test(headers_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
