/*
 * The serving side of the bus: one raw REP socket for many callers. Requests wait in one bounded
 * queue for the workers; replies and events are batched per caller.
 *
 * Refused here: messages of a peer that has not proven its name, requests beyond the queue,
 * requests while draining.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define SESSION_SILENT_MS 30000 /* callers ping twice a second: this one is gone */
#define SESSION_QUEUE_BYTES                                                                        \
	(8 * 1024 * 1024) /* replies and events that a caller has not read yet */
#define LOST_MAX 256 /* pipes lost between two ticks; more are found by their silence */

/* The decrypted message that a batch of jobs points into. */
struct block {
	unsigned refs;
	unsigned char data[];
};

/* One caller's connection. */
struct session {
	struct session *next, *next_ready;
	unsigned refs; /* its place in the list, and each job */
	uint32_t pipe, message_id;
	char name[LINK_NAME_MAX + 1];
	struct link link;
	struct outgoing_queue queue;
	int64_t heard_ms;
	bool gone, subscribed, ready;
	bool welcome_due;
	unsigned char welcome[LINK_WELCOME_SIZE];
};

struct queued_job {
	struct bus_job job; /* first: bus_answer() gets its address */
	struct queued_job *next;
	struct session *session;
	struct block *block;
};

struct server {
	struct bus *bus;
	nng_socket socket;
	nng_aio *send_aio, *receive_aio;
	pthread_mutex_t lock; /* of all below */
	struct session *sessions;
	struct session *ready_head, *ready_tail; /* with something to send */
	bool sending, draining;
	struct queued_job *head, *tail;
	int64_t queue_n;
	pthread_cond_t not_empty;
	pthread_mutex_t lost_lock; /* never held while calling nng */
	uint32_t lost[LOST_MAX];
	size_t lost_n;
};

/* ---- sessions, with the lock held ---- */

static void session_unref(struct session *session)
{
	if (--session->refs)
		return;
	for (struct outgoing *item; (item = outgoing_pop(&session->queue));)
		free(item);
	crypto_wipe(&session->link, sizeof(session->link));
	free(session);
}

static struct session *session_find(struct server *server, uint32_t pipe)
{
	for (struct session *session = server->sessions; session; session = session->next) {
		if (session->pipe == pipe)
			return session;
	}
	return NULL;
}

static struct session *session_add(struct server *server, uint32_t pipe)
{
	struct session *session = calloc(1, sizeof(*session));
	if (!session)
		abort();
	session->refs = 1;
	session->pipe = pipe;
	session->next = server->sessions;
	server->sessions = session;
	return session;
}

static void session_drop(struct server *server, struct session **at)
{
	struct session *session = *at;
	*at = session->next;
	session->gone = true;
	if (!session->ready)
		session_unref(session); /* else the ready list lets go of it */
}

/* ---- sending, with the lock held ---- */

static void make_ready(struct server *server, struct session *session)
{
	if (session->ready)
		return;
	session->ready = true;
	session->next_ready = NULL;
	if (server->ready_tail)
		server->ready_tail->next_ready = session;
	else
		server->ready_head = session;
	server->ready_tail = session;
}

static struct session *take_ready(struct server *server)
{
	struct session *session = server->ready_head;
	if (!session)
		return NULL;
	server->ready_head = session->next_ready;
	if (!server->ready_head)
		server->ready_tail = NULL;
	session->ready = false;
	return session;
}

static nng_msg *make_welcome(struct session *session)
{
	nng_msg *message;
	session->welcome_due = false;
	if (nng_msg_alloc(&message, 0) ||
		nng_msg_append(message, session->welcome, LINK_WELCOME_SIZE))
		abort();
	return message;
}

