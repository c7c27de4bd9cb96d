#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/session.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))
#define A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB_"

static void the_token_is_found(void **state)
{
	static const struct {
		const char *authorization, *cookie, *second_cookie;
		const char *token;
		bool is_bearer;
	} cases[] = {
		{ NULL, NULL, NULL, NULL, false },
		{ NULL, "__Host-sid=" A, NULL, A, false },
		{ NULL, "a=1; __Host-sid=" A "; b=2", NULL, A, false },
		{ NULL, "a=1;__Host-sid=" B, NULL, B, false },
		{ NULL, "a=1", "__Host-sid=" A, A, false },
		{ NULL, "__Host-sid=" A, "__Host-sid=" A, A, false },
		{ NULL, "__Host-sid=" A, "__Host-sid=" B, NULL, false },
		{ NULL, "__Host-sid=" A "; __Host-sid=" B, NULL, NULL, false },
		{ NULL, "__Host-sid=" A "A", NULL, NULL, false },
		{ NULL, "__Host-sid=", NULL, NULL, false },
		{ NULL, "__Host-sid=" A "x; y", NULL, NULL, false },
		{ NULL, "x__Host-sid=" A, NULL, NULL, false },
		{ NULL, "__host-sid=" A, NULL, NULL, false },
		{ NULL, "sid=" A, NULL, NULL, false },
		{ "Bearer " A, NULL, NULL, A, true },
		{ "bearer " B, "__Host-sid=" A, NULL, B, true },
		{ "Bearer  " A, NULL, NULL, NULL, true },
		{ "Bearer " A " ", NULL, NULL, NULL, true },
		{ "Basic " A, "__Host-sid=" A, NULL, NULL, true },
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct arena *arena = arena_new();
		struct request request = { .method = "GET" };
		const struct header headers[] = {
			{ "authorization", cases[i].authorization },
			{ "cookie", cases[i].cookie },
			{ "cookie", cases[i].second_cookie },
		};
		for (size_t j = 0; j < N(headers); j++) {
			if (headers[j].value) {
				request.headers[request.headers_n++] = headers[j];
			}
		}
		bool is_bearer;
		const char *token = session_token(arena, &request, &is_bearer);
		bool is_right = token && cases[i].token ? !strcmp(token, cases[i].token)
							: !token && !cases[i].token;
		if (!is_right || is_bearer != cases[i].is_bearer) {
			fail_msg("case %zu", i);
		}
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_token_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
