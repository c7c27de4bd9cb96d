/* Facts about the cache: it remembers, forgets, and never makes anyone wait. */
#include "libcommon/cache.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/core_search.h"
#include "libcommon/testing.h"

static struct arena *arena;

static int open_arena(void **state)
{
	arena = arena_new();
	return 0;
}

static int close_arena(void **state)
{
	arena_free(arena);
	return 0;
}

static struct cache *open_cache(void)
{
	assert_non_null(test_cache_address()); /* tests/with-services */
	struct cache *cache = cache_open(test_cache_address(), NULL);
	cache_wait(cache, TEST_CACHE_WAIT_MS);
	return cache;
}

static void what_was_set_is_there_until_deleted(void **state)
{
	struct cache *cache = open_cache();
	const char *value = NULL;
	assert_int_equal(cache_set(cache, "t:a b", "いち 1\n", 60000), OK);
	assert_int_equal(cache_get(cache, arena, "t:a b", &value), OK);
	assert_string_equal(value, "いち 1\n");
	assert_int_equal(cache_delete(cache, "t:a b"), OK);
	assert_int_equal(cache_get(cache, arena, "t:a b", &value), ERR_NOT_FOUND);
	assert_int_equal(cache_delete(cache, "t:a b"), OK);
	cache_close(cache);
}

static void a_value_expires(void **state)
{
	struct cache *cache = open_cache();
	const char *value = NULL;
	assert_int_equal(cache_set(cache, "t:short", "1", 20), OK);
	usleep(60000);
	assert_int_equal(cache_get(cache, arena, "t:short", &value), ERR_NOT_FOUND);
	cache_close(cache);
}

static void counters_add_up_and_expire(void **state)
{
	struct cache *cache = open_cache();
	struct cache_counter counters[] = { { "t:count:a", 2, 0 }, { "t:count:b", 40, 0 } };
	const char *value = NULL;
	assert_int_equal(cache_count(cache, counters, 2, 60000), OK);
	counters[0].add = 3;
	assert_int_equal(cache_count(cache, counters, 2, 60000), OK);
	assert_int_equal(counters[0].total, 5);
	assert_int_equal(counters[1].total, 80);
	assert_int_equal(cache_count(cache, counters, 0, 60000), OK);
	assert_int_equal(cache_count(cache, counters, 1, 20), OK);
	usleep(60000);
	assert_int_equal(cache_get(cache, arena, "t:count:a", &value), ERR_NOT_FOUND);
	assert_int_equal(cache_delete(cache, "t:count:b"), OK);
	cache_close(cache);
}

static void a_counter_that_is_none_is_unavailable(void **state)
{
	struct cache *cache = open_cache(), *other = open_cache();
	struct cache_counter counters[] = { { "t:count:text", 1, 0 }, { "t:count:c", 1, 0 } };
	assert_int_equal(cache_set(cache, "t:count:text", "x", 60000), OK);
	assert_int_equal(cache_count(cache, counters, 2, 60000), ERR_UNAVAILABLE);
	assert_int_equal(cache_count(cache, counters, 2, 60000), ERR_UNAVAILABLE); /* it rests */
	assert_int_equal(cache_delete(other, "t:count:text"), OK);
	assert_int_equal(cache_delete(other, "t:count:c"), OK);
	cache_close(cache);
	cache_close(other);
}

static void a_stranger_is_unavailable(void **state)
{
	struct cache *cache = cache_open_as(test_cache_address(), "nobody", "wrong");
	struct cache_counter counter = { "t:count:a", 1, 0 };
	assert_int_equal(cache_count(cache, &counter, 1, 60000), ERR_UNAVAILABLE);
	cache_close(cache);
}

static void no_address_is_unavailable(void **state)
{
	const char *value = NULL;
	const char *const addresses[] = { NULL, "", "nonsense", "[::1]", "/nowhere/redis.sock",
		"127.0.0.1:1" };
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct cache *cache = cache_open(addresses[i], NULL);
		assert_int_equal(cache_get(cache, arena, "k", &value), ERR_UNAVAILABLE);
		assert_int_equal(cache_set(cache, "k", "v", 1000), ERR_UNAVAILABLE);
		assert_int_equal(cache_delete(cache, "k"), ERR_UNAVAILABLE);
		cache_close(cache);
	}
	cache_close(NULL);
}

/* Accepts connections in its backlog and never answers. */
static int open_silent(struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/silent-%ld.sock",
		(long)getpid());
	(void)unlink(address->sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 1024), 0); /* nobody is turned away uncounted */
	return fd;
}

/* How often somebody came. */
static int64_t visits(int listener)
{
	int64_t n = 0;
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; n++)
		(void)close(fd);
	return n;
}

