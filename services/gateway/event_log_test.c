/* Facts about the log of events: what is replayed, when it does not reach back, its bounds. */
#include "services/gateway/event_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAKURA "01900000-0000-7000-8000-000000000001"

static const char *const users[] = { "u1", "u2" };
static const struct audience two = {
	.tenant_id = SAKURA, .is_listed = true, .user_ids = users, .users_n = 2
};
static const struct audience everyone;

static int64_t add(const struct audience *audience, const char *text)
{
	int64_t id = event_log_next_id();
	event_log_add(id, audience, text, strlen(text));
	return id;
}

static int start(void **state)
{
	event_log_start(3);
	return 0;
}

static int stop(void **state)
{
	event_log_stop();
	return 0;
}

static void ids_rise(void **state)
{
	int64_t last = 0;
	for (int i = 0; i < 10000; i++) {
		int64_t id = event_log_next_id();
		assert_true(id > last);
		last = id;
	}
	assert_true(last < INT64_C(9007199254740991)); /* a JSON number of any reader */
}

static void what_came_after_is_replayed(void **state)
{
	int64_t begin = event_log_position();
	int64_t first = add(&two, "one"), second = add(&everyone, "two");
	assert_true(event_log_reaches(begin) && event_log_reaches(first));
	const struct event *event = event_log_after(begin);
	assert_int_equal(event->id, first);
	assert_memory_equal(event->text, "one", event->text_n);
	event = event_log_after(first);
	assert_int_equal(event->id, second);
	assert_null(event_log_after(second));
	assert_int_equal(event_log_position(), second);
}

static void the_audience_is_kept(void **state)
{
	struct actor actor = { .tenant_id = SAKURA, .user_id = "u2", .role = ROLE_STUDENT };
	int64_t begin = event_log_position();
	(void)add(&two, "x");
	const struct event *event = event_log_after(begin);
	assert_true(audience_has(&event->audience, &actor));
	actor.user_id = "u3";
	assert_false(audience_has(&event->audience, &actor));
	actor.user_id = "u2";
	actor.tenant_id = "another";
	assert_false(audience_has(&event->audience, &actor));
}

static void an_id_of_another_process_is_unknown(void **state)
{
	int64_t first = add(&everyone, "one"), second = add(&everyone, "two");
	assert_false(event_log_reaches(first + 1)); /* between two */
	assert_false(event_log_reaches(second + 1024));
	assert_false(event_log_reaches(0));
}

static void the_oldest_goes_first(void **state)
{
	int64_t begin = event_log_position(), ids[5];
	for (int i = 0; i < 5; i++)
		ids[i] = add(&everyone, "x");
	assert_false(event_log_reaches(begin));
	assert_false(event_log_reaches(ids[0]));
	assert_true(event_log_reaches(ids[1])); /* nothing above it is missing */
	assert_int_equal(event_log_after(ids[1])->id, ids[2]);
}

static void bytes_are_bounded_too(void **state)
{
	size_t n = 5 * 1024 * 1024;
	char *text = calloc(1, n);
	int64_t begin = event_log_position(), first = event_log_next_id();
	event_log_add(first, &everyone, text, n);
	int64_t second = event_log_next_id();
	event_log_add(second, &everyone, text, n);
	assert_false(event_log_reaches(begin));
	assert_int_equal(event_log_after(0)->id, second);
	free(text);
}

static void after_a_break_nothing_is_known(void **state)
{
	int64_t id = add(&everyone, "x");
	event_log_break();
	assert_false(event_log_reaches(id));
	assert_null(event_log_after(id));
	assert_true(event_log_reaches(event_log_position()));
}

static void a_log_of_nothing_replays_nothing(void **state)
{
	event_log_stop();
	event_log_start(0);
	int64_t begin = event_log_position();
	assert_true(event_log_reaches(begin));
	int64_t id = add(&everyone, "x");
	assert_false(event_log_reaches(begin));
	assert_true(event_log_reaches(id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ids_rise, start, stop),
		cmocka_unit_test_setup_teardown(what_came_after_is_replayed, start, stop),
		cmocka_unit_test_setup_teardown(the_audience_is_kept, start, stop),
		cmocka_unit_test_setup_teardown(an_id_of_another_process_is_unknown, start, stop),
		cmocka_unit_test_setup_teardown(the_oldest_goes_first, start, stop),
		cmocka_unit_test_setup_teardown(bytes_are_bounded_too, start, stop),
		cmocka_unit_test_setup_teardown(after_a_break_nothing_is_known, start, stop),
		cmocka_unit_test_setup_teardown(a_log_of_nothing_replays_nothing, start, stop),
	};
	return cmocka_run_group_tests_name("event_log", tests, NULL, NULL);
}
