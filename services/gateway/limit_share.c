/*
 * One batch goes back and forth: the loop fills it, the thread counts it in Redis, the loop settles
 * it. Whoever does not have it does not touch it, so it needs no lock; the lock is for waking
 * alone.
 */
#include "services/gateway/limit_share.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/cache.h"
#include "libcommon/log.h"

enum {
	BATCH_MAX = 1024, /* subjects an exchange; more of them wait for the next */
	KEY_SIZE_MAX = 96,
};

static struct {
	struct loop *loop;
	struct limiter *limiter;
	struct timer *timer;
	int64_t interval_ms, ttl_ms;
	/* the batch */
	struct limit_news news[BATCH_MAX];
	size_t n;
	bool was_shared;
	bool is_away; /* the thread has it; the loop's own note */
	/* the thread */
	struct cache *cache;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool has_work, is_stopping; /* under the lock */
	bool is_on;
} share = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* ---- the thread ---- */

/* limit:<name>:<subject>:<window>; the prefix is what the gateway's user of Redis may touch. */
static void write_key(const struct limit_news *news, char key[KEY_SIZE_MAX])
{
	int n = snprintf(key, KEY_SIZE_MAX, "limit:%s:", news->limit->name);
	for (size_t i = 0; i < SUBJECT_SIZE; i++)
		n += snprintf(key + n, KEY_SIZE_MAX - (size_t)n, "%02x", news->subject[i]);
	(void)snprintf(key + n, KEY_SIZE_MAX - (size_t)n, ":%lld", (long long)news->window);
}

static bool count_in_redis(void)
{
	static struct cache_counter counters[BATCH_MAX];
	static char keys[BATCH_MAX][KEY_SIZE_MAX];
	for (size_t i = 0; i < share.n; i++) {
		write_key(&share.news[i], keys[i]);
		counters[i] = (struct cache_counter){ .key = keys[i], .add = share.news[i].taken };
	}
	if (cache_count(share.cache, counters, share.n, share.ttl_ms) != OK)
		return false;
	for (size_t i = 0; i < share.n; i++)
		share.news[i].total = counters[i].total;
	return true;
}

/* On the loop's thread: the batch is back. */
static void on_counted(void *arg)
{
	if (share.was_shared != share.is_on)
		log_info(share.was_shared ? "limits are shared with other instances"
					  : "limits are this instance's own: no Redis");
	share.is_on = share.was_shared;
	limiter_settle(share.limiter, share.news, share.n, share.was_shared);
	share.is_away = false;
}

static bool wait_for_work(void)
{
	pthread_mutex_lock(&share.lock);
	while (!share.has_work && !share.is_stopping)
		pthread_cond_wait(&share.wake, &share.lock);
	bool has_work = !share.is_stopping;
	share.has_work = false;
	pthread_mutex_unlock(&share.lock);
	return has_work;
}

static void *run(void *arg)
{
	while (wait_for_work()) {
		share.was_shared = count_in_redis();
		loop_post(share.loop, on_counted, NULL, NULL);
	}
	return NULL;
}

static void wake(bool *reason)
{
	pthread_mutex_lock(&share.lock);
	*reason = true;
	pthread_cond_signal(&share.wake);
	pthread_mutex_unlock(&share.lock);
}

/* ---- the loop ---- */

static void on_time(void *arg)
{
	share.timer = loop_after(share.loop, share.interval_ms, on_time, NULL);
	if (share.is_away)
		return; /* Redis is slow: more news gather meanwhile */
	share.n = limiter_news(share.limiter, share.news, BATCH_MAX);
	if (!share.n)
		return;
	share.is_away = true;
	wake(&share.has_work);
}

void limit_share_start(const struct gateway_conf *conf, struct loop *loop, struct limiter *limiter)
{
	if (!*conf->limit_cache)
		return;
	share.loop = loop;
	share.limiter = limiter;
	share.interval_ms = conf->limit_share_ms;
	share.ttl_ms = 2 * conf->limit_window_s * 1000;
	share.cache = cache_open_as(
		conf->limit_cache, conf->limit_cache_user, conf->limit_cache_password);
	share.is_stopping = share.has_work = share.is_away = share.is_on = false;
	if (pthread_create(&share.thread, NULL, run, NULL) != 0)
		abort(); /* at start: no threads at all */
	share.timer = loop_after(loop, share.interval_ms, on_time, NULL);
}

void limit_share_stop(void)
{
	if (!share.cache)
		return;
	loop_cancel(share.loop, share.timer);
	wake(&share.is_stopping);
	pthread_join(share.thread, NULL);
	cache_close(share.cache);
	share.cache = NULL;
}

bool limit_share_is_on(void)
{
	return share.is_on;
}
