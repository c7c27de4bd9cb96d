/*
 * What the files of the bus's serving side share (bus_server.c, bus_caller.c, bus_queue.c); nobody
 * else includes it. Everything here is called with the server's lock held, unless it says
 * otherwise.
 */
#ifndef MANABIYA_BUS_SERVER_H
#define MANABIYA_BUS_SERVER_H

#include "libcommon/bus_impl.h"

/* libnng 1.5.2 keeps 64 messages for a caller that is slow to read and drops what comes after; so
 * no more than these are under way, the rest waits here. */
#define UNREAD_MAX 48

#define LOST_MAX 256 /* pipes lost between two ticks; more are found by their silence */

/* The message, opened, that a batch of jobs points into. */
struct block {
	atomic_uint refs;
	nng_msg *message;
};

/* One caller's connection. */
struct caller {
	struct caller *next, *next_ready;
	unsigned refs; /* its place in the list, and each job */
	uint32_t pipe, message_id;
	char name[LINK_NAME_MAX + 1];
	struct link *link;
	struct outbox outbox;
	uint64_t sent, read; /* messages; and how many of them the caller says it has read */
	uint64_t received;
	int64_t heard_ms;
	bool gone, subscribed, ready;
	bool has_drained; /* it sends nothing more */
	bool welcome_due;
	unsigned char welcome[LINK_WELCOME_SIZE];
};

struct queued_job {
	struct bus_job job; /* first: bus_answer() gets its address */
	struct queued_job *next; /* of those that wait, or of those that are worked on */
	struct caller *caller;
	struct block *block;
	size_t bytes;
	bool is_probe;
	bool is_cancelled; /* while it was worked on */
	void (*on_cancel)(void *arg); /* NULL: it waits for no other service */
	void *cancel_arg;
};

struct server {
	struct bus *bus;
	nng_socket socket;
	nng_aio *send_aio, *receive_aio;
	pthread_mutex_t lock; /* of all below */
	struct caller *callers;
	struct caller *ready_head, *ready_tail; /* with something to send */
	bool sending, draining;
	int64_t drain_until_ms; /* then callers that have not said that they know are not waited
				   for */
	struct queued_job *head, *tail, *spare;
	struct queued_job *running; /* as many as there are workers at most */
	int64_t queue_n;
	size_t queue_bytes; /* of jobs waiting and being worked on */
	unsigned idle; /* workers in bus_take() */
	pthread_cond_t not_empty;
	pthread_mutex_t lost_lock; /* never held while calling nng */
	uint32_t lost[LOST_MAX];
	size_t lost_n;
};

/* ---- callers, bus_caller.c ---- */

struct caller *caller_find(struct server *server, uint32_t pipe);
struct caller *caller_add(struct server *server, uint32_t pipe);
void caller_drop(struct server *server, struct caller **at);
void caller_unref(struct caller *caller);

/* Put a frame where it waits to be sent; then server_flush() when nothing more comes. Reply and
 * event give up differently when the caller does not read. */
void caller_put(struct caller *caller, struct server *server, const struct frame *frame);
void caller_reply(struct caller *caller, struct server *server, const struct frame *reply);
void caller_make_ready(struct server *server, struct caller *caller);
void server_flush(struct server *server);
void server_on_sent(void *server); /* callback of the aio, takes the lock itself */
bool server_has_unread(const struct server *server);
void ready_clear(struct server *server); /* when it closes */

/* ---- jobs, bus_queue.c ---- */

void job_accept(struct server *server, struct caller *caller, struct block *block,
	const struct frame *frame, int64_t now_ms);
void job_cancel(struct server *server, struct caller *caller, uint64_t id);
void jobs_clear(struct server *server);

/* ---- jobs that a worker has, bus_running.c ---- */

void running_add(struct server *server, struct queued_job *job);
void running_remove(struct server *server, struct queued_job *job);
/* False: there is no such job. */
bool running_cancel(struct server *server, const struct caller *caller, uint64_t id);

/* Without the lock: have fn(arg) called, at most once and with the lock held, when the job is
 * cancelled; until job_unwatch(), which never is during a call. False: it is cancelled already. */
must_check bool job_watch(
	struct server *server, struct bus_job *job, void (*fn)(void *arg), void *arg);
void job_unwatch(struct server *server, struct bus_job *job);

/* Without the lock: wake a worker if one sleeps and there is work. */
void jobs_wake(struct server *server);

struct block *block_new(nng_msg *message); /* with one reference */
void block_unref(struct block *block); /* with or without the lock */

#endif
