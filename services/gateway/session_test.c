/* Facts about the cache of capabilities, against a bus end that plays auth over a real socket. */
#include "services/gateway/session.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* call.h has one of another kind */

#include "libcommon/bus_leak.h"
#include "libcommon/clock.h"
#include "services/gateway/gateway.h"

#define TOKEN(letter_) letter_ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define GOOD TOKEN("g")
#define OTHER TOKEN("o")
#define DEAD TOKEN("d")
#define SLOW TOKEN("s")
#define OUTSIDE TOKEN("x") /* refused from everywhere but HOME */
#define AMPLE_MS 20000 /* for what must come, and what must not go */
#define AN_HOUR_MS 3600000
#define HOME "192.0.2.1"
#define AWAY "198.51.100.1"

static char directory[] = "/tmp/manabiya-session-XXXXXX";
static char url[128], peers[160], key_path[160];
static unsigned char signing_key[SIGNING_KEY_SIZE];
static struct bus *auth;
static pthread_t auth_thread;
static atomic_int minted;
static atomic_bool is_held; /* answers about SLOW wait until it is false */
static struct gateway_conf conf;

/* ---- the end that plays auth ---- */

static const char *capability_for(struct arena *arena, char letter)
{
	const struct actor actor = {
		.tenant_id = "01900000-0000-7000-8000-000000000001",
		.user_id = "01900000-0000-7000-8000-000000000002",
		.role = ROLE_STUDENT,
		.session_id = arena_printf(arena, "session-%c", letter),
		.tenant_key = "key",
		.expires_unix_ms = clock_unix_ms() + CAPABILITY_LIFETIME_MS,
	};
	return capability_mint(arena, signing_key, &actor, clock_unix_ms());
}

static struct bytes text_bytes(const char *text)
{
	return (struct bytes){ .data = (const unsigned char *)text, .n = strlen(text) };
}

static void answer(struct bus_job *job)
{
	struct arena *arena = arena_new();
	char letter = (char)job->frame.texts[TEXT_BODY].data[strlen("{\"token\":\"")];
	struct frame reply = { .status = 200, .flags = FRAME_EXECUTED };
	atomic_fetch_add(&minted, 1);
	while (letter == 's' && atomic_load(&is_held)) {
		usleep(1000);
	}
	struct bytes source = job->frame.texts[TEXT_SOURCE];
	bool is_home = source.n == strlen(HOME) && memcmp(source.data, HOME, source.n) == 0;
	if (letter == 'x' && !is_home) {
		reply.status = 403;
		reply.texts[TEXT_OPERATION] = text_bytes("forbidden");
	} else if (letter == 'd') {
		reply.status = 401;
		reply.texts[TEXT_OPERATION] = text_bytes("unauthenticated");
	} else {
		reply.texts[TEXT_OPERATION] = text_bytes("ok");
		reply.texts[TEXT_BODY] = text_bytes(arena_printf(
			arena, "{\"capability\":\"%s\"}", capability_for(arena, letter)));
	}
	bus_answer(auth, job, &reply);
	arena_free(arena);
}

static void *serve(void *arg)
{
	for (struct bus_job *job; (job = bus_take(auth));) {
		answer(job);
	}
	return NULL;
}

/* ---- the end under test ---- */

static void write_key(void)
{
	FILE *file = fopen(key_path, "w");
	assert_non_null(file);
	for (int i = 0; i < KEY_SIZE; i++) {
		assert_int_equal(fputs("5a", file) >= 0, true);
	}
	assert_int_equal(fclose(file), 0);
}

static int start(void **state)
{
	unsigned char seed[KEY_SIZE] = { 7 };
	crypto_start();
	assert_non_null(mkdtemp(directory));
	(void)snprintf(key_path, sizeof key_path, "%s/gateway-auth.key", directory);
	(void)snprintf(url, sizeof url, "ipc://%s/auth", directory);
	(void)snprintf(peers, sizeof peers, "auth=%s", url);
	write_key();
	crypto_sign_keys(seed, gateway.auth_key, signing_key);
	auth = bus_open(&(struct bus_options){ .name = "auth",
		.listen = url,
		.key_directory = directory,
		.window = 64,
		.queue_max = 64 });
	gateway.loop = loop_new();
	gateway.conf = &conf;
	gateway.bus = bus_open(&(struct bus_options){ .name = "gateway",
		.peers = peers,
		.key_directory = directory,
		.window = 64,
		.queue_max = 1 });
	assert_int_equal(pthread_create(&auth_thread, NULL, serve, NULL), 0);
	for (int i = 0; i < 2000 && !bus_is_up(gateway.bus, "auth"); i++) {
		usleep(10000);
	}
	return bus_is_up(gateway.bus, "auth") ? 0 : -1;
}

