/*
 * Requests that were accepted and wait for a worker (bus_server.h): one queue, bounded in number
 * and in bytes. What a worker has taken is bus_running.c's.
 *
 * Workers are woken one after the other: a message wakes one, and a worker that takes a request and
 * leaves others wakes the next. So a worker that is through quickly takes several, and nobody is
 * woken to find the queue empty.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_server.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

struct block *block_new(nng_msg *message)
{
	struct block *block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	atomic_init(&block->refs, 1);
	block->message = message;
	return block;
}

void block_unref(struct block *block)
{
	if (atomic_fetch_sub(&block->refs, 1) != 1)
		return;
	nng_msg_free(block->message);
	free(block);
}

static struct queued_job *job_new(struct server *server)
{
	struct queued_job *job = server->spare;
	if (job)
		server->spare = job->next;
	else
		job = malloc(sizeof(*job));
	if (!job)
		abort();
	return job;
}

/* Its block is left to the caller, who may free it without the lock. */
static void job_free(struct server *server, struct queued_job *job)
{
	server->queue_bytes -= job->bytes;
	caller_unref(job->caller);
	job->next = server->spare;
	server->spare = job;
}

static void refuse(struct server *server, struct caller *caller, uint64_t id)
{
	struct frame reply = { .kind = FRAME_REPLY, .id = id, .status = 503 };
	reply.texts[TEXT_OPERATION] = frame_text(err_name(ERR_UNAVAILABLE));
	caller_reply(caller, server, &reply);
}

/* A probe waits in the queue like a request, but is never refused: it asks about the queue. */
static bool has_room(const struct server *server, const struct caller *caller, size_t bytes)
{
	const struct bus_options *options = &server->bus->options;
	return !caller->has_drained && server->queue_n < options->queue_max &&
		server->queue_bytes + bytes <= (size_t)options->queue_bytes_max;
}

void job_accept(struct server *server, struct caller *caller, struct block *block,
	const struct frame *frame, int64_t now_ms)
{
	size_t bytes = frame_size(frame);
	bool is_probe = frame->kind == FRAME_PROBE;
	if (!is_probe) {
		atomic_fetch_add(&server->bus->count.requests_received, 1);
		if (!has_room(server, caller, bytes)) {
			atomic_fetch_add(&server->bus->count.refused_full, 1);
			refuse(server, caller, frame->id);
			return;
		}
	}
	struct queued_job *job = job_new(server);
	*job = (struct queued_job){
		.job = { *frame, caller->name, now_ms + frame->time_left_ms },
		.caller = caller,
		.block = block,
		.bytes = bytes,
		.is_probe = is_probe,
	};
	caller->refs++;
	atomic_fetch_add(&block->refs, 1);
	if (server->tail)
		server->tail->next = job;
	else
		server->head = job;
	server->tail = job;
	server->queue_n++;
	server->queue_bytes += bytes;
}

static void unlink_job(struct server *server, struct queued_job **at, struct queued_job *before)
{
	struct queued_job *job = *at;
	*at = job->next;
	if (server->tail == job)
		server->tail = before;
	server->queue_n--;
}

void job_cancel(struct server *server, struct caller *caller, uint64_t id)
{
	struct queued_job *before = NULL;
	for (struct queued_job **at = &server->head; *at; before = *at, at = &(*at)->next) {
		struct queued_job *job = *at;
		if (job->caller != caller || job->job.frame.id != id || job->is_probe)
			continue;
		unlink_job(server, at, before);
		atomic_fetch_add(&server->bus->count.cancelled, 1);
		refuse(server, caller, id); /* so that its place in the window is free again */
		block_unref(job->block);
		job_free(server, job);
		return;
	}
	if (running_cancel(server, caller, id))
		atomic_fetch_add(&server->bus->count.cancelled, 1);
}

void jobs_clear(struct server *server)
{
	while (server->head) {
		struct queued_job *job = server->head;
		unlink_job(server, &server->head, NULL);
		block_unref(job->block);
		job_free(server, job);
	}
	while (server->spare) {
		struct queued_job *job = server->spare;
		server->spare = job->next;
		free(job);
	}
}

void jobs_wake(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	bool wake = server->head && server->idle;
	pthread_mutex_unlock(&server->lock);
	if (wake)
		pthread_cond_signal(&server->not_empty);
}

/* ---- workers ---- */

/* While it drains: has every caller said that nothing more comes? */
static bool is_drained(const struct server *server)
{
	if (!server->draining || server->head)
		return false;
	if (clock_steady_ms() >= server->drain_until_ms)
		return true;
	for (const struct caller *caller = server->callers; caller; caller = caller->next) {
		if (!caller->has_drained)
			return false;
	}
	return true;
}

static void wait_for_job(struct server *server)
{
	server->idle++;
	while (!server->head && !is_drained(server))
		pthread_cond_wait(&server->not_empty, &server->lock);
	server->idle--;
}

/* Not for a worker: answered, or dropped because nobody waits for it any more. */
static bool is_settled(struct server *server, const struct queued_job *job)
{
	struct frame probed = { .kind = FRAME_PROBED };
	if (job->is_probe) {
		caller_put(job->caller, server, &probed);
		server_flush(server);
		return true;
	}
	if (job->job.deadline_ms > clock_steady_ms())
		return false;
	atomic_fetch_add(&server->bus->count.expired, 1);
	return true;
}

/* The next job, or NULL; *settled: look for another one. */
static struct queued_job *take(struct server *server, bool *settled)
{
	wait_for_job(server);
	struct queued_job *job = server->head;
	*settled = false;
	if (!job)
		return NULL;
	unlink_job(server, &server->head, NULL);
	*settled = is_settled(server, job);
	if (!*settled) {
		running_add(server, job);
		return job;
	}
	block_unref(job->block);
	job_free(server, job);
	return NULL;
}

struct bus_job *bus_take(struct bus *bus)
{
	struct server *server = bus->server;
	struct queued_job *job;
	bool settled, wake;
	do {
		bus_tasks_begin();
		pthread_mutex_lock(&server->lock);
		job = take(server, &settled);
		wake = server->head && server->idle;
		pthread_mutex_unlock(&server->lock);
		bus_tasks_end();
	} while (settled);
	if (wake)
		pthread_cond_signal(&server->not_empty);
	return job ? &job->job : NULL;
}

void bus_answer(struct bus *bus, struct bus_job *bus_job, struct frame *reply)
{
	struct queued_job *job = (struct queued_job *)bus_job;
	struct server *server = bus->server;
	struct block *block = job->block;
	reply->kind = FRAME_REPLY;
	reply->id = bus_job->frame.id;
	if (frame_size(reply) > FRAME_MAX) {
		log_error("a reply of %zu bytes is too large for the bus", frame_size(reply));
		struct frame failed = { .kind = FRAME_REPLY, .id = reply->id, .status = 500 };
		failed.texts[TEXT_OPERATION] = frame_text(err_name(ERR_INTERNAL));
		failed.flags = FRAME_EXECUTED;
		*reply = failed;
	}
	bus_tasks_begin();
	pthread_mutex_lock(&server->lock);
	caller_reply(job->caller, server, reply);
	server_flush(server);
	running_remove(server, job);
	job_free(server, job);
	pthread_mutex_unlock(&server->lock);
	bus_tasks_end();
	block_unref(block);
}