static nng_msg *make_batch(struct session *session)
{
	nng_msg *message;
	size_t n = 0;
	for (struct outgoing *item = session->queue.head; item; item = item->next) {
		if (n && n + item->n > BATCH_BYTES)
			break;
		n += item->n;
	}
	unsigned char *plain = malloc(n);
	if (!plain || nng_msg_alloc(&message, n + LINK_OVERHEAD))
		abort();
	for (size_t at = 0; at < n;) {
		struct outgoing *item = outgoing_pop(&session->queue);
		memcpy(plain + at, item->data, item->n);
		at += item->n;
		free(item);
	}
	link_seal(&session->link, plain, n, nng_msg_body(message));
	free(plain);
	return message;
}

static void send_one(struct server *server, struct session *session)
{
	nng_msg *message = session->welcome_due ? make_welcome(session) : make_batch(session);
	nng_msg_header_append_u32(message, session->pipe);
	nng_msg_header_append_u32(message, 0x80000000u | session->message_id++);
	atomic_fetch_add(&server->bus->count.messages_sent, 1);
	atomic_fetch_add(&server->bus->count.bytes_sent, nng_msg_len(message));
	nng_aio_set_msg(server->send_aio, message);
	server->sending = true;
	nng_send_aio(server->socket, server->send_aio);
	if (session->queue.head)
		make_ready(server, session);
}

static void flush(struct server *server)
{
	while (!server->sending) {
		struct session *session = take_ready(server);
		if (!session)
			return;
		if (session->gone)
			session_unref(session);
		else if (session->welcome_due || session->queue.head)
			send_one(server, session);
	}
}

static void enqueue(struct server *server, struct session *session, const struct frame *frame)
{
	if (session->gone || session->queue.bytes > SESSION_QUEUE_BYTES)
		return;
	outgoing_push(&session->queue, outgoing_new(frame));
	make_ready(server, session);
	flush(server);
}

static void on_sent(void *arg)
{
	struct server *server = arg;
	int result = nng_aio_result(server->send_aio);
	if (result)
		nng_msg_free(nng_aio_get_msg(server->send_aio));
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	pthread_mutex_lock(&server->lock);
	server->sending = false;
	flush(server);
	pthread_mutex_unlock(&server->lock);
}

/* ---- receiving, with the lock held ---- */

static void block_unref(struct block *block)
{
	if (--block->refs == 0)
		free(block);
}

static void refuse(struct server *server, struct session *session, const struct frame *request)
{
	struct frame reply = { .kind = FRAME_REPLY, .id = request->id, .status = 503 };
	reply.texts[TEXT_OPERATION] = frame_text(err_name(ERR_UNAVAILABLE));
	atomic_fetch_add(&server->bus->count.refused_full, 1);
	enqueue(server, session, &reply);
}

static void accept_request(struct server *server, struct session *session, struct block *block,
	const struct frame *frame, int64_t now_ms)
{
	atomic_fetch_add(&server->bus->count.requests_received, 1);
	if (server->draining || server->queue_n >= server->bus->queue_max) {
		refuse(server, session, frame);
		return;
	}
	struct queued_job *job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	job->job.frame = *frame;
	job->job.caller = session->name;
	job->job.deadline_ms = now_ms + frame->time_left_ms;
	job->session = session;
	job->block = block;
	session->refs++;
	block->refs++;
	if (server->tail)
		server->tail->next = job;
	else
		server->head = job;
	server->tail = job;
	server->queue_n++;
	pthread_cond_signal(&server->not_empty);
}

static void accept_frames(
	struct server *server, struct session *session, struct block *block, size_t n)
{
	int64_t now_ms = clock_steady_ms();
	struct frame frame, pong = { .kind = FRAME_PONG };
	size_t at = 0;
	session->heard_ms = now_ms;
	while (frame_read((struct bytes){ block->data, n }, &at, &frame) == OK) {
		if (frame.kind == FRAME_REQUEST)
			accept_request(server, session, block, &frame, now_ms);
		else if (frame.kind == FRAME_PING)
			enqueue(server, session, &pong);
		else if (frame.kind == FRAME_SUBSCRIBE)
			session->subscribed = true;
	}
}

