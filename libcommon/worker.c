/*
 * Threads of a service: workers that answer requests, and jobs that run at intervals (worker.h).
 */
#include "libcommon/worker.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/audit_stop.h"
#include "libcommon/cache.h"
#include "libcommon/capability_cache.h"
#include "libcommon/clock.h"
#include "libcommon/key_use.h"
#include "libcommon/keyring.h"
#include "libcommon/ledger.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/spool.h"
#include "libcommon/uuid.h"

#define JOB_DEADLINE_MS 30000 /* one run of a job: longer means stuck */

/* What one thread owns. */
struct worker {
	const struct process *process;
	const struct job *job; /* NULL: a worker */
	struct arena *arena;
	struct db *db;
	struct cache *cache;
};

static void worker_open(struct worker *worker)
{
	const struct process *process = worker->process;
	worker->arena = arena_new();
	worker->db = db_open(process->database, process->service->name);
	worker->cache = cache_open(process->cache, process->cache_password);
}

static void worker_close(struct worker *worker)
{
	db_close(worker->db);
	cache_close(worker->cache);
	arena_free(worker->arena);
	capability_cache_free();
	free(worker);
}

static struct call call_of(const struct worker *worker)
{
	static const struct actor nobody = {
		.tenant_id = "", .user_id = "", .role = ROLE_ANONYMOUS, .session_id = ""
	};
	return (struct call){
		.arena = worker->arena,
		.db = worker->db,
		.cache = worker->cache,
		.bus = worker->process->bus,
		.keyring = worker->process->keyring,
		.service = worker->process->service,
		.actor = &nobody,
		.auth_key = worker->process->auth_key,
		.capability = "",
		.caller = "",
		.traceparent = "",
		.source = "",
		.idempotency_key = "",
	};
}

/* ---- what every service answers about itself ---- */

static void answer_text(struct call *c, struct reply *reply, unsigned status, const char *text)
{
	*reply = (struct reply){
		.err = status == 200 ? OK : ERR_UNAVAILABLE,
		.status = status,
		.headers = { .arena = c->arena },
		.content_type = "text/plain; charset=utf-8",
		.body = frame_text(text),
		.executed = true,
	};
}

static void answer_health(struct call *c, struct reply *reply)
{
	if (db_ping(c->db))
		answer_text(c, reply, 503, "the database does not answer");
	else
		answer_text(c, reply, 200, "ok");
}

static void answer_metrics(const struct worker *worker, struct call *c, struct reply *reply)
{
	struct buf out = { .arena = c->arena };
	const char *service = worker->process->service->name;
	metrics_write(worker->process->metrics, &out);
	metrics_write_bus(&out, service, worker->process->bus);
	metrics_write_value(&out, "manabiya_audit_spool_rows", service, (uint64_t)spool_rows());
	if (c->keyring) {
		struct keyring_openings keys = keyring_openings(c->keyring);
		metrics_write_value(&out, "manabiya_keyring_unwraps_total", service, keys.opened);
		metrics_write_value(&out, "manabiya_keyring_refused_total", service, keys.refused);
		metrics_write_value(&out, "manabiya_keyring_foreign_total", service, keys.foreign);
	}
	if (worker->process->service->metrics)
		worker->process->service->metrics(&out);
	answer_text(c, reply, 200, out.data);
}

static bool is_named(const struct frame *request, const char *name)
{
	const struct bytes *text = &request->texts[TEXT_OPERATION];
	return text->n == strlen(name) && memcmp(text->data, name, text->n) == 0;
}

/* Only the gateway asks, for its admin listener. */
static bool answer_about_itself(const struct worker *worker, struct call *c,
	const struct frame *request, struct reply *reply)
{
	if (strcmp(c->caller, "gateway") != 0)
		return false;
	if (is_named(request, "service_health"))
		answer_health(c, reply);
	else if (is_named(request, "service_metrics"))
		answer_metrics(worker, c, reply);
	else
		return false;
	return true;
}

/* ---- workers ---- */

