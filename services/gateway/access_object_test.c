/* Facts about what an access record names as its object. */
#include "services/gateway/access_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TRY "01900000-0000-7000-8000-000000000005"
#define COMMENT "01900000-0000-7000-8000-000000000006"
#define CLASS "01900000-0000-7000-8000-000000000007"
#define PUPIL "01900000-0000-7000-8000-000000000008"

static const char *const subjects[] = { "classId", "userId", NULL };

static void the_last_id_says_most(void **state)
{
	static const struct {
		const char *path_params, *query, *object;
	} cases[] = {
		{ "tryId=" TRY, "", TRY },
		{ "tryId=" TRY "&commentId=" COMMENT, "", COMMENT },
		{ "tryId=" TRY "&name=x001", "", TRY },
		{ "tryId=" TRY, "classId=" CLASS, TRY },
		{ "tryId=%30" /* a 0 */ "1900000-0000-7000-8000-000000000005", "", TRY },
		{ NULL, "classId=" CLASS, CLASS },
		{ "", "limit=5&classId=" CLASS "&q=taro", CLASS },
		{ "", "userId=" PUPIL "&classId=" CLASS, PUPIL },
		{ "", "class%49d=01900000%2D0000-7000-8000-00000000000%37", CLASS },
		{ "n=x001", "userId=" PUPIL, PUPIL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena *arena = arena_new();
		assert_string_equal(
			access_object(arena, subjects, cases[i].path_params, cases[i].query),
			cases[i].object);
		arena_free(arena);
	}
}

static void what_is_no_id_of_the_contract_is_left_out(void **state)
{
	static const char *const queries[] = { "", "classId", "classId=", "classId=taro",
		"classId=" CLASS "0", "classId=%", "cursor=" CLASS, "xclassId=" CLASS, "&&=&" };
	struct arena *arena = arena_new();
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
		assert_string_equal(access_object(arena, subjects, "", queries[i]), "");
	assert_string_equal(access_object(arena, NULL, "", "classId=" CLASS), "");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_id_says_most),
		cmocka_unit_test(what_is_no_id_of_the_contract_is_left_out),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
