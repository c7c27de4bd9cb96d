/* Facts about how long sessions last. */
#include "libcommon/cmocka_call.h"

#include "services/auth/auth.h"

#define HOUR_MS INT64_C(3600000)
#define MIDNIGHT_IN_JAPAN_MS INT64_C(1775574000000) /* 2026-04-08 */

static void every_role_has_a_policy(void **state)
{
	static const enum role roles[] = { ROLE_OPERATOR, ROLE_CONTRACTOR, ROLE_INSTRUCTOR,
		ROLE_STUDENT };
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(policy_of(roles[i])->role, roles[i]);
		assert_true(policy_of(roles[i])->idle_ms < policy_of(roles[i])->absolute_ms);
	}
	assert_null(policy_of(ROLE_SERVICE));
	assert_null(policy_of(ROLE_ANONYMOUS));
}

static int64_t pupils_end_hour(int64_t begin_minutes)
{
	int64_t begin_ms = MIDNIGHT_IN_JAPAN_MS + begin_minutes * 60000;
	int64_t end_ms = session_end_ms(policy_of(ROLE_STUDENT), begin_ms);
	return (end_ms - MIDNIGHT_IN_JAPAN_MS) / 60000;
}

static void pupils_are_out_when_school_is(void **state)
{
	assert_int_equal(pupils_end_hour(5 * 60), 17 * 60);
	assert_int_equal(pupils_end_hour(8 * 60 + 30), 17 * 60);
	assert_int_equal(pupils_end_hour(15 * 60 + 59), 17 * 60);
}

static void pupils_at_home_have_four_hours(void **state)
{
	assert_int_equal(pupils_end_hour(16 * 60), 20 * 60);
	assert_int_equal(pupils_end_hour(19 * 60), 23 * 60);
	assert_int_equal(pupils_end_hour(4 * 60 + 59), 8 * 60 + 59);
}

static void staff_have_their_hours_at_any_time(void **state)
{
	int64_t begin_ms = MIDNIGHT_IN_JAPAN_MS + 9 * HOUR_MS;
	assert_int_equal(
		session_end_ms(policy_of(ROLE_CONTRACTOR), begin_ms), begin_ms + 8 * HOUR_MS);
	assert_int_equal(
		session_end_ms(policy_of(ROLE_INSTRUCTOR), begin_ms), begin_ms + 12 * HOUR_MS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_has_a_policy),
		cmocka_unit_test(pupils_are_out_when_school_is),
		cmocka_unit_test(pupils_at_home_have_four_hours),
		cmocka_unit_test(staff_have_their_hours_at_any_time),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
