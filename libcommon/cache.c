/*
 * Redis behind a few verbs; see cache.h. It refuses to be waited for: 100 ms, then a second's rest.
 *
 * hiredis 0.14 and 1.x: only calls that both have.
 */
#include "libcommon/cache.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "libcommon/clock.h"

#define TIMEOUT_MS                                                                                 \
	100 /* an answer takes 0.1 ms; what needs longer costs more than the database              \
	     */
#define REST_MS 1000
#define HOST_MAX 256
#define LOGIN_HEAD_MAX 512

struct cache {
	char *address; /* NULL: always unavailable */
	char *user;
	const char *password; /* the caller's; NULL: there is none */
	redisContext *redis; /* NULL: not connected */
	int64_t wait_ms, rest_until_ms;
};

typedef redisReply *reply;
static void reply_fini(reply *held)
{
	if (*held)
		freeReplyObject(*held);
}
#define auto_reply __attribute__((cleanup(reply_fini))) reply

static char *copy_or_null(const char *text)
{
	char *copy = text && *text ? strdup(text) : NULL;
	if (!copy && text && *text)
		abort();
	return copy;
}

struct cache *cache_open(const char *address, const char *password)
{
	return cache_open_as(address, NULL, password);
}

struct cache *cache_open_as(const char *address, const char *user, const char *password)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	if (!cache)
		abort();
	cache->address = copy_or_null(address);
	cache->user = copy_or_null(user);
	cache->password = password && *password ? password : NULL;
	cache->wait_ms = TIMEOUT_MS;
	return cache;
}

void cache_wait(struct cache *cache, int64_t ms)
{
	cache->wait_ms = ms;
}

static void disconnect(struct cache *cache)
{
	if (cache->redis)
		redisFree(cache->redis);
	cache->redis = NULL;
}

void cache_close(struct cache *cache)
{
	if (!cache)
		return;
	disconnect(cache);
	free(cache->address);
	free(cache->user);
	free(cache);
}

/* A path has a slash; anything else is host:port, with brackets around an IPv6 address. */
static redisContext *connect_to(const char *address, struct timeval timeout)
{
	if (strchr(address, '/'))
		return redisConnectUnixWithTimeout(address, timeout);
	const char *colon = strrchr(address, ':');
	char host[HOST_MAX] = { 0 };
	size_t n = colon ? (size_t)(colon - address) : 0;
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (!colon || !n || n >= sizeof(host))
		return NULL;
	memcpy(host, address, n);
	return redisConnectWithTimeout(host, (int)strtol(colon + 1, NULL, 10), timeout);
}

/* ---- waits that end together: hiredis bounds each read and write by itself, so a server that
 * takes or answers a little at a time could be waited for without end ---- */

static enum err bound(struct cache *cache, int64_t end_ms)
{
	int64_t left_ms = end_ms - clock_steady_ms();
	const struct timeval left = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000L };
	return left_ms > 0 && redisSetTimeout(cache->redis, left) == REDIS_OK ? OK
									      : ERR_UNAVAILABLE;
}

static enum err write_until(struct cache *cache, int64_t end_ms)
{
	enum err e = OK;
	for (int is_done = 0; !e && !is_done;) {
		e = bound(cache, end_ms);
		if (!e && redisBufferWrite(cache->redis, &is_done) != REDIS_OK)
			e = ERR_UNAVAILABLE;
	}
	return e;
}

static enum err read_until(struct cache *cache, int64_t end_ms, reply *out)
{
	void *got = NULL;
	while (redisReaderGetReply(cache->redis->reader, &got) == REDIS_OK) {
		*out = got;
		if (got)
			return OK;
		if (bound(cache, end_ms) || redisBufferRead(cache->redis) != REDIS_OK)
			return ERR_UNAVAILABLE;
	}
	return ERR_UNAVAILABLE;
}