static void log_call(const struct call *c, const struct reply *reply, int64_t us)
{
	const struct failure *failure = &c->failure;
	log_event(reply->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "call",
		LOG_TEXT("call_id", c->call_id), LOG_TEXT("op", c->op ? c->op->name : NULL),
		LOG_TEXT("caller", c->caller),
		LOG_TEXT("actor", *c->actor->user_id ? c->actor->user_id : NULL),
		LOG_TEXT("err", err_name(reply->err)),
		LOG_TEXT("code", failure->problem ? failure->problem->code : NULL),
		LOG_TEXT("detail", failure->problem ? failure->detail : NULL),
		LOG_TEXT("place", reply->status >= 500 ? failure->place : NULL), LOG_INT("us", us));
}

static void send_reply(struct bus *bus, struct bus_job *job, const struct reply *reply)
{
	struct frame frame = {
		.status = (uint16_t)reply->status,
		.flags = reply->executed ? FRAME_EXECUTED : 0,
		.time_left_ms = (uint32_t)reply->label,
		.window_offset = reply->total_bytes,
		.window_length = reply->next_offset,
	};
	frame.texts[TEXT_OPERATION] = frame_text(err_name(reply->err));
	frame.texts[TEXT_PARAMS] =
		(struct bytes){ (const unsigned char *)reply->headers.data, reply->headers.n };
	frame.texts[TEXT_CONTENT_TYPE] = frame_text(reply->content_type);
	frame.texts[TEXT_BODY] = reply->body;
	bus_answer(bus, job, &frame);
}

static void work_on(const struct worker *worker, struct bus_job *job)
{
	const struct process *process = worker->process;
	int64_t begin_us = clock_steady_us();
	struct reply reply;
	struct call c = call_of(worker);
	c.caller = job->caller;
	c.job = job;
	c.deadline_ms = job->deadline_ms;
	if (!answer_about_itself(worker, &c, &job->frame, &reply)) {
		service_dispatch(&c, process->auth_key, &job->frame, &reply);
		int64_t us = clock_steady_us() - begin_us;
		if (c.op)
			metrics_observe(process->metrics, (size_t)(c.op - process->service->ops),
				reply.err, us);
		log_call(&c, &reply, us);
	}
	send_reply(process->bus, job, &reply);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	worker_open(worker);
	for (struct bus_job *job; (job = bus_take(worker->process->bus));) {
		work_on(worker, job);
		arena_reset(worker->arena);
	}
	worker_close(worker);
	return NULL;
}

/* ---- jobs ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	unsigned written; /* rises with every commit that may have left something in the outbox */
	unsigned delivered; /* rows of it */
} jobs = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static void count_up(unsigned *hints, unsigned n)
{
	pthread_mutex_lock(&jobs.lock);
	*hints += n;
	pthread_cond_broadcast(&jobs.wake);
	pthread_mutex_unlock(&jobs.lock);
}

static enum err run_relay(struct call *c, bool *more)
{
	int64_t shipped = 0;
	enum err e = spool_measure(c);
	if (!e)
		e = audit_stop_watch(c);
	if (!e)
		e = outbox_relay(c, &shipped);
	*more = !e && shipped > 0;
	if (shipped)
		count_up(&jobs.delivered, (unsigned)shipped);
	return e;
}

static const char EXPIRE[] = "SELECT idempotency_expire()";

static enum err run_expiry(struct call *c, bool *more)
{
	const char *gone;
	return db_text(c, EXPIRE, DB_NONE, &gone);
}

/* A destroyed key that nobody asks for any more is forgotten by this alone. */
#define KEYS_EVERY_MS 1000
#define KEYS_WATCH_EVERY_MS 10000

static enum err run_keys(struct call *c, bool *more)
{
	static int64_t watched_ms; /* the job's thread alone */
	int64_t now_ms = clock_steady_ms();
	if (!c->keyring)
		return OK;
	keyring_drop(c->keyring);
	if (watched_ms && now_ms - watched_ms < KEYS_WATCH_EVERY_MS)
		return OK;
	enum err e = key_use_watch(c);
	if (!e)
		watched_ms = now_ms;
	return e;
}

