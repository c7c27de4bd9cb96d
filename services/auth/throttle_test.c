/* Facts about slowing down guesses. */
#include "services/auth/auth_test.h"

static const unsigned char SUBJECT[HASH_SIZE] = "somebody";

/* 0 when the attempt is allowed, else how long to wait. */
static int charge(void)
{
	struct call c = test_call(&test, NULL);
	enum err e = throttle_charge(&c, SUBJECT);
	assert_int_equal(db_commit(&c), OK);
	assert_true(e == OK || e == ERR_LIMITED);
	return e ? c.failure.retry_after_s : 0;
}

/* Seconds between the last attempt and the next; from the row, so that a slow machine changes
 * nothing. */
static long wait_s(void)
{
	return strtol(test_sql_text(&test,
			      "SELECT round(extract(epoch FROM next_attempt_at"
			      " - updated_at)) FROM auth.throttle"),
		NULL, 10);
}

static void waits_double_up_to_a_quarter_of_an_hour(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(charge(), 0);
		assert_int_equal(wait_s(), 0);
	}
	long expected = 1;
	for (unsigned i = 0; i < 14; i++) {
		assert_int_equal(charge(), 0);
		assert_int_equal(wait_s(), expected);
		move_clock_ms(1000 * expected);
		expected = 2 * expected < 900 ? 2 * expected : 900;
	}
	assert_int_equal(expected, 900);
}

static void who_comes_too_early_is_told_how_long(void **state)
{
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(charge(), 0);
	test_sql(&test,
		"UPDATE auth.throttle SET next_attempt_at = updated_at"
		" + interval '600 seconds'");
	assert_in_range(charge(), 500, 600);
	assert_in_range(charge(), 500, 600);
	assert_int_equal(wait_s(), 600); /* asking does not make it longer */
}

static void a_day_without_failures_forgets(void **state)
{
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(charge(), 0);
	assert_int_equal(wait_s(), 1);
	move_clock_ms(25 * HOUR_MS);
	assert_int_equal(charge(), 0);
	assert_int_equal(wait_s(), 0);
}

static void success_forgets(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(charge(), 0);
	struct call c = test_call(&test, NULL);
	assert_int_equal(throttle_clear(&c, SUBJECT), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_int_equal(charge(), 0);
	assert_int_equal(wait_s(), 0);
}

/* ---- by source ---- */

static enum err try_from(const char *source, unsigned name, bool note, bool is_right)
{
	unsigned char subject[HASH_SIZE] = { (unsigned char)(name >> 8), (unsigned char)name, 7,
		7 };
	struct call c = test_call(&test, NULL);
	c.source = source;
	enum err e = source_check(&c, subject);
	if (!e && note)
		source_note(&c, subject, is_right);
	db_rollback(test.db);
	return e;
}

static bool has_cache(void)
{
	const char *value;
	return cache_get(test.cache, test.arena, "nothing", &value) == ERR_NOT_FOUND;
}

static void many_names_from_one_address_are_refused(void **state)
{
	if (!has_cache())
		skip();
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(try_from("192.0.2.7", i, true, false), OK);
	assert_int_equal(try_from("192.0.2.7", 200, false, false), ERR_LIMITED);
	assert_int_equal(try_from("192.0.2.7", 199, false, false), OK); /* counted already */
	assert_int_equal(try_from("192.0.2.8", 200, false, false), OK);
	assert_int_equal(try_from("", 200, false, false), OK);
	/* Who got in after all was no guesser. */
	assert_int_equal(try_from("192.0.2.7", 3, true, true), OK);
	assert_int_equal(try_from("192.0.2.7", 200, false, false), OK);
}

static void a_class_that_mistypes_is_not(void **state)
{
	if (!has_cache())
		skip();
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(try_from("198.51.100.1", i % 40, true, false), OK);
	assert_int_equal(try_from("198.51.100.1", 41, false, false), OK);
}

static void ipv6_counts_by_network(void **state)
{
	if (!has_cache())
		skip();
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(try_from(printf_text("2001:db8:1:2::%x", i), i, true, false), OK);
	assert_int_equal(try_from("2001:db8:1:2:ffff::1", 200, false, false), ERR_LIMITED);
	assert_int_equal(try_from("2001:db8:1:3::1", 200, false, false), OK);
}

static int open_fresh(void **state)
{
	int failed = open_auth(state);
	static const char *const keys[] = { "source:c0000207", "source:c6336401",
		"source:20010db800010002" };
	for (unsigned i = 0; i < 3; i++) {
		enum err ignored = cache_delete(test.cache, keys[i]);
		(void)ignored;
	}
	return failed;
}

#undef FACT
#define FACT(name_) cmocka_unit_test_setup_teardown(name_, open_fresh, close_auth)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(waits_double_up_to_a_quarter_of_an_hour),
		FACT(who_comes_too_early_is_told_how_long),
		FACT(a_day_without_failures_forgets),
		FACT(success_forgets),
		FACT(many_names_from_one_address_are_refused),
		FACT(a_class_that_mistypes_is_not),
		FACT(ipv6_counts_by_network),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