/* Not by hiredis, which leaves what it has sent in memory. A new socket takes as little at once. */
static bool send_login(const struct cache *cache)
{
	char head[LOGIN_HEAD_MAX];
	const char *user = cache->user;
	size_t n = strlen(cache->password);
	int head_n = user
		? snprintf(head, sizeof(head), "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n",
			  strlen(user), user, n)
		: snprintf(head, sizeof(head), "*2\r\n$4\r\nAUTH\r\n$%zu\r\n", n);
	char end[] = "\r\n";
	struct iovec parts[] = { { head, (size_t)head_n },
		{ (void *)(uintptr_t)cache->password, n }, { end, 2 } };
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	return head_n < LOGIN_HEAD_MAX &&
		sendmsg(cache->redis->fd, &message, MSG_NOSIGNAL) ==
		(ssize_t)(head_n + 2) + (ssize_t)n;
}

static bool log_in(struct cache *cache)
{
	int64_t end_ms = clock_steady_ms() + cache->wait_ms;
	auto_reply answer = NULL;
	if (!cache->password)
		return true;
	return !bound(cache, end_ms) && send_login(cache) && !read_until(cache, end_ms, &answer) &&
		answer->type == REDIS_REPLY_STATUS;
}

static enum err rest(struct cache *cache)
{
	disconnect(cache);
	cache->rest_until_ms = clock_steady_ms() + REST_MS;
	return ERR_UNAVAILABLE;
}

static enum err connect_if_needed(struct cache *cache)
{
	const struct timeval timeout = { .tv_sec = cache->wait_ms / 1000,
		.tv_usec = cache->wait_ms % 1000 * 1000L };
	if (cache->redis)
		return OK;
	if (!cache->address || clock_steady_ms() < cache->rest_until_ms)
		return ERR_UNAVAILABLE;
	cache->redis = connect_to(cache->address, timeout);
	if (!cache->redis || cache->redis->err || !log_in(cache) ||
		redisSetTimeout(cache->redis, timeout) != REDIS_OK)
		return rest(cache);
	return OK;
}

/* One command and its answer, which must be of the type or nil. */
static enum err ask(struct cache *cache, int n, const char *const words[], int type, reply *out)
{
	enum err e = connect_if_needed(cache);
	if (e)
		return e;
	auto_reply answer = redisCommandArgv(cache->redis, n, (const char **)words, NULL);
	if (!answer || (answer->type != type && answer->type != REDIS_REPLY_NIL))
		return rest(cache); /* also an error answer: read only, out of memory, loading */
	if (answer->type == REDIS_REPLY_NIL)
		return ERR_NOT_FOUND;
	*out = answer;
	answer = NULL;
	return OK;
}

enum err cache_get(struct cache *cache, struct arena *arena, const char *key, const char **value)
{
	auto_reply answer = NULL;
	const char *const words[] = { "GET", key };
	enum err e = ask(cache, 2, words, REDIS_REPLY_STRING, &answer);
	if (!e)
		*value = arena_strndup(arena, answer->str, (size_t)answer->len);
	return e;
}

enum err cache_set(struct cache *cache, const char *key, const char *value, int64_t ttl_ms)
{
	auto_reply answer = NULL;
	char ttl[24];
	(void)snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_ms);
	const char *const words[] = { "SET", key, value, "PX", ttl };
	return ask(cache, 5, words, REDIS_REPLY_STATUS, &answer);
}

enum err cache_delete(struct cache *cache, const char *key)
{
	auto_reply answer = NULL;
	const char *const words[] = { "DEL", key };
	return ask(cache, 2, words, REDIS_REPLY_INTEGER, &answer);
}

static enum err append(struct cache *cache, int n, const char *const words[])
{
	return redisAppendCommandArgv(cache->redis, n, (const char **)words, NULL) == REDIS_OK
		? OK
		: ERR_UNAVAILABLE;
}

static enum err append_count(
	struct cache *cache, const struct cache_counter *counter, int64_t ttl_ms)
{
	char add[24], ttl[24];
	(void)snprintf(add, sizeof(add), "%lld", (long long)counter->add);
	(void)snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_ms);
	const char *const count[] = { "INCRBY", counter->key, add };
	const char *const expire[] = { "PEXPIRE", counter->key, ttl };
	enum err e = append(cache, 3, count);
	return e ? e : append(cache, 3, expire);
}

static enum err read_integer(struct cache *cache, int64_t *value)
{
	void *got = NULL;
	if (redisGetReply(cache->redis, &got) != REDIS_OK)
		return ERR_UNAVAILABLE;
	auto_reply answer = got;
	if (!answer || answer->type != REDIS_REPLY_INTEGER)
		return ERR_UNAVAILABLE;
	*value = answer->integer;
	return OK;
}

