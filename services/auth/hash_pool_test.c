/* Facts about the threads that hash: bounded, and never waited for beyond the deadline. */
#include "libcommon/cmocka_call.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "libcommon/clock.h"
#include "services/auth/auth.h"

#define AMPLE_MS 120000 /* hashes have a low priority: beside other work they take long */

static struct call call_with(struct arena *arena, int64_t time_ms)
{
	return (struct call){ .arena = arena, .deadline_ms = clock_steady_ms() + time_ms };
}

static void hashes_and_verifies(void **state)
{
	struct arena *arena = arena_new();
	struct call c = call_with(arena, AMPLE_MS);
	char phc[PASSWORD_HASH_SIZE];
	bool is_right = false;
	const struct policy *policy = policy_of(ROLE_STUDENT);
	assert_int_equal(hash_pool_start(2, 4), OK);
	assert_int_equal(hash_pool_make(&c, policy, "tetsubou7mai", phc), OK);
	assert_memory_equal(phc, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	assert_int_equal(hash_pool_verify(&c, policy, phc, "tetsubou7mai", &is_right), OK);
	assert_true(is_right);
	assert_int_equal(hash_pool_verify(&c, policy, phc, "tetsubou7mae", &is_right), OK);
	assert_false(is_right);
	assert_int_equal(hash_pool_verify(&c, policy, NULL, "tetsubou7mai", &is_right), OK);
	assert_false(is_right);
	hash_pool_stop();
	arena_free(arena);
}

#define CALLERS 12
#define LIMIT 3
#define QUEUE 7

static atomic_uint called, done, refused;

static void *verify_once(void *arg)
{
	struct arena *arena = arena_new();
	struct call c = call_with(arena, AMPLE_MS);
	bool is_right;
	atomic_fetch_add(&called, 1);
	enum err e = hash_pool_verify(&c, policy_of(ROLE_INSTRUCTOR), NULL, "whatever", &is_right);
	if (e == OK) {
		atomic_fetch_add(&done, 1);
	} else {
		assert_int_equal(e, ERR_UNAVAILABLE);
		assert_int_equal(c.failure.problem->status, 503);
		assert_string_equal(c.failure.problem->code, "login_busy");
		assert_in_range(c.failure.retry_after_s, 1, 3);
		atomic_fetch_add(&refused, 1);
	}
	arena_free(arena);
	return NULL;
}

/* Comes again as long as nobody was turned away: on a busy machine a hash may be done before the
 * next caller comes at all. */
static void *verify_until_refused(void *arg)
{
	do
		(void)verify_once(NULL);
	while (atomic_load(&refused) == 0);
	return NULL;
}

/* All come at once: LIMIT are inside, the others are turned away, so nobody else's worker waits. */
static void more_callers_than_the_limit_are_turned_away(void **state)
{
	pthread_t threads[CALLERS];
	atomic_store(&called, 0);
	atomic_store(&done, 0);
	atomic_store(&refused, 0);
	assert_int_equal(hash_pool_start(1, LIMIT), OK);
	for (unsigned i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_until_refused, NULL), 0);
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	unsigned were_done = atomic_load(&done);
	assert_int_equal(were_done + atomic_load(&refused), atomic_load(&called));
	assert_true(were_done >= LIMIT);
	assert_true(atomic_load(&refused) > 0);
	/* And the place is free again. */
	verify_once(NULL);
	assert_int_equal(atomic_load(&done), were_done + 1);
	hash_pool_stop();
}

static void whoever_waits_too_long_leaves(void **state)
{
	pthread_t busy[QUEUE];
	struct arena *arena = arena_new();
	struct call c = { 0 };
	bool is_right;
	enum err e = OK;
	assert_int_equal(hash_pool_start(1, QUEUE + 1), OK);
	for (unsigned i = 0; i < QUEUE; i++)
		assert_int_equal(pthread_create(&busy[i], NULL, verify_once, NULL), 0);
	for (unsigned i = 0; i < QUEUE && !e; i++) { /* those may come later than this one */
		c = call_with(arena, 1);
		e = hash_pool_verify(&c, policy_of(ROLE_INSTRUCTOR), NULL, "x", &is_right);
	}
	assert_int_equal(e, ERR_UNAVAILABLE);
	assert_string_equal(c.failure.detail, "deadline");
	for (unsigned i = 0; i < QUEUE; i++)
		pthread_join(busy[i], NULL);
	hash_pool_stop();
	arena_free(arena);
}

static void stopping_finishes_what_waits(void **state)
{
	pthread_t threads[2];
	atomic_store(&done, 0);
	atomic_store(&refused, 0);
	assert_int_equal(hash_pool_start(1, 8), OK);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_once, NULL), 0);
	hash_pool_stop();
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&done) + atomic_load(&refused), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_and_verifies),
		cmocka_unit_test(more_callers_than_the_limit_are_turned_away),
		cmocka_unit_test(whoever_waits_too_long_leaves),
		cmocka_unit_test(stopping_finishes_what_waits),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
