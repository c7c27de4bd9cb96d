#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/crypto.h"
#include "libcommon/uuid.h"

static void new_ones_are_version_7_and_rise(void **state)
{
	char last[UUID_SIZE] = "", next[UUID_SIZE];
	for (int i = 0; i < 10000; i++) {
		uuid_new(next);
		assert_true(is_uuid(next));
		assert_int_equal(next[14], '7');
		assert_non_null(strchr("89ab", next[19]));
		assert_true(strcmp(last, next) < 0);
		memcpy(last, next, UUID_SIZE);
	}
}

static void only_the_canonical_form_is_one(void **state)
{
	assert_true(is_uuid("00000000-0000-7000-8000-000000000001"));
	assert_false(is_uuid(""));
	assert_false(is_uuid("00000000-0000-7000-8000-00000000000"));
	assert_false(is_uuid("00000000-0000-7000-8000-0000000000011"));
	assert_false(is_uuid("00000000-0000-7000-8000-00000000000A"));
	assert_false(is_uuid("00000000000070008000000000000001    "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ones_are_version_7_and_rise),
		cmocka_unit_test(only_the_canonical_form_is_one),
	};
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
