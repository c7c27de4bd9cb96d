#include "services/gateway/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WINDOW = 1000, QUOTA = 3 };

static const struct limit limit = { "some", QUOTA, WINDOW };
static const struct limit other_limit = { "other", QUOTA, WINDOW };

/* Bytes 4 to 7 say where its windows begin: zero is easiest to count with. */
struct subject {
	unsigned char bytes[SUBJECT_SIZE];
};
static struct subject subject(unsigned number)
{
	struct subject made = { { 0 } };
	memcpy(made.bytes, &number, sizeof number);
	return made;
}

static struct limit_state take(struct limiter *limiter, unsigned number, int64_t now_ms)
{
	return limiter_take(limiter, &limit, subject(number).bytes, now_ms);
}

static void use_up(struct limiter *limiter, unsigned number, int64_t now_ms)
{
	for (int i = 0; i < QUOTA; i++)
		assert_false(take(limiter, number, now_ms).is_refused);
}

static void a_quota_is_used_up_and_comes_back(void **state)
{
	struct limiter *limiter = limiter_new(8);
	for (int left = QUOTA - 1; left >= 0; left--) {
		struct limit_state now = take(limiter, 1, 250);
		assert_false(now.is_refused);
		assert_int_equal(now.left, left);
		assert_int_equal(now.reset_ms, 750);
	}
	struct limit_state refused = take(limiter, 1, 999);
	assert_true(refused.is_refused);
	assert_int_equal(refused.left, 0);
	assert_int_equal(refused.reset_ms, 1);
	assert_int_equal(take(limiter, 1, 1000).left, QUOTA - 1);
	limiter_free(limiter);
}

static void subjects_and_limits_are_apart(void **state)
{
	struct limiter *limiter = limiter_new(8);
	use_up(limiter, 1, 0);
	assert_true(take(limiter, 1, 0).is_refused);
	assert_false(take(limiter, 2, 0).is_refused);
	assert_false(limiter_take(limiter, &other_limit, subject(1).bytes, 0).is_refused);
	limiter_free(limiter);
}

static void windows_of_subjects_begin_at_different_moments(void **state)
{
	struct limiter *limiter = limiter_new(8);
	struct subject late = subject(1);
	late.bytes[4] = 100;
	assert_int_equal(limiter_take(limiter, &limit, late.bytes, 0).reset_ms, WINDOW - 100);
	assert_int_equal(take(limiter, 1, 0).reset_ms, WINDOW);
	limiter_free(limiter);
}

static void the_longest_unseen_makes_room(void **state)
{
	struct limiter *limiter = limiter_new(4);
	use_up(limiter, 1, 0);
	for (unsigned i = 2; i <= 4; i++)
		use_up(limiter, i, 0);
	assert_true(take(limiter, 1, 0).is_refused); /* seen again */
	assert_false(take(limiter, 5, 0).is_refused); /* in the place of 2 */
	assert_true(take(limiter, 1, 0).is_refused);
	assert_int_equal(take(limiter, 2, 0).left, QUOTA - 1);
	limiter_free(limiter);
}

static void a_flood_of_subjects_stays_within_its_memory(void **state)
{
	struct limiter *limiter = limiter_new(100);
	struct limit_news news[200];
	for (unsigned i = 0; i < 100000; i++) {
		assert_false(take(limiter, i, i).is_refused);
		if (i % 777 == 0)
			assert_true(limiter_news(limiter, news, 200) <= 100);
	}
	limiter_free(limiter);
}

static void news_are_told_once(void **state)
{
	struct limiter *limiter = limiter_new(8);
	struct limit_news news[8];
	assert_int_equal(limiter_news(limiter, news, 8), 0);
	(void)take(limiter, 1, 0);
	(void)take(limiter, 1, 0);
	(void)take(limiter, 2, 0);
	assert_int_equal(limiter_news(limiter, news, 1), 1);
	assert_int_equal(news[0].taken, 2);
	assert_ptr_equal(news[0].limit, &limit);
	assert_memory_equal(news[0].subject, subject(1).bytes, SUBJECT_SIZE);
	assert_int_equal(limiter_news(limiter, news, 8), 1);
	assert_int_equal(news[0].taken, 1);
	assert_int_equal(limiter_news(limiter, news, 8), 0);
	limiter_free(limiter);
}

static void what_others_took_counts(void **state)
{
	struct limiter *limiter = limiter_new(8);
	struct limit_news news[8];
	(void)take(limiter, 1, 0);
	assert_int_equal(limiter_news(limiter, news, 8), 1);
	news[0].total = QUOTA; /* others took the rest */
	limiter_settle(limiter, news, 1, true);
	assert_true(take(limiter, 1, 0).is_refused);
	assert_false(take(limiter, 1, WINDOW).is_refused); /* theirs ended, too */
	limiter_free(limiter);
}

static void what_could_not_be_shared_is_news_again(void **state)
{
	struct limiter *limiter = limiter_new(8);
	struct limit_news news[8];
	(void)take(limiter, 1, 0);
	assert_int_equal(limiter_news(limiter, news, 8), 1);
	(void)take(limiter, 1, 0);
	limiter_settle(limiter, news, 1, false);
	assert_int_equal(limiter_news(limiter, news, 8), 1);
	assert_int_equal(news[0].taken, 2);
	limiter_settle(limiter, news, 1, false);
	assert_false(take(limiter, 1, WINDOW).is_refused);
	assert_int_equal(limiter_news(limiter, news, 8), 1);
	assert_int_equal(news[0].taken, 1); /* nobody asks for the last window any more */
	limiter_free(limiter);
}

static void an_answer_for_the_last_window_changes_nothing(void **state)
{
	struct limiter *limiter = limiter_new(8);
	struct limit_news news[8];
	(void)take(limiter, 1, 0);
	assert_int_equal(limiter_news(limiter, news, 8), 1);
	(void)take(limiter, 1, WINDOW);
	news[0].total = 100;
	limiter_settle(limiter, news, 1, true);
	assert_int_equal(take(limiter, 1, WINDOW).left, QUOTA - 2);
	limiter_free(limiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quota_is_used_up_and_comes_back),
		cmocka_unit_test(subjects_and_limits_are_apart),
		cmocka_unit_test(windows_of_subjects_begin_at_different_moments),
		cmocka_unit_test(the_longest_unseen_makes_room),
		cmocka_unit_test(a_flood_of_subjects_stays_within_its_memory),
		cmocka_unit_test(news_are_told_once),
		cmocka_unit_test(what_others_took_counts),
		cmocka_unit_test(what_could_not_be_shared_is_news_again),
		cmocka_unit_test(an_answer_for_the_last_window_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