static void accept_data(
	struct server *server, struct session *session, const unsigned char *body, size_t n)
{
	struct block *block = malloc(sizeof(*block) + n);
	if (!block)
		abort();
	block->refs = 1;
	if (link_open(&session->link, body, n, block->data) == OK)
		accept_frames(server, session, block, n - LINK_OVERHEAD);
	block_unref(block);
}

static void accept_hello(struct server *server, uint32_t pipe, const unsigned char *body, size_t n)
{
	char name[LINK_NAME_MAX + 1];
	struct link_keys keys;
	struct link link;
	unsigned char welcome[LINK_WELCOME_SIZE];
	enum err e = link_hello_name(body, n, name);
	if (!e)
		e = link_keys_read(server->bus->key_directory, name, server->bus->name, &keys);
	if (!e)
		e = link_accept_hello(&link, &keys, body, n, welcome);
	crypto_wipe(&keys, sizeof(keys));
	if (e) {
		log_warning("a peer on the bus could not prove its name");
		return;
	}
	struct session *session = session_find(server, pipe);
	if (!session)
		session = session_add(server, pipe);
	memcpy(session->name, name, sizeof(name));
	memcpy(session->welcome, welcome, sizeof(welcome));
	session->link = link;
	session->heard_ms = clock_steady_ms();
	session->welcome_due = true;
	make_ready(server, session);
	flush(server);
}

static void receive_message(struct server *server, nng_msg *message)
{
	const unsigned char *body = nng_msg_body(message);
	size_t n = nng_msg_len(message);
	uint32_t pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(message));
	pthread_mutex_lock(&server->lock);
	struct session *session = session_find(server, pipe);
	if (n && body[0] == LINK_HELLO)
		accept_hello(server, pipe, body, n);
	else if (session && n > LINK_OVERHEAD)
		accept_data(server, session, body, n);
	pthread_mutex_unlock(&server->lock);
}

static void on_received(void *arg)
{
	struct server *server = arg;
	int result = nng_aio_result(server->receive_aio);
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	if (!result) {
		nng_msg *message = nng_aio_get_msg(server->receive_aio);
		receive_message(server, message);
		nng_msg_free(message);
	}
	nng_recv_aio(server->socket, server->receive_aio);
}

static void on_pipe_lost(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct server *server = arg;
	pthread_mutex_lock(&server->lost_lock);
	if (server->lost_n < LOST_MAX)
		server->lost[server->lost_n++] = (uint32_t)nng_pipe_id(pipe);
	pthread_mutex_unlock(&server->lost_lock);
	bus_wake(server->bus);
}

static bool is_lost(const struct session *session, const uint32_t *lost, size_t n, int64_t now_ms)
{
	for (size_t i = 0; i < n; i++) {
		if (lost[i] == session->pipe)
			return true;
	}
	return now_ms - session->heard_ms > SESSION_SILENT_MS;
}

void server_tick(struct server *server, int64_t now_ms)
{
	uint32_t lost[LOST_MAX];
	pthread_mutex_lock(&server->lost_lock);
	size_t n = server->lost_n;
	memcpy(lost, server->lost, n * sizeof(lost[0]));
	server->lost_n = 0;
	pthread_mutex_unlock(&server->lost_lock);
	pthread_mutex_lock(&server->lock);
	for (struct session **at = &server->sessions; *at;) {
		if (is_lost(*at, lost, n, now_ms))
			session_drop(server, at);
		else
			at = &(*at)->next;
	}
	pthread_mutex_unlock(&server->lock);
}

/* ---- workers ---- */

static void job_free(struct queued_job *job)
{
	block_unref(job->block);
	session_unref(job->session);
	free(job);
}

static struct queued_job *pop_job(struct server *server)
{
	struct queued_job *job = server->head;
	server->head = job->next;
	if (!server->head)
		server->tail = NULL;
	server->queue_n--;
	return job;
}

