#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/gateway/window.h"

static void as_many_as_there_is_room_for_hold_one(void **state)
{
	struct window_room room = { .most = 2 };
	bool a = false, b = false, c = false;
	assert_true(window_hold(&room, &a));
	assert_true(window_hold(&room, &a));
	assert_int_equal(room.held, 1);
	assert_true(window_hold(&room, &b));
	assert_false(window_hold(&room, &c));
	window_release(&room, &c);
	assert_int_equal(room.held, 2);
	window_release(&room, &a);
	assert_true(window_hold(&room, &c));
	assert_false(window_hold(&room, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_there_is_room_for_hold_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
