#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/utf8.h"

static void every_code_point_reads_back(void **state)
{
	uint32_t code;
	assert_int_equal(utf8_next("A", 1, &code), 1);
	assert_int_equal(code, 'A');
	assert_int_equal(utf8_next("\xc2\x80", 2, &code), 2);
	assert_int_equal(code, 0x80);
	assert_int_equal(utf8_next("跳", 3, &code), 3);
	assert_int_equal(code, 0x8df3);
	assert_int_equal(utf8_next("\xf4\x8f\xbf\xbf", 4, &code), 4);
	assert_int_equal(code, 0x10ffff);
}

static void broken_sequences_are_told(void **state)
{
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xe3\x81", "\xe3\x41\x41" };
	uint32_t code;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(utf8_next(bad[i], strlen(bad[i]), &code), 0);
		assert_int_equal(utf8_count(bad[i], strlen(bad[i])), -1);
	}
	assert_int_equal(utf8_next("", 0, &code), 0);
}

static void counting_is_by_code_points(void **state)
{
	assert_int_equal(utf8_count("跳び箱😀a", strlen("跳び箱😀a")), 5);
	assert_int_equal(utf8_count("", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_reads_back),
		cmocka_unit_test(broken_sequences_are_told),
		cmocka_unit_test(counting_is_by_code_points),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
