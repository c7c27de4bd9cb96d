/* Who waits for a seat, and who gets the next one. */
#include "services/gateway/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N = 16 };

/* One request; what became of all of them is written down in `said`. */
struct one {
	struct seat seat;
	char name;
	char tenant;
};

static struct one ones[N];
static size_t ones_n;
static struct room room;
static char said[64];
static size_t said_n;
static int places; /* how many are free */
static char full_tenant; /* it has its share */
static char friend_of_all; /* who leaves when another is given up */

static struct one *one_of(struct seat *seat)
{
	return (struct one *)((char *)seat - offsetof(struct one, seat));
}

static int setup(void **state)
{
	memset(ones, 0, sizeof ones);
	memset(&room, 0, sizeof room);
	memset(said, 0, sizeof said);
	ones_n = said_n = 0;
	places = 0;
	full_tenant = friend_of_all = 0;
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < ones_n; i++) {
		room_leave(&room, &ones[i].seat);
	}
	return 0;
}

static struct one *enter(char name, char tenant, const char *asker, int64_t now_ms)
{
	struct one *one = &ones[ones_n++];
	one->name = name;
	one->tenant = tenant;
	room_enter(&room, &one->seat, (char[]){ tenant, '\0' }, asker, now_ms);
	return one;
}

static enum bus_refusal send(struct seat *seat)
{
	const struct one *one = one_of(seat);
	if (one->tenant == full_tenant) {
		return BUS_TENANT_FULL;
	}
	if (places == 0) {
		return BUS_FULL;
	}
	places--;
	said[said_n++] = one->name;
	return BUS_TAKEN;
}

static enum bus_refusal nobody_is_there(struct seat *seat)
{
	return BUS_AWAY;
}

static void on_given_up(struct seat *seat)
{
	const struct one *one = one_of(seat);
	said[said_n++] = one->name;
	for (size_t i = 0; friend_of_all && i < ones_n; i++) {
		if (ones[i].name == friend_of_all) {
			room_leave(&room, &ones[i].seat);
		}
	}
}

static void one_asker_with_many_requests_does_not_come_before_others(void **state)
{
	enter('a', '1', "greedy", 0);
	enter('b', '1', "greedy", 0);
	enter('c', '1', "greedy", 0);
	enter('x', '1', "modest", 0);
	enter('y', '1', "shy", 0);
	places = N;
	room_serve(&room, send);
	assert_string_equal(said, "axybc");
	assert_int_equal(room.n, 0);
}

static void who_had_its_turn_stands_behind_who_comes_now(void **state)
{
	enter('a', '1', "greedy", 0);
	enter('b', '1', "greedy", 0);
	places = 1;
	room_serve(&room, send);
	enter('c', '1', "greedy", 0);
	enter('x', '1', "modest", 0);
	places = N;
	room_serve(&room, send);
	assert_string_equal(said, "axbc");
}

static void tenants_take_turns(void **state)
{
	enter('a', '1', "a", 0);
	enter('b', '1', "b", 0);
	enter('c', '1', "c", 0);
	enter('x', '2', "x", 0);
	for (int i = 0; i < 3; i++) {
		places = 1;
		room_serve(&room, send);
	}
	assert_string_equal(said, "axb");
}

static void a_tenant_that_has_its_share_holds_up_no_other(void **state)
{
	enter('a', '1', "a", 0);
	enter('x', '2', "x", 0);
	enter('y', '2', "y", 0);
	full_tenant = '1';
	places = N;
	room_serve(&room, send);
	assert_string_equal(said, "xy");
	assert_true(room_has(&room, "1"));
	assert_false(room_has(&room, "2"));
}

static void who_leaves_is_not_sent(void **state)
{
	struct one *a = enter('a', '1', "a", 0), *b = enter('b', '1', "b", 0);
	room_leave(&room, &a->seat);
	room_leave(&room, &a->seat);
	places = N;
	room_serve(&room, send);
	assert_string_equal(said, "b");
	assert_null(b->seat.group);
	assert_int_equal(room.groups_n, 0);
}

static void who_waited_too_long_is_given_up(void **state)
{
	enter('a', '1', "a", 0);
	enter('b', '2', "b", 60);
	for (int64_t now_ms = 0; now_ms <= 100; now_ms += 2) {
		room_answered(&room, 10, now_ms);
		room_give_up(&room, 100, now_ms, on_given_up);
	}
	assert_string_equal(said, "a");
	assert_int_equal(room.n, 1);
}

static void a_service_that_answers_nothing_is_not_waited_for(void **state)
{
	enter('a', '1', "a", 1000);
	room_give_up(&room, 500, 1002, on_given_up);
	room_give_up(&room, 500, 1004, on_given_up);
	assert_string_equal(said, "");
	room_give_up(&room, 500, 1006, on_given_up);
	assert_string_equal(said, "a");
	assert_false(room_is_open(&room, N));
	room_answered(&room, 10, 1020);
	assert_true(room_is_open(&room, N));
}

static void a_service_that_pauses_is_waited_for(void **state)
{
	enter('a', '1', "a", 1000);
	for (int i = 0; i < 100; i++) {
		room_answered(&room, 10, 1002); /* so 40 ms are a pause */
	}
	for (int64_t now_ms = 1004; now_ms <= 1040; now_ms += 2) {
		room_give_up(&room, 500, now_ms, on_given_up);
	}
	assert_string_equal(said, "");
	room_give_up(&room, 500, 1044, on_given_up);
	assert_string_equal(said, "a");
}

static void answers_that_lie_there_count(void **state)
{
	enter('a', '1', "a", 1000);
	room_give_up(&room, 500, 1400, on_given_up); /* the gateway was held up so long */
	room_answered(&room, 10, 1402);
	room_give_up(&room, 500, 1402, on_given_up);
	assert_string_equal(said, "");
}

static void a_service_that_is_gone_is_not_waited_for(void **state)
{
	enter('a', '1', "a", 1000);
	room_serve(&room, nobody_is_there);
	room_give_up(&room, 500, 1000, on_given_up);
	assert_string_equal(said, "a");
}

static void who_leaves_while_others_are_given_up_is_forgotten(void **state)
{
	enter('a', '1', "a", 0);
	enter('b', '1', "b", 0);
	enter('c', '2', "c", 0);
	friend_of_all = 'b';
	room_give_up(&room, 10, 1000, on_given_up);
	assert_string_equal(said, "ac");
	assert_int_equal(room.n, 0);
	assert_int_equal(room.groups_n, 0);
}

static void a_full_room_is_closed(void **state)
{
	assert_false(room_is_open(&room, 0));
	assert_true(room_is_open(&room, 1));
	struct one *a = enter('a', '1', "a", 0);
	assert_false(room_is_open(&room, 1));
	room_leave(&room, &a->seat);
}

#define FACT(fn_) cmocka_unit_test_setup_teardown(fn_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(one_asker_with_many_requests_does_not_come_before_others),
		FACT(who_had_its_turn_stands_behind_who_comes_now),
		FACT(tenants_take_turns),
		FACT(a_tenant_that_has_its_share_holds_up_no_other),
		FACT(who_leaves_is_not_sent),
		FACT(who_waited_too_long_is_given_up),
		FACT(a_service_that_answers_nothing_is_not_waited_for),
		FACT(a_service_that_pauses_is_waited_for),
		FACT(answers_that_lie_there_count),
		FACT(a_service_that_is_gone_is_not_waited_for),
		FACT(who_leaves_while_others_are_given_up_is_forgotten),
		FACT(a_full_room_is_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
