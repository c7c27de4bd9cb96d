#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/path.h"

#define N(list_) (sizeof(list_) / sizeof(*(list_)))

static void sound_paths_have_one_meaning(void **state)
{
	static const struct {
		const char *path;
		bool is_sound;
	} cases[] = {
		{ "/", true },
		{ "/v1/users", true },
		{ "/v1/users/a.b", true },
		{ "/v1/...", true },
		{ "/%E3%81%82", true },
		{ "/a%2Eb", true },
		{ "", false },
		{ "v1", false },
		{ "*", false },
		{ "//", false },
		{ "/v1/", false },
		{ "/v1//users", false },
		{ "/.", false },
		{ "/..", false },
		{ "/v1/../x", false },
		{ "/v1/%2e%2E/x", false },
		{ "/v1/.%2e", false },
		{ "/v1/%2fetc", false },
		{ "/v1/a%5Cb", false },
		{ "/v1/a\\b", false },
		{ "/v1/%00", false },
		{ "/v1/%0d%0a", false },
		{ "/v1/%7f", false },
		{ "/v1/%", false },
		{ "/v1/%4", false },
		{ "/v1/%4g", false },
		{ "/v1/%%41", false },
		{ "/v1/\xe3\x81\x82", false },
		{ "/v1/a b\x01", false },
	};
	for (size_t i = 0; i < N(cases); i++) {
		if (path_is_sound(cases[i].path) != cases[i].is_sound) {
			fail_msg("%s", cases[i].path);
		}
	}
}

static void queries_cannot_repeat_the_path(void **state)
{
	static const struct {
		const char *query, *taken;
		bool is_sound;
	} cases[] = {
		{ "", "", true },
		{ "limit=10&cursor=abc", "", true },
		{ "limit=10", "userId=a", true },
		{ "userIds=10", "userId=a", true },
		{ "userId=b", "userId=a", false },
		{ "x=1&userId=b", "y=1&userId=a", false },
		{ "user%49d=b", "userId=a", false },
		{ "userId", "userId=a", false },
		{ "q=%E3%81%82+b", "", true },
		{ "q=%", "", false },
		{ "q%=1", "", false },
		{ "q=%00", "", false },
		{ "&&a=1&", "", true },
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < N(cases); i++) {
		if (query_is_sound(arena, cases[i].query, cases[i].taken) != cases[i].is_sound) {
			fail_msg("%s", cases[i].query);
		}
	}
	arena_free(arena);
}

static void decoding_keeps_bytes(void **state)
{
	struct arena *arena = arena_new();
	assert_string_equal(path_decode(arena, "/a%20b+c", 8, false), "/a b+c");
	assert_string_equal(path_decode(arena, "a+b%2B", 6, true), "a b+");
	assert_null(path_decode(arena, "a%2", 3, true));
	assert_null(path_decode(arena, "a%00", 4, true));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_paths_have_one_meaning),
		cmocka_unit_test(queries_cannot_repeat_the_path),
		cmocka_unit_test(decoding_keeps_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