static int stop(void **state)
{
	session_stop();
	bus_close(gateway.bus);
	bus_drain(auth);
	pthread_join(auth_thread, NULL);
	bus_close(auth);
	loop_free(gateway.loop);
	(void)unlink(key_path);
	char path[160];
	(void)snprintf(path, sizeof path, "%s/auth", directory);
	(void)unlink(path);
	return rmdir(directory);
}

static int begin(void **state)
{
	session_stop();
	conf.session_cache_ms = AMPLE_MS;
	atomic_store(&is_held, false);
	atomic_store(&minted, 0);
	return 0;
}

/* What one caller was told. */
struct told {
	int times;
	enum err err;
	char session_id[32];
};

static void on_known(void *arg, enum err err, const char *capability, const struct actor *actor)
{
	struct told *told = arg;
	told->times++;
	told->err = err;
	(void)snprintf(
		told->session_id, sizeof told->session_id, "%s", actor ? actor->session_id : "");
	loop_stop(gateway.loop);
}

static void on_time(void *arg)
{
	*(bool *)arg = true;
	loop_stop(gateway.loop);
}

/* Until somebody was told so many times, for NULL until the time is over. */
static void run_until(const struct told *told, int times, int64_t most_ms)
{
	bool is_over = false;
	struct timer *timer = loop_after(gateway.loop, most_ms, on_time, &is_over);
	while (!is_over && !(told && told->times >= times)) {
		loop_run(gateway.loop);
	}
	if (!is_over) {
		loop_cancel(gateway.loop, timer);
	}
}

static void wait_told(const struct told *told, int times)
{
	run_until(told, times, AMPLE_MS);
	assert_int_equal(told->times, times);
}

/* Until auth has begun with so many. */
static void wait_minted(int n)
{
	for (int i = 0; i < AMPLE_MS / 10 && atomic_load(&minted) < n; i++) {
		usleep(10000);
	}
	assert_int_equal(atomic_load(&minted), n);
}

/* ---- facts ---- */

static void a_token_that_is_known_is_not_exchanged_again(void **state)
{
	struct told first = { 0 }, second = { 0 };
	assert_non_null(session_resolve(GOOD, HOME, on_known, &first));
	wait_told(&first, 1);
	assert_int_equal(first.err, OK);
	assert_string_equal(first.session_id, "session-g");
	assert_null(session_resolve(GOOD, HOME, on_known, &second));
	assert_int_equal(second.times, 1);
	assert_int_equal(atomic_load(&minted), 1);
}

static void what_a_clock_that_was_set_says_no_more_is_exchanged_anew(void **state)
{
	struct told told = { 0 };
	for (int i = 1; i <= 3; i++) {
		assert_non_null(session_resolve(GOOD, HOME, on_known, &told));
		wait_told(&told, i);
		assert_int_equal(atomic_load(&minted), i);
		clock_shift_ms(i == 1 ? AN_HOUR_MS : -AN_HOUR_MS);
	}
	clock_shift_ms(AN_HOUR_MS);
}

static void after_its_time_a_token_is_exchanged_anew(void **state)
{
	struct told told = { 0 };
	conf.session_cache_ms = 1000;
	assert_non_null(session_resolve(GOOD, HOME, on_known, &told));
	wait_told(&told, 1);
	run_until(NULL, 0, 1000);
	assert_non_null(session_resolve(GOOD, HOME, on_known, &told));
	wait_told(&told, 2);
	assert_int_equal(atomic_load(&minted), 2);
}

static void those_who_come_together_wait_for_one_answer(void **state)
{
	struct told told[20] = { 0 }, other = { 0 };
	atomic_store(&is_held, true);
	for (int i = 0; i < 20; i++) {
		assert_non_null(session_resolve(SLOW, HOME, on_known, &told[i]));
	}
	assert_non_null(session_resolve(OTHER, HOME, on_known, &other));
	atomic_store(&is_held, false);
	wait_told(&other, 1);
	for (int i = 0; i < 20; i++) {
		wait_told(&told[i], 1);
		assert_string_equal(told[i].session_id, "session-s");
	}
	assert_string_equal(other.session_id, "session-o");
	assert_int_equal(atomic_load(&minted), 2);
}

static void who_has_left_is_not_told(void **state)
{
	struct told gone = { 0 }, there = { 0 };
	atomic_store(&is_held, true);
	struct session_wait *wait = session_resolve(SLOW, HOME, on_known, &gone);
	(void)session_resolve(SLOW, HOME, on_known, &there);
	session_forget(wait);
	session_forget(NULL);
	atomic_store(&is_held, false);
	wait_told(&there, 1);
	assert_int_equal(gone.times, 0);
}