enum err cache_count(struct cache *cache, struct cache_counter *counters, size_t n, int64_t ttl_ms)
{
	int64_t ignored;
	enum err e = connect_if_needed(cache);
	if (e)
		return e;
	for (size_t i = 0; !e && i < n; i++)
		e = append_count(cache, &counters[i], ttl_ms);
	for (size_t i = 0; !e && i < n; i++) {
		e = read_integer(cache, &counters[i].total);
		if (!e)
			e = read_integer(cache, &ignored);
	}
	return e ? rest(cache) : OK;
}

/* ---- streams ---- */

static enum err append_entry(
	struct cache *cache, const struct cache_stream *stream, const struct cache_entry *entry)
{
	char max[24];
	const char *words[CACHE_ENTRY_FIELDS_MAX + 6] = { "XADD", stream->name, "MAXLEN", "~", max,
		"*" };
	assert(entry->n <= CACHE_ENTRY_FIELDS_MAX);
	(void)snprintf(max, sizeof(max), "%lld", (long long)stream->max_length);
	memcpy(words + 6, entry->fields, entry->n * sizeof(*words));
	return append(cache, (int)entry->n + 6, words);
}

struct exchange {
	struct cache *cache;
	struct arena *arena;
	int64_t end_ms;
	const char **why; /* left alone when there was no answer at all */
};

static enum err check(const struct exchange *exchange, const redisReply *answer, int type)
{
	if (answer->type == type)
		return OK;
	if (answer->type == REDIS_REPLY_ERROR)
		*exchange->why = arena_strndup(exchange->arena, answer->str, (size_t)answer->len);
	return ERR_UNAVAILABLE;
}

/* Answers of one type to so many commands. */
static enum err expect(const struct exchange *exchange, int type, size_t n)
{
	enum err e = OK;
	for (size_t i = 0; !e && i < n; i++) {
		auto_reply answer = NULL;
		e = read_until(exchange->cache, exchange->end_ms, &answer);
		if (!e)
			e = check(exchange, answer, type);
	}
	return e;
}

/* An id for every entry. */
static enum err expect_ids(const struct exchange *exchange, size_t n)
{
	auto_reply answer = NULL;
	enum err e = read_until(exchange->cache, exchange->end_ms, &answer);
	if (!e)
		e = check(exchange, answer, REDIS_REPLY_ARRAY);
	if (!e && answer->elements != n)
		e = ERR_UNAVAILABLE;
	for (size_t i = 0; !e && i < n; i++)
		e = check(exchange, answer->element[i], REDIS_REPLY_STRING);
	return e;
}

static enum err send_word(const struct exchange *exchange, const char *word)
{
	enum err e = append(exchange->cache, 1, &word);
	return e ? e : write_until(exchange->cache, exchange->end_ms);
}

/* In a transaction, or a server that is busy for a moment refused some and took what comes after
 * them. It is open before they are sent: outside of one they would be taken singly. */
static enum err append_all(const struct exchange *exchange, const struct cache_stream *stream,
	const struct cache_entry *entries, size_t n)
{
	enum err e = send_word(exchange, "MULTI");
	if (!e)
		e = expect(exchange, REDIS_REPLY_STATUS, 1);
	for (size_t i = 0; !e && i < n; i++)
		e = append_entry(exchange->cache, stream, &entries[i]);
	if (!e)
		e = send_word(exchange, "EXEC");
	if (!e)
		e = expect(exchange, REDIS_REPLY_STATUS, n);
	return e ? e : expect_ids(exchange, n);
}

enum err cache_append(struct cache *cache, struct arena *arena, const struct cache_stream *stream,
	const struct cache_entry *entries, size_t n, const char **why)
{
	const struct exchange exchange = { cache, arena, clock_steady_ms() + stream->timeout_ms,
		why };
	*why = "no connection";
	enum err e = connect_if_needed(cache);
	if (e)
		return e;
	*why = "no answer";
	return append_all(&exchange, stream, entries, n) ? rest(cache) : OK;
}
