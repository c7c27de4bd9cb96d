/*
 * Requests that a worker is working on (bus_server.h), so that a cancellation reaches what they
 * wait for at other services. Nothing else of a handler is interrupted.
 */
#include "libcommon/bus_server.h"

void running_add(struct server *server, struct queued_job *job)
{
	job->next = server->running;
	server->running = job;
}

void running_remove(struct server *server, struct queued_job *job)
{
	struct queued_job **at = &server->running;
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
}

bool running_cancel(struct server *server, const struct caller *caller, uint64_t id)
{
	struct queued_job *job = server->running;
	while (job && (job->caller != caller || job->job.frame.id != id))
		job = job->next;
	if (!job || job->is_cancelled)
		return false;
	job->is_cancelled = true;
	if (job->on_cancel)
		job->on_cancel(job->cancel_arg);
	return true;
}

bool job_watch(struct server *server, struct bus_job *bus_job, void (*fn)(void *arg), void *arg)
{
	struct queued_job *job = (struct queued_job *)bus_job;
	pthread_mutex_lock(&server->lock);
	bool is_cancelled = job->is_cancelled;
	if (!is_cancelled) {
		job->on_cancel = fn;
		job->cancel_arg = arg;
	}
	pthread_mutex_unlock(&server->lock);
	return !is_cancelled;
}

void job_unwatch(struct server *server, struct bus_job *bus_job)
{
	struct queued_job *job = (struct queued_job *)bus_job;
	pthread_mutex_lock(&server->lock);
	job->on_cancel = NULL;
	pthread_mutex_unlock(&server->lock);
}
