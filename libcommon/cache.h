/*
 * Redis, the only code that includes hiredis. A cache: every caller goes on without it.
 *
 * One handle per worker thread. When Redis does not answer within 100 ms the handle rests for a
 * second, and every call returns ERR_UNAVAILABLE at once, so a dead cache costs next to nothing.
 */
#ifndef MANABIYA_CACHE_H
#define MANABIYA_CACHE_H

#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/err.h"

struct cache;

/* `address`: a Unix socket path, or host:port. Never fails: connecting happens at first use. NULL
 * address: always unavailable. The password's text must live as long as the handle, which makes no
 * copy of it. */
struct cache *cache_open(const char *address, const char *password);
/* As a user of Redis's access list, who may do less than everything. */
struct cache *cache_open_as(const char *address, const char *user, const char *password);
void cache_close(struct cache *cache);
/* From the next connection on, so long instead of 100 ms: tests run beside others, and who is sent
 * the log may be far away. */
void cache_wait(struct cache *cache, int64_t ms);

/* ERR_NOT_FOUND when there is no such key. */
must_check enum err cache_get(
	struct cache *cache, struct arena *arena, const char *key, const char **value);
must_check enum err cache_set(
	struct cache *cache, const char *key, const char *value, int64_t ttl_ms);
must_check enum err cache_delete(struct cache *cache, const char *key);

/* Adds to counters that live for `ttl_ms` after their last change, all in one round trip, and fills
 * in what each has come to. On failure some may have been added. */
struct cache_counter {
	const char *key;
	int64_t add, total;
};
must_check enum err cache_count(
	struct cache *cache, struct cache_counter *counters, size_t n, int64_t ttl_ms);

/*
 * Entries at the end of a stream, which keeps about `max_length` of them, in one transaction. For
 * whom this is no cache: it may take `timeout_ms`, an error's text goes to *why (in the arena), and
 * OK means that Redis has all of them. On failure it has none, or all if only its answer is
 * missing. Afterwards the connection is for this alone: its waits are what was left of that time.
 */
struct cache_entry {
	const char *const *fields; /* name, value, name, … */
	size_t n; /* of both */
};
struct cache_stream {
	const char *name;
	int64_t max_length;
	int64_t timeout_ms;
};
#define CACHE_ENTRY_FIELDS_MAX 16
must_check enum err cache_append(struct cache *cache, struct arena *arena,
	const struct cache_stream *stream, const struct cache_entry *entries, size_t n,
	const char **why);

#endif
