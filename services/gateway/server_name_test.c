#include "services/gateway/server_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_are_compared_whole_and_without_case(void **state)
{
	assert_true(server_name_matches("school.example.jp", "school.example.jp"));
	assert_true(server_name_matches("School.Example.JP", "sCHOOL.example.jp"));
	assert_false(server_name_matches("school.example.jp", "school.example.jp.evil.example"));
	assert_false(server_name_matches("school.example.jp", "example.jp"));
	assert_false(server_name_matches("school.example.jp", ""));
	assert_false(server_name_matches("", ""));
}

static void a_star_is_one_label(void **state)
{
	assert_true(server_name_matches("*.example.jp", "city.example.jp"));
	assert_true(server_name_matches("*.example.jp", "CITY.EXAMPLE.JP"));
	assert_false(server_name_matches("*.example.jp", "example.jp"));
	assert_false(server_name_matches("*.example.jp", ".example.jp"));
	assert_false(server_name_matches("*.example.jp", "a.city.example.jp"));
	assert_false(server_name_matches("*.example.jp", "city.example.com"));
	assert_false(server_name_matches("*.jp", "example.jp"));
	assert_false(server_name_matches("*", "example"));
	assert_false(server_name_matches("c*.example.jp", "city.example.jp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_compared_whole_and_without_case),
		cmocka_unit_test(a_star_is_one_label),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
