/* When an instance gets requests, told by the clock alone. */
#include "libcommon/bus_breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BEGIN 1000000

static struct breaker fresh(void)
{
	struct breaker breaker;
	breaker_reset(&breaker, BEGIN);
	return breaker;
}

static void silence_opens_it(void **state)
{
	struct breaker breaker = fresh();
	(void)breaker_tick(&breaker, BEGIN + BREAKER_SILENT_MS - 1, BEGIN, 0);
	assert_true(breaker_admits(&breaker));
	(void)breaker_tick(&breaker, BEGIN + BREAKER_SILENT_MS, BEGIN, 0);
	assert_false(breaker_admits(&breaker));
}

static void timeouts_in_a_row_open_it_and_an_answer_between_does_not(void **state)
{
	struct breaker breaker = fresh();
	for (int i = 0; i < BREAKER_TIMEOUTS - 1; i++)
		breaker_on_timeout(&breaker, BEGIN + i);
	breaker_on_answer(&breaker, BEGIN + 10);
	breaker_on_timeout(&breaker, BEGIN + 20);
	assert_true(breaker_admits(&breaker));
	for (int i = 0; i < BREAKER_TIMEOUTS; i++)
		breaker_on_timeout(&breaker, BEGIN + 30 + i);
	assert_false(breaker_admits(&breaker));
}

/* The oldest request is old and nothing else was answered: a worker is asked, no user's request. */
static void what_stalls_is_probed_and_opens_only_without_an_answer(void **state)
{
	struct breaker breaker = fresh();
	int64_t later = BEGIN + BREAKER_STALLED_MS;
	assert_true(breaker_tick(&breaker, later, later, BEGIN));
	assert_true(breaker_admits(&breaker));
	breaker_on_probe_answered(&breaker, later + 1);
	assert_false(breaker_tick(&breaker, later + 2, later + 2, BEGIN));
	assert_true(breaker_admits(&breaker));

	later += BREAKER_STALLED_MS + 1;
	assert_true(breaker_tick(&breaker, later, later, BEGIN));
	later += BREAKER_PROBE_MS;
	assert_false(breaker_tick(&breaker, later, later, BEGIN));
	assert_false(breaker_admits(&breaker));
}

static void a_slow_request_beside_answers_is_no_stall(void **state)
{
	struct breaker breaker = fresh();
	int64_t later = BEGIN + 10 * BREAKER_STALLED_MS;
	breaker_on_answer(&breaker, later - 1);
	assert_false(breaker_tick(&breaker, later, later, BEGIN));
	assert_true(breaker_admits(&breaker));
}

static void an_answered_probe_closes_it(void **state)
{
	struct breaker breaker = fresh();
	int64_t opened = BEGIN + BREAKER_SILENT_MS;
	(void)breaker_tick(&breaker, opened, BEGIN, 0);
	assert_false(breaker_tick(&breaker, opened + BREAKER_RETRY_MIN_MS - 1, opened, 0));
	assert_true(breaker_tick(&breaker, opened + BREAKER_RETRY_MIN_MS, opened, 0));
	assert_false(breaker_admits(&breaker)); /* half open: nobody's request is risked */
	breaker_on_probe_answered(&breaker, opened + BREAKER_RETRY_MIN_MS + 1);
	assert_true(breaker_admits(&breaker));
}

/* When the next probe is due after the last one stayed without an answer. */
static int64_t pause_after(struct breaker *breaker, int64_t *now)
{
	*now += BREAKER_PROBE_MS;
	(void)breaker_tick(breaker, *now, *now, 0);
	int64_t opened = *now;
	while (!breaker_tick(breaker, *now, *now, 0))
		*now += 1;
	return *now - opened;
}

static void pauses_between_probes_double_up_to_a_most(void **state)
{
	struct breaker breaker = fresh();
	int64_t now = BEGIN + BREAKER_SILENT_MS, wanted = BREAKER_RETRY_MIN_MS;
	(void)breaker_tick(&breaker, now, BEGIN, 0);
	now += BREAKER_RETRY_MIN_MS;
	assert_true(breaker_tick(&breaker, now, now, 0));
	for (int i = 0; i < 8; i++) {
		wanted = 2 * wanted < BREAKER_RETRY_MAX_MS ? 2 * wanted : BREAKER_RETRY_MAX_MS;
		assert_int_equal(pause_after(&breaker, &now), wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_opens_it),
		cmocka_unit_test(timeouts_in_a_row_open_it_and_an_answer_between_does_not),
		cmocka_unit_test(what_stalls_is_probed_and_opens_only_without_an_answer),
		cmocka_unit_test(a_slow_request_beside_answers_is_no_stall),
		cmocka_unit_test(an_answered_probe_closes_it),
		cmocka_unit_test(pauses_between_probes_double_up_to_a_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
