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

static void as_bytes_and_back_it_is_the_same(void **state)
{
	char text[UUID_SIZE], again[UUID_SIZE];
	unsigned char bytes[UUID_BYTES];
	uuid_to_bytes("0189abcd-ef01-7234-8567-89abcdef0123", bytes);
	assert_int_equal(bytes[0], 0x01);
	assert_int_equal(bytes[5], 0x01);
	assert_int_equal(bytes[15], 0x23);
	for (int i = 0; i < 100; i++) {
		uuid_new(text);
		uuid_to_bytes(text, bytes);
		uuid_from_bytes(bytes, again);
		assert_string_equal(text, again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ones_are_version_7_and_rise),
		cmocka_unit_test(only_the_canonical_form_is_one),
		cmocka_unit_test(as_bytes_and_back_it_is_the_same),
	};
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
