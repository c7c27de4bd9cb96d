#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libcommon/err.h"

static void every_error_has_a_name_that_leads_back(void **state)
{
	for (enum err e = OK; e < ERR_COUNT; e++) {
		assert_int_equal(err_from_name(err_name(e)), e);
		assert_int_equal(problem_of(e)->err, e);
		assert_non_null(problem_of(e)->ja);
		assert_non_null(problem_of(e)->en);
	}
}

static void an_unknown_name_is_our_fault(void **state)
{
	assert_int_equal(err_from_name("no such error"), ERR_INTERNAL);
	assert_int_equal(err_from_name(""), ERR_INTERNAL);
}

static void statuses_are_those_of_http(void **state)
{
	assert_int_equal(problem_of(ERR_INVALID)->status, 422);
	assert_int_equal(problem_of(ERR_UNAUTHENTICATED)->status, 401);
	assert_int_equal(problem_of(ERR_UNAVAILABLE)->status, 503);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_name_that_leads_back),
		cmocka_unit_test(an_unknown_name_is_our_fault),
		cmocka_unit_test(statuses_are_those_of_http),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