static void a_silent_server_costs_a_tenth_of_a_second_once(void **state)
{
	struct sockaddr_un address;
	int fd = open_silent(&address);
	struct cache *cache = cache_open(address.sun_path, NULL);
	const char *value = NULL;
	int64_t begin_ms = clock_steady_ms();
	assert_int_equal(cache_get(cache, arena, "k", &value), ERR_UNAVAILABLE);
	int64_t first_ms = clock_steady_ms() - begin_ms;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(cache_get(cache, arena, "k", &value), ERR_UNAVAILABLE);
	int64_t all_ms = clock_steady_ms() - begin_ms;
	assert_true(first_ms >= 90 && first_ms < 30000);
	assert_in_range(visits(fd), 1, 1 + all_ms / 1000); /* it is asked again after a second */
	cache_close(cache);
	(void)close(fd);
	(void)unlink(address.sun_path);
}

static void a_wrong_password_is_unavailable(void **state)
{
	assert_non_null(test_cache_address());
	struct cache *cache = cache_open(test_cache_address(), "wrong");
	const char *value = NULL;
	assert_int_equal(cache_get(cache, arena, "k", &value), ERR_UNAVAILABLE);
	cache_close(cache);
}

static long long stream_length(const char *name)
{
	redisContext *redis = redisConnectUnix(test_cache_address());
	redisReply *length = redisCommand(redis, "XLEN %s", name);
	long long n = length->integer;
	freeReplyObject(length);
	redisFree(redis);
	return n;
}

static void a_stream_keeps_about_so_many(void **state)
{
	struct cache *cache = open_cache();
	const char *const fields[] = { "line", "一" };
	const struct cache_stream stream = { "t:stream", 200, 5000 };
	struct cache_entry entries[500];
	const char *why = NULL;
	for (int i = 0; i < 500; i++)
		entries[i] = (struct cache_entry){ fields, 2 };
	assert_int_equal(cache_append(cache, arena, &stream, entries, 0, &why), OK);
	assert_int_equal(cache_append(cache, arena, &stream, entries, 500, &why), OK);
	assert_in_range(stream_length("t:stream"), 200, 300); /* whole nodes of a hundred go */
	assert_int_equal(cache_delete(cache, "t:stream"), OK);
	cache_close(cache);
}

static void what_is_no_stream_says_why(void **state)
{
	struct cache *cache = open_cache(), *other = open_cache();
	const char *const fields[] = { "line", "x" }, *why = NULL;
	const struct cache_stream stream = { "t:text", 200, 5000 };
	const struct cache_entry entry = { fields, 2 };
	assert_int_equal(cache_set(cache, "t:text", "x", 60000), OK);
	assert_int_equal(cache_append(cache, arena, &stream, &entry, 1, &why), ERR_UNAVAILABLE);
	assert_non_null(strstr(why, "WRONGTYPE"));
	assert_int_equal(cache_delete(other, "t:text"), OK);
	cache_close(cache);
	cache_close(other);
}

static void tell(const char *command)
{
	redisContext *redis = redisConnectUnix(test_cache_address());
	redisReply *answer = redisCommand(redis, command);
	assert_int_not_equal(answer->type, REDIS_REPLY_ERROR);
	freeReplyObject(answer);
	redisFree(redis);
}

/* A server that is busy for a moment refuses some and takes what comes after them, which then stood
 * in the stream before them. So none is taken by itself: here by who may not end a transaction, or
 * not begin one. */
static void a_stream_gets_all_of_a_batch_or_nothing(void **state)
{
	static const char *const users[] = { "+xadd +multi", "+xadd +exec", "+xadd +multi +exec" };
	const char *const fields[] = { "line", "x" }, *why = NULL;
	const struct cache_stream stream = { "t:whole", 200, 5000 };
	const struct cache_entry entries[] = { { fields, 2 }, { fields, 2 }, { fields, 2 } };
	for (int i = 0; i < 3; i++) {
		tell(arena_printf(arena, "ACL SETUSER adds reset on >secret ~t:* %s", users[i]));
		struct cache *cache = cache_open_as(test_cache_address(), "adds", "secret");
		cache_wait(cache, TEST_CACHE_WAIT_MS);
		enum err e = cache_append(cache, arena, &stream, entries, 3, &why);
		cache_close(cache);
		assert_int_equal(e, i == 2 ? OK : ERR_UNAVAILABLE);
		assert_int_equal(stream_length("t:whole"), i == 2 ? 3 : 0);
		assert_true(i == 2 || strstr(why, "NOPERM"));
	}
	tell("ACL DELUSER adds");
	tell("DEL t:whole");
}

