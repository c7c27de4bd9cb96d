#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/clock.h"

static void times_are_rfc_3339_in_utc(void **state)
{
	char text[TIMESTAMP_SIZE];
	clock_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format(1775608200007, text);
	assert_string_equal(text, "2026-04-08T00:30:00.007Z");
	clock_format(1709164799999, text);
	assert_string_equal(text, "2024-02-28T23:59:59.999Z");
}

static void a_shift_moves_the_wall_clock_only(void **state)
{
	int64_t wall = clock_unix_ms(), steady = clock_steady_ms();
	clock_shift_ms(3600000);
	assert_true(clock_unix_ms() - wall >= 3600000);
	assert_true(clock_steady_ms() - steady < 1800000);
	clock_shift_ms(-3600000);
	assert_true(clock_unix_ms() - wall < 1800000);
}

static void the_steady_clock_never_goes_back(void **state)
{
	int64_t last = clock_steady_us();
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_steady_us();
		assert_true(now >= last);
		last = now;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_rfc_3339_in_utc),
		cmocka_unit_test(a_shift_moves_the_wall_clock_only),
		cmocka_unit_test(the_steady_clock_never_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
