/*
 * Argon2 in threads of its own, at low priority: a school that logs in at half past eight must not
 * stall the session checks of everybody else.
 *
 * Callers block, so only `limit` of them may be inside; whoever comes then is told to come back.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "services/auth/auth.h"

#define THREADS_MAX 64
#define NICE 10 /* below workers, above what is idle */
#define RETRY_SPREAD_S 3 /* a class that was turned away must not come back as one */

static const struct problem BUSY = { ERR_UNAVAILABLE, 503, "login_busy",
	"ログインが混み合っています。少し待ってからもう一度お試しください。",
	"Too many people are logging in. Please try again in a moment." };

/* One hash to make (phc NULL) or to verify; lies on the stack of the caller, who waits for it. */
struct task {
	struct task *next;
	const struct policy *policy;
	const char *phc, *password;
	char *made;
	enum err err;
	bool is_right, is_started, is_done;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct task *first, **end;
	unsigned inside, limit, threads_n;
	bool is_stopping;
	pthread_t threads[THREADS_MAX];
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER };

/* What unknown users' passwords are compared with, one per cost. Nobody knows its password. */
static struct decoy {
	const struct policy *policy;
	char phc[PASSWORD_HASH_SIZE];
} decoys[2];

static bool is_same_cost(const struct policy *a, const struct policy *b)
{
	return a->passes == b->passes && a->memory_bytes == b->memory_bytes;
}

static const char *decoy_for(const struct policy *policy)
{
	unsigned i = is_same_cost(decoys[0].policy, policy) ? 0 : 1;
	assert(is_same_cost(decoys[i].policy, policy));
	return decoys[i].phc;
}

static enum err make_decoy(struct decoy *decoy, enum role role)
{
	char password[33] = "";
	unsigned char random[16];
	crypto_random(random, sizeof random);
	for (unsigned i = 0; i < sizeof random; i++) {
		password[2 * i] = (char)('a' + (random[i] & 15));
		password[2 * i + 1] = (char)('a' + (random[i] >> 4));
	}
	decoy->policy = policy_of(role);
	return crypto_password_hash(
		password, decoy->policy->passes, decoy->policy->memory_bytes, decoy->phc);
}

/* ---- the threads ---- */

static struct task *take(void)
{
	while (!pool.first && !pool.is_stopping)
		pthread_cond_wait(&pool.work, &pool.lock);
	struct task *task = pool.first;
	if (!task)
		return NULL;
	pool.first = task->next;
	if (!pool.first)
		pool.end = &pool.first;
	task->is_started = true;
	return task;
}

static void perform(struct task *task)
{
	if (task->made)
		task->err = crypto_password_hash(task->password, task->policy->passes,
			task->policy->memory_bytes, task->made);
	else if (task->phc)
		task->is_right = crypto_password_verify(task->phc, task->password);
	else /* for the work alone: is_right stays false */
		(void)crypto_password_verify(decoy_for(task->policy), task->password);
}

static void *run(void *arg)
{
	/* On Linux this is the priority of the calling thread alone. */
	if (setpriority(PRIO_PROCESS, 0, NICE) != 0)
		log_warning("hash threads keep the usual priority: %d", errno);
	pthread_mutex_lock(&pool.lock);
	for (struct task *task; (task = take());) {
		pthread_mutex_unlock(&pool.lock);
		perform(task);
		pthread_mutex_lock(&pool.lock);
		task->is_done = true;
		pthread_cond_broadcast(&pool.done);
	}
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

static void init_done(void)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool.done, &attributes);
	pthread_condattr_destroy(&attributes);
}

enum err hash_pool_start(unsigned threads, unsigned limit)
{
	assert(threads > 0 && threads <= THREADS_MAX && limit > 0);
	enum err e = make_decoy(&decoys[0], ROLE_INSTRUCTOR);
	if (!e)
		e = make_decoy(&decoys[1], ROLE_STUDENT);
	if (e)
		return e;
	init_done();
	pool.first = NULL;
	pool.end = &pool.first;
	pool.limit = limit;
	pool.is_stopping = false;
	for (pool.threads_n = 0; pool.threads_n < threads; pool.threads_n++)
		if (pthread_create(&pool.threads[pool.threads_n], NULL, run, NULL) != 0)
			return ERR_UNAVAILABLE;
	return OK;
}

void hash_pool_stop(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.is_stopping = true;
	pthread_cond_broadcast(&pool.work);
	pthread_mutex_unlock(&pool.lock);
	for (unsigned i = 0; i < pool.threads_n; i++)
		pthread_join(pool.threads[i], NULL);
	if (pool.threads_n > 0)
		pthread_cond_destroy(&pool.done);
	pool.threads_n = 0;
}

/* ---- the callers ---- */

static void append(struct task *task)
{
	*pool.end = task;
	pool.end = &task->next;
	pthread_cond_signal(&pool.work);
}

static void withdraw(struct task *task)
{
	struct task **at = &pool.first;
	while (*at != task)
		at = &(*at)->next;
	*at = task->next;
	if (!*at)
		pool.end = at;
}

/* True when it is done; false when the deadline came first and nobody had begun. */
static bool wait_for(struct task *task, int64_t deadline_ms)
{
	const struct timespec until = { .tv_sec = deadline_ms / 1000,
		.tv_nsec = deadline_ms % 1000 * 1000000 };
	while (!task->is_done) {
		/* A hash that has begun reads the caller's memory: it is waited for. */
		if (task->is_started)
			pthread_cond_wait(&pool.done, &pool.lock);
		else if (pthread_cond_timedwait(&pool.done, &pool.lock, &until) == ETIMEDOUT &&
			!task->is_started) {
			withdraw(task);
			return false;
		}
	}
	return true;
}

static enum err refuse(struct call *c, const char *why)
{
	unsigned char random;
	crypto_random(&random, sizeof random);
	enum err e = fail_with(c, &BUSY, "%s", why);
	c->failure.retry_after_s = 1 + random % RETRY_SPREAD_S;
	return e;
}

static enum err submit(struct call *c, struct task *task)
{
	pthread_mutex_lock(&pool.lock);
	bool is_full = pool.inside >= pool.limit || pool.is_stopping;
	bool is_done = false;
	if (!is_full) {
		pool.inside++;
		append(task);
		is_done = wait_for(task, c->deadline_ms);
		pool.inside--;
	}
	pthread_mutex_unlock(&pool.lock);
	if (!is_done)
		return refuse(c, is_full ? "too many callers" : "deadline");
	return task->err ? fail(c, task->err, "no memory for Argon2") : OK;
}

enum err hash_pool_verify(struct call *c, const struct policy *policy, const char *phc,
	const char *password, bool *is_right)
{
	struct task task = { .policy = policy, .phc = phc, .password = password };
	enum err e = submit(c, &task);
	*is_right = !e && task.is_right;
	return e;
}

enum err hash_pool_make(struct call *c, const struct policy *policy, const char *password,
	char out[PASSWORD_HASH_SIZE])
{
	struct task task = { .policy = policy, .password = password, .made = out };
	return submit(c, &task);
}