struct bus_job *bus_take(struct bus *bus)
{
	struct server *server = bus->server;
	struct queued_job *job = NULL;
	pthread_mutex_lock(&server->lock);
	while (!job) {
		while (!server->head && !server->draining)
			pthread_cond_wait(&server->not_empty, &server->lock);
		if (!server->head)
			break;
		job = pop_job(server);
		if (job->job.deadline_ms > clock_steady_ms())
			break;
		/* Nobody waits for it any more: work on it would only make the rest late. */
		atomic_fetch_add(&bus->count.expired, 1);
		job_free(job);
		job = NULL;
	}
	pthread_mutex_unlock(&server->lock);
	return job ? &job->job : NULL;
}

void bus_answer(struct bus *bus, struct bus_job *bus_job, struct frame *reply)
{
	struct queued_job *job = (struct queued_job *)bus_job;
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
	pthread_mutex_lock(&bus->server->lock);
	enqueue(bus->server, job->session, reply);
	job_free(job);
	pthread_mutex_unlock(&bus->server->lock);
	bus_tasks_end();
}

void bus_push(struct bus *bus, const char *topic, struct bytes body)
{
	struct frame frame = { .kind = FRAME_EVENT };
	frame.texts[TEXT_OPERATION] = frame_text(topic);
	frame.texts[TEXT_BODY] = body;
	if (!bus->server)
		return;
	pthread_mutex_lock(&bus->server->lock);
	for (struct session *session = bus->server->sessions; session; session = session->next) {
		if (session->subscribed)
			enqueue(bus->server, session, &frame);
	}
	pthread_mutex_unlock(&bus->server->lock);
}

void bus_figures(const struct bus *bus, struct bus_figures *out)
{
	*out = (struct bus_figures){
		.requests_sent = atomic_load(&bus->count.requests_sent),
		.replies_received = atomic_load(&bus->count.replies_received),
		.requests_received = atomic_load(&bus->count.requests_received),
		.expired = atomic_load(&bus->count.expired),
		.refused_full = atomic_load(&bus->count.refused_full),
		.messages_sent = atomic_load(&bus->count.messages_sent),
		.bytes_sent = atomic_load(&bus->count.bytes_sent),
	};
	if (!bus->server)
		return;
	pthread_mutex_lock(&bus->server->lock);
	out->queue_length = (uint64_t)bus->server->queue_n;
	pthread_mutex_unlock(&bus->server->lock);
}

/* ---- opening and closing ---- */

void server_drain(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->draining = true;
	pthread_cond_broadcast(&server->not_empty);
	pthread_mutex_unlock(&server->lock);
}

void server_close(struct server *server)
{
	if (!server)
		return;
	if (nng_socket_id(server->socket) > 0)
		nng_close(server->socket);
	if (server->send_aio)
		nng_aio_stop(server->send_aio);
	if (server->receive_aio)
		nng_aio_stop(server->receive_aio);
	nng_aio_free(server->send_aio);
	nng_aio_free(server->receive_aio);
	while (server->head)
		job_free(pop_job(server));
	while (server->sessions)
		session_drop(server, &server->sessions);
	for (struct session *session; (session = take_ready(server));)
		session_unref(session);
	pthread_cond_destroy(&server->not_empty);
	pthread_mutex_destroy(&server->lost_lock);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

static enum err server_listen(struct server *server, const char *url)
{
	if (nng_rep0_open_raw(&server->socket) || bus_socket_options(server->socket) ||
		nng_aio_alloc(&server->send_aio, on_sent, server) ||
		nng_aio_alloc(&server->receive_aio, on_received, server) ||
		nng_pipe_notify(server->socket, NNG_PIPE_EV_REM_POST, on_pipe_lost, server) ||
		nng_listen(server->socket, url, NULL, 0))
		return ERR_INVALID;
	nng_recv_aio(server->socket, server->receive_aio);
	return OK;
}

struct server *server_open(struct bus *bus, const char *url)
{
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		abort();
	server->bus = bus;
	pthread_mutex_init(&server->lock, NULL);
	pthread_mutex_init(&server->lost_lock, NULL);
	pthread_cond_init(&server->not_empty, NULL);
	if (server_listen(server, url)) {
		log_error("cannot listen on %s", url);
		server_close(server);
		return NULL;
	}
	return server;
}
