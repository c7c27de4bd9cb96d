#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* call.h has one of another kind */

#include "libcommon/json.h"
#include "services/gateway/problem.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static void the_language_is_what_the_client_prefers(void **state)
{
	static const struct {
		const char *header;
		enum language language;
	} cases[] = {
		{ NULL, LANGUAGE_JA },
		{ "", LANGUAGE_JA },
		{ "ja", LANGUAGE_JA },
		{ "en", LANGUAGE_EN },
		{ "en-US,en;q=0.9,ja;q=0.8", LANGUAGE_EN },
		{ "ja,en;q=0.9", LANGUAGE_JA },
		{ "ja;q=0.5, en;q=0.9", LANGUAGE_EN },
		{ "en, ja", LANGUAGE_JA },
		{ "fr", LANGUAGE_JA },
		{ "en;q=0", LANGUAGE_JA },
		{ "*", LANGUAGE_JA },
	};
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(language_of(cases[i].header), cases[i].language);
	}
}

static void a_problem_is_json_with_code_and_trace(void **state)
{
	struct arena *arena = arena_new();
	const char *text = problem_json(
		arena, &problem_not_found, "01900000-0000-7000-8000-000000000000", LANGUAGE_EN);
	const struct json *json = NULL;
	assert_int_equal(json_parse(arena, text, strlen(text), &json), OK);
	assert_int_equal(json_integer(json_member(json, "status"), 0), 404);
	assert_string_equal(json_text(json_member(json, "code")), "not_found");
	assert_string_equal(json_text(json_member(json, "title")), problem_not_found.en);
	assert_string_equal(
		json_text(json_member(json, "traceId")), "01900000-0000-7000-8000-000000000000");
	arena_free(arena);
}

static void refusals_have_their_own_problem(void **state)
{
	static const unsigned statuses[] = { 400, 408, 413, 417, 501, 505 };
	struct arena *arena = arena_new();
	for (size_t i = 0; i < N(statuses); i++) {
		const struct problem *problem = problem_of_refusal(statuses[i]);
		assert_int_equal(problem->status, statuses[i]);
		assert_null(strstr(problem_json(arena, problem, NULL, LANGUAGE_JA), "traceId"));
	}
	assert_ptr_equal(problem_of_refusal(431), &problem_bad_request);
	arena_free(arena);
}

static void lost_calls_are_503_or_504(void **state)
{
	assert_ptr_equal(problem_of_status(504), &problem_deadline);
	assert_ptr_equal(problem_of_status(503), &problem_service_unavailable);
	assert_ptr_equal(problem_of_status(0), &problem_service_unavailable);
}

static void those_who_come_back_are_spread(void **state)
{
	for (int i = 0; i < 100; i++) {
		int after_s = retry_after_s();
		assert_true(after_s >= 1 && after_s <= 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_language_is_what_the_client_prefers),
		cmocka_unit_test(a_problem_is_json_with_code_and_trace),
		cmocka_unit_test(refusals_have_their_own_problem),
		cmocka_unit_test(lost_calls_are_503_or_504),
		cmocka_unit_test(those_who_come_back_are_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