const struct job skeleton_jobs[] = {
	/* The hint after each commit is the usual way; the interval finds what other instances
	   left. */
	{ .name = "relay", .every_ms = 200, .run = run_relay },
	/* So late at most is somebody told that the log is not complete; sooner when much was
	   delivered. */
	{ .name = "ledger", .every_ms = 5000, .run = ledger_run },
	{ .name = "keys", .every_ms = KEYS_EVERY_MS, .run = run_keys },
	{ .name = "expiry", .every_ms = 3600000, .run = run_expiry },
};
const size_t skeleton_jobs_n = sizeof(skeleton_jobs) / sizeof(skeleton_jobs[0]);

void service_wake_relay(void)
{
	count_up(&jobs.written, 1);
}

void jobs_stop(void)
{
	pthread_mutex_lock(&jobs.lock);
	jobs.stopping = true;
	pthread_cond_broadcast(&jobs.wake);
	pthread_mutex_unlock(&jobs.lock);
}

/* A job that failed is tried again sooner: mostly somebody is just starting, as we may be. */
#define JOB_RETRY_MS 2000

/* What was not told yet is noted by audit, and struck out when it is: so what is told keeps pace
 * with what is delivered. */
#define LEDGER_KEEPS_PACE 3000

static bool is_hinted(const struct job *job, unsigned seen)
{
	if (job == &skeleton_jobs[0])
		return jobs.written != seen;
	return job == &skeleton_jobs[1] && jobs.delivered - seen >= LEDGER_KEEPS_PACE;
}

/* Sleep until the job is due or hinted; false when the service stops. */
static bool wait_for_turn(const struct job *job, bool has_failed, unsigned *hints_seen)
{
	int64_t ms = has_failed && job->every_ms > JOB_RETRY_MS ? JOB_RETRY_MS : job->every_ms;
	const struct timespec until = clock_steady_in(ms);
	pthread_mutex_lock(&jobs.lock);
	while (!jobs.stopping && !is_hinted(job, *hints_seen)) {
		if (pthread_cond_clockwait(&jobs.wake, &jobs.lock, CLOCK_MONOTONIC, &until))
			break;
	}
	*hints_seen = job == &skeleton_jobs[0] ? jobs.written : jobs.delivered;
	bool go_on = !jobs.stopping;
	pthread_mutex_unlock(&jobs.lock);
	return go_on;
}

static bool is_stopping(void)
{
	pthread_mutex_lock(&jobs.lock);
	bool stopping = jobs.stopping;
	pthread_mutex_unlock(&jobs.lock);
	return stopping;
}

/* Whether it came to its end; what is left of a long job waits for the next start. */
static bool run_job(struct worker *worker)
{
	bool more = true, has_failed = false;
	while (more && !is_stopping()) {
		struct call c = call_of(worker);
		c.call_id = uuid_make(worker->arena);
		c.deadline_ms = clock_steady_ms() + JOB_DEADLINE_MS;
		more = false;
		db_begin(c.db, NULL, true);
		enum err e = worker->job->run(&c, &more);
		if (!e)
			e = db_commit(&c);
		else
			db_rollback(c.db);
		for (const struct push *push = e ? NULL : c.pushes; push; push = push->next)
			bus_push(c.bus, push->topic, frame_text(push->json));
		if (e) {
			more = false;
			has_failed = true;
			log_event(LOG_LEVEL_WARNING, "job failed",
				LOG_TEXT("job", worker->job->name), LOG_TEXT("err", err_name(e)),
				LOG_TEXT("detail", c.failure.detail));
		}
		arena_reset(worker->arena);
	}
	return !has_failed;
}

static void *run_jobs(void *arg)
{
	struct worker *worker = arg;
	unsigned hints_seen = 0;
	worker_open(worker);
	while (wait_for_turn(worker->job, !run_job(worker), &hints_seen))
		;
	worker_close(worker);
	return NULL;
}

static enum err start_thread(const struct process *process, const struct job *job,
	void *(*main_of)(void *), pthread_t *out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker)
		abort();
	worker->process = process;
	worker->job = job;
	return pthread_create(out, NULL, main_of, worker) ? ERR_UNAVAILABLE : OK;
}

enum err worker_start(const struct process *process, pthread_t *out)
{
	return start_thread(process, NULL, work, out);
}

enum err job_start(const struct process *process, const struct job *job, pthread_t *out)
{
	return start_thread(process, job, run_jobs, out);
}
