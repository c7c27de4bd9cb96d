#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/csrf.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static void only_our_own_pages_may_write(void **state)
{
	static const struct {
		const char *method, *site, *origin;
		bool is_bearer, may;
	} cases[] = {
		{ "GET", "cross-site", "https://evil.example", false, true },
		{ "HEAD", NULL, NULL, false, true },
		{ "OPTIONS", "cross-site", NULL, false, true },
		{ "POST", "same-origin", NULL, false, true },
		{ "POST", "none", NULL, false, true },
		{ "POST", "same-origin", "null", false, true },
		{ "POST", "same-site", "https://school.example", false, false },
		{ "POST", "cross-site", "https://school.example", false, false },
		{ "POST", "", "https://school.example", false, false },
		{ "DELETE", "Same-Origin", NULL, false, false },
		{ "POST", NULL, "https://school.example", false, true },
		{ "PUT", NULL, NULL, false, false },
		{ "PATCH", NULL, "null", false, false },
		{ "POST", NULL, "http://school.example", false, false },
		{ "POST", NULL, "https://school.example:443", false, false },
		{ "POST", NULL, "https://school.example.evil.example", false, false },
		{ "POST", NULL, "https://SCHOOL.example", false, false },
		{ "POST", NULL, "https://evil.example", true, true },
		{ "POST", "cross-site", NULL, true, true },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct request request = { .method = cases[i].method,
			.authority = "school.example" };
		if (cases[i].site) {
			request.headers[request.headers_n++] =
				(struct header){ "sec-fetch-site", cases[i].site };
		}
		if (cases[i].origin) {
			request.headers[request.headers_n++] =
				(struct header){ "origin", cases[i].origin };
		}
		if (csrf_is_same_site(&request, cases[i].is_bearer) != cases[i].may) {
			fail_msg("case %zu", i);
		}
	}
}

static void content_types_are_compared_whole(void **state)
{
	static const struct {
		const char *header, *wanted;
		bool fits;
	} cases[] = {
		{ "application/json", "application/json", true },
		{ "Application/JSON", "application/json", true },
		{ "application/json; charset=utf-8", "application/json", true },
		{ "application/json;charset=\"UTF-8\"", "application/json", true },
		{ "application/json; charset=shift_jis", "application/json", false },
		{ "application/json, text/plain", "application/json", false },
		{ "application/jsonp", "application/json", false },
		{ "text/plain", "application/json", false },
		{ NULL, "application/json", false },
		{ "", "application/json", false },
		{ "text/csv; charset=shift_jis", "text/csv", true },
		{ "text/html", "text/csv", false },
	};
	for (size_t i = 0; i < N(cases); i++) {
		if (content_type_is(cases[i].header, cases[i].wanted) != cases[i].fits) {
			fail_msg("%s", cases[i].header ? cases[i].header : "none");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_our_own_pages_may_write),
		cmocka_unit_test(content_types_are_compared_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
