#include "services/gateway/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void one_late_round_is_no_overload(void **state)
{
	struct load load = { .at = 0 };
	for (int i = 0; i < 100; i++) {
		load_note(&load, i % LOAD_WINDOW_N ? 1000 : 3);
		assert_true(load_lag_ms(&load) <= 3);
	}
}

static void a_delay_that_lasts_is_seen_and_forgotten(void **state)
{
	struct load load = { .at = 0 };
	for (int i = 0; i < LOAD_WINDOW_N; i++) {
		assert_int_equal(load_lag_ms(&load), 0);
		load_note(&load, 500 + i);
	}
	assert_int_equal(load_lag_ms(&load), 500);
	load_note(&load, 0);
	assert_int_equal(load_lag_ms(&load), 0);
}

static void logins_go_first_and_what_sessions_write_never(void **state)
{
	int login = load_limit_of(ROUTE_ANONYMOUS | ROUTE_WRITES);
	int anonymous = load_limit_of(ROUTE_ANONYMOUS);
	int reading = load_limit_of(0);
	assert_true(0 < login && login < anonymous && anonymous < reading);
	assert_int_equal(load_limit_of(ROUTE_WRITES), -1);
	assert_int_equal(load_limit_of(ROUTE_WRITES | ROUTE_STREAM_REQUEST), -1);
}

static void a_few_refusals_hold_nobody_up(void **state)
{
	struct refusals refusals = { 0 };
	int64_t now_us = 1000000;
	for (int i = 0; i < 1000; i++, now_us += 1000) {
		assert_int_equal(refusals_note(&refusals, now_us), 0);
	}
	for (int i = 0; i < 32; i++) {
		assert_int_equal(refusals_note(&refusals, now_us), 0);
	}
}

static void a_flood_of_refusals_is_slowed_down(void **state)
{
	struct refusals refusals = { 0 };
	int64_t now_us = 1000000, before_ms = 0;
	for (int i = 0; i < 100000; i++) {
		int64_t ms = refusals_note(&refusals, now_us);
		assert_true(ms >= before_ms && ms <= 1001);
		before_ms = ms;
	}
	assert_true(before_ms >= 1000);
	now_us += 2000000;
	assert_int_equal(refusals_note(&refusals, now_us), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_late_round_is_no_overload),
		cmocka_unit_test(a_delay_that_lasts_is_seen_and_forgotten),
		cmocka_unit_test(a_few_refusals_hold_nobody_up),
		cmocka_unit_test(a_flood_of_refusals_is_slowed_down),
		cmocka_unit_test(logins_go_first_and_what_sessions_write_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