static void a_dead_session_is_refused(void **state)
{
	struct told told = { 0 };
	(void)session_resolve(DEAD, HOME, on_known, &told);
	wait_told(&told, 1);
	assert_int_equal(told.err, ERR_UNAUTHENTICATED);
	assert_null(session_resolve(DEAD, HOME, on_known, &told));
	assert_int_equal(told.err, ERR_UNAUTHENTICATED);
	assert_int_equal(atomic_load(&minted), 1);
}

/* Also when somebody has just been in with the same token from where it is allowed. */
static void an_answer_counts_only_for_the_address_it_was_given_for(void **state)
{
	struct told home = { 0 }, away = { 0 };
	(void)session_resolve(OUTSIDE, HOME, on_known, &home);
	(void)session_resolve(OUTSIDE, AWAY, on_known, &away);
	wait_told(&home, 1);
	wait_told(&away, 1);
	assert_int_equal(home.err, OK);
	assert_int_equal(away.err, ERR_FORBIDDEN);
	assert_null(session_resolve(OUTSIDE, AWAY, on_known, &away));
	assert_int_equal(away.err, ERR_FORBIDDEN);
	assert_null(session_resolve(OUTSIDE, HOME, on_known, &home));
	assert_int_equal(home.err, OK);
	assert_int_equal(atomic_load(&minted), 2);
	assert_string_equal(session_problem(ERR_FORBIDDEN)->code, "source_refused");
}

static void a_revoked_session_is_asked_for_again(void **state)
{
	struct told told = { 0 };
	(void)session_resolve(GOOD, HOME, on_known, &told);
	(void)session_resolve(OTHER, HOME, on_known, &told);
	wait_told(&told, 2);
	session_drop("session-g");
	assert_null(session_resolve(OTHER, HOME, on_known, &told));
	assert_non_null(session_resolve(GOOD, HOME, on_known, &told));
	wait_told(&told, 4);
	assert_int_equal(atomic_load(&minted), 3);
}

/* The answer that is under way may be older than the revocation. */
static void nobody_joins_an_answer_that_a_revocation_overtook(void **state)
{
	struct told before = { 0 }, after = { 0 };
	atomic_store(&is_held, true);
	(void)session_resolve(SLOW, HOME, on_known, &before);
	wait_minted(1);
	session_drop("session-s");
	(void)session_resolve(SLOW, HOME, on_known, &after);
	atomic_store(&is_held, false);
	wait_told(&before, 1);
	wait_told(&after, 1);
	assert_int_equal(atomic_load(&minted), 2);
}

static void a_capability_of_another_key_is_no_session(void **state)
{
	struct told told = { 0 };
	gateway.auth_key[0] ^= 1;
	(void)session_resolve(GOOD, HOME, on_known, &told);
	wait_told(&told, 1);
	gateway.auth_key[0] ^= 1;
	assert_int_equal(told.err, ERR_UNAVAILABLE);
	(void)session_resolve(GOOD, HOME, on_known, &told);
	wait_told(&told, 2);
	assert_int_equal(told.err, OK);
}

static void a_check_always_asks(void **state)
{
	struct told told = { 0 };
	(void)session_resolve(GOOD, HOME, on_known, &told);
	wait_told(&told, 1);
	assert_non_null(session_recheck(GOOD, HOME, on_known, &told));
	wait_told(&told, 2);
	assert_int_equal(atomic_load(&minted), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_token_that_is_known_is_not_exchanged_again, begin),
		cmocka_unit_test_setup(
			what_a_clock_that_was_set_says_no_more_is_exchanged_anew, begin),
		cmocka_unit_test_setup(after_its_time_a_token_is_exchanged_anew, begin),
		cmocka_unit_test_setup(those_who_come_together_wait_for_one_answer, begin),
		cmocka_unit_test_setup(who_has_left_is_not_told, begin),
		cmocka_unit_test_setup(a_dead_session_is_refused, begin),
		cmocka_unit_test_setup(
			an_answer_counts_only_for_the_address_it_was_given_for, begin),
		cmocka_unit_test_setup(a_revoked_session_is_asked_for_again, begin),
		cmocka_unit_test_setup(nobody_joins_an_answer_that_a_revocation_overtook, begin),
		cmocka_unit_test_setup(a_capability_of_another_key_is_no_session, begin),
		cmocka_unit_test_setup(a_check_always_asks, begin),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