/* Redis is told its hash: hiredis keeps what it sends. */
static void no_password_is_in_a_core_dump(void **state)
{
	unsigned char random[KEY_SIZE], hash[HASH_SIZE];
	char *password = crypto_secret_alloc(2 * KEY_SIZE + 1);
	struct cache_counter counter = { "t:count:login", 1, 0 };
	crypto_random(random, KEY_SIZE);
	for (size_t i = 0; i < KEY_SIZE; i++)
		(void)snprintf(password + 2 * i, 3, "%02x", random[i]);
	crypto_sha256(password, 2 * KEY_SIZE, hash);
	tell(arena_printf(arena, "ACL SETUSER counts reset on #%s ~t:* +incrby +pexpire",
		crypto_hex(arena, hash, HASH_SIZE)));
	struct cache *cache = cache_open_as(test_cache_address(), "counts", password);
	cache_wait(cache, TEST_CACHE_WAIT_MS);
	assert_int_equal(cache_count(cache, &counter, 1, 60000), OK);
	assert_int_equal(core_search((struct bytes){ (unsigned char *)password, 2 * KEY_SIZE }), 0);
	cache_close(cache);
	crypto_secret_free(password);
	tell("ACL DELUSER counts");
	tell("DEL t:count:login");
}

/* ---- servers that take their time ---- */

struct slow {
	int listener, answers; /* whether it answers, or takes, a byte or so at a time */
	size_t taken;
};

/* Until the other side has given up. */
static void *be_slow(void *arg)
{
	struct slow *slow = arg;
	static char some[1024];
	int link = accept(slow->listener, NULL, NULL);
	ssize_t n = slow->answers ? write(link, "+OK\r\n$9999999\r\n", 15) : 1;
	while (n > 0) {
		usleep(10000);
		n = slow->answers ? send(link, "x", 1, MSG_NOSIGNAL)
				  : read(link, some, sizeof(some));
		slow->taken += n > 0 ? (size_t)n : 0;
	}
	close(link);
	return NULL;
}

/* So many entries of 8 KB, as one that ends what it does in time may take them. */
static enum err append_to_slow(struct slow *slow, size_t n)
{
	static char line[8193];
	char path[] = "/tmp/manabiya-slow-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *const fields[] = { "line", line }, *why = NULL;
	const struct cache_stream stream = { "t:slow", 200, 300 };
	const struct cache_entry entry = { fields, 2 };
	struct cache_entry *entries = arena_array(arena, n, sizeof(*entries));
	pthread_t thread;
	for (size_t i = 0; i < n; i++)
		entries[i] = entry;
	memset(line, 'x', sizeof(line) - 1);
	assert_non_null(mkdtemp(path));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", path);
	slow->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(slow->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(slow->listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, be_slow, slow), 0);
	struct cache *cache = cache_open(address.sun_path, NULL);
	enum err e = cache_append(cache, arena, &stream, entries, n, &why);
	cache_close(cache);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(slow->listener);
	unlink(address.sun_path);
	rmdir(path);
	return e;
}

/* It would take minutes, and without a bound on the whole got them. */
static void who_takes_a_little_at_a_time_has_no_more_time(void **state)
{
	struct slow slow = { .answers = false };
	assert_int_equal(append_to_slow(&slow, 500), ERR_UNAVAILABLE);
	assert_true(slow.taken < (size_t)500 * 8192);
}

static void who_answers_a_little_at_a_time_has_no_more_time(void **state)
{
	struct slow slow = { .answers = true };
	assert_int_equal(append_to_slow(&slow, 1), ERR_UNAVAILABLE);
	assert_true(slow.taken < 9999999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_set_is_there_until_deleted),
		cmocka_unit_test(a_value_expires),
		cmocka_unit_test(counters_add_up_and_expire),
		cmocka_unit_test(a_counter_that_is_none_is_unavailable),
		cmocka_unit_test(a_stream_keeps_about_so_many),
		cmocka_unit_test(what_is_no_stream_says_why),
		cmocka_unit_test(a_stream_gets_all_of_a_batch_or_nothing),
		cmocka_unit_test(no_password_is_in_a_core_dump),
		cmocka_unit_test(who_takes_a_little_at_a_time_has_no_more_time),
		cmocka_unit_test(who_answers_a_little_at_a_time_has_no_more_time),
		cmocka_unit_test(a_stranger_is_unavailable),
		cmocka_unit_test(no_address_is_unavailable),
		cmocka_unit_test(a_silent_server_costs_a_tenth_of_a_second_once),
		cmocka_unit_test(a_wrong_password_is_unavailable),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
