#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "services/gateway/loop.h"

#define APART_MS 100000

static struct loop *loop;
static char trace[64];

static int start(void **state)
{
	loop = loop_new();
	memset(trace, 0, sizeof trace);
	return 0;
}

static int stop(void **state)
{
	loop_free(loop);
	return 0;
}

static void note(void *arg)
{
	strncat(trace, arg, 1);
}

static void end(void *arg)
{
	loop_stop(loop);
}

static void timers_fire_in_order(void **state)
{
	/* Overdue by so much that nothing that holds this thread up changes their order. */
	loop_after(loop, -1 * APART_MS, note, "c");
	loop_after(loop, -4 * APART_MS, note, "a");
	struct timer *never = loop_after(loop, -3 * APART_MS, note, "x");
	loop_after(loop, -2 * APART_MS, note, "b");
	loop_after(loop, 20, end, NULL);
	loop_cancel(loop, never);
	loop_cancel(loop, NULL);
	loop_run(loop);
	assert_string_equal(trace, "abc");
}

static void many_timers_keep_their_order(void **state)
{
	enum { TIMERS = 1000 };
	struct timer *timers[TIMERS];
	int64_t began = clock_steady_ms();
	for (unsigned i = 0; i < TIMERS; i++)
		timers[i] = loop_after(loop, 100000 + (i * 7919) % 50000, note, "x");
	for (unsigned i = 0; i < TIMERS; i += 2)
		loop_cancel(loop, timers[i]);
	loop_after(loop, 20, end, NULL);
	loop_run(loop);
	for (unsigned i = 1; i < TIMERS; i += 2)
		loop_cancel(loop, timers[i]);
	assert_true(clock_steady_ms() - began < 50000);
	assert_string_equal(trace, "");
}

static void stopping_before_running_is_not_lost(void **state)
{
	loop_stop(loop);
	loop_run(loop);
	loop_after(loop, 1, end, NULL);
	loop_run(loop);
}

static void count(void *arg)
{
	unsigned *seen = arg;
	if (++*seen == 40000)
		loop_stop(loop);
}

static void *post_many(void *arg)
{
	for (unsigned i = 0; i < 10000; i++)
		loop_post(loop, count, NULL, arg);
	return NULL;
}

static void nothing_posted_is_lost(void **state)
{
	pthread_t threads[4];
	unsigned seen = 0;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &seen), 0);
	loop_run(loop);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(seen, 40000);
}

static void what_comes_too_late_is_dropped(void **state)
{
	struct loop *ended = loop_new();
	loop_stop(ended);
	loop_run(ended);
	loop_post(ended, end, note, "d");
	loop_post(ended, end, NULL, NULL);
	loop_free(ended);
	assert_string_equal(trace, "d");
}

static struct loop_task task;

static void defer_twice(void *arg)
{
	loop_defer(loop, &task);
	loop_defer(loop, &task);
	note("a");
}

static void deferred_work_runs_once_and_later(void **state)
{
	task = (struct loop_task){ .fn = note, .arg = "b" };
	loop_after(loop, 1, defer_twice, NULL);
	loop_after(loop, 20, end, NULL);
	loop_run(loop);
	assert_string_equal(trace, "ab");
}

static int pipes[2][2];

static void on_readable(void *arg, unsigned events)
{
	/* Both are readable in this round: whoever is first silences the other. */
	int *other = arg;
	note("r");
	loop_remove(loop, other[0]);
}

static void removed_descriptors_are_silent(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	}
	loop_add(loop, pipes[0][0], LOOP_READ, on_readable, pipes[1]);
	loop_add(loop, pipes[1][0], LOOP_READ, on_readable, pipes[0]);
	loop_post(loop, end, NULL, NULL);
	loop_run(loop);
	assert_string_equal(trace, "r");
	for (unsigned i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_order, start, stop),
		cmocka_unit_test_setup_teardown(many_timers_keep_their_order, start, stop),
		cmocka_unit_test_setup_teardown(stopping_before_running_is_not_lost, start, stop),
		cmocka_unit_test_setup_teardown(nothing_posted_is_lost, start, stop),
		cmocka_unit_test_setup_teardown(what_comes_too_late_is_dropped, start, stop),
		cmocka_unit_test_setup_teardown(deferred_work_runs_once_and_later, start, stop),
		cmocka_unit_test_setup_teardown(removed_descriptors_are_silent, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
