/*
 * The serving side of the bus: one raw REP socket for many callers. What it receives becomes jobs
 * (bus_queue.c), what it sends comes from callers (bus_caller.c).
 *
 * Refused here: processes of another user at the other end of a Unix socket, messages of a peer
 * that has not proven its name, requests beyond the queue.
 *
 * When it drains it tells every caller. What a caller had sent before it knew is still accepted;
 * behind that comes the word that nothing more follows. It closes when callers have read what they
 * were answered.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/bus_server.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define CALLER_SILENT_MS 30000 /* callers ping twice a second: this one is gone */
#define DRAIN_MS 2000 /* for callers to say that they know; a stopped one never does */
#define UNREAD_MS 2000 /* for callers to read the last replies; a stopped one never does */
#define SOCKET_MODE 0660 /* the services of one group, each under its own user */

/* ---- receiving ---- */

static void take_frame(struct server *server, struct caller *caller, struct block *block,
	const struct frame *frame, int64_t now_ms)
{
	static const struct frame pong = { .kind = FRAME_PONG };
	switch (frame->kind) {
	case FRAME_REQUEST:
	case FRAME_PROBE:
		job_accept(server, caller, block, frame, now_ms);
		break;
	case FRAME_PING:
		caller_put(caller, server, &pong);
		break;
	case FRAME_SUBSCRIBE:
		caller->subscribed = true;
		break;
	case FRAME_CANCEL:
		job_cancel(server, caller, frame->id);
		break;
	case FRAME_DRAINED:
		caller->has_drained = true;
		break;
	default: /* of a later version */
		break;
	}
}

static void take_frames(struct server *server, struct caller *caller, struct block *block,
	struct bytes frames, uint64_t read)
{
	int64_t now_ms = clock_steady_ms();
	struct frame frame;
	size_t at = 0;
	pthread_mutex_lock(&server->lock);
	caller->heard_ms = now_ms;
	caller->received++;
	if (read > caller->read && read <= caller->sent) {
		caller->read = read;
		caller_make_ready(server, caller);
	}
	while (frame_read(frames, &at, &frame) == OK)
		take_frame(server, caller, block, &frame, now_ms);
	server_flush(server);
	pthread_mutex_unlock(&server->lock);
	jobs_wake(server);
}

/* Messages come one after the other, so nobody else opens anything on this link meanwhile, and only
 * the timer drops callers, which the reference prevents. */
static void take_data(struct server *server, uint32_t pipe, nng_msg *message)
{
	struct bytes frames;
	uint64_t read;
	struct block *block = block_new(message);
	pthread_mutex_lock(&server->lock);
	struct caller *caller = caller_find(server, pipe);
	if (caller)
		caller->refs++;
	pthread_mutex_unlock(&server->lock);
	if (caller && batch_open(caller->link, message, &read, &frames) == OK)
		take_frames(server, caller, block, frames, read);
	block_unref(block);
	if (!caller)
		return;
	pthread_mutex_lock(&server->lock);
	caller_unref(caller);
	pthread_mutex_unlock(&server->lock);
}

static enum err prove(struct server *server, const unsigned char *body, size_t n,
	char name[LINK_NAME_MAX + 1], unsigned char welcome[LINK_WELCOME_SIZE], struct link **link)
{
	struct link_keys keys;
	enum err e = link_hello_name(body, n, name);
	if (!e)
		e = link_keys_read(server->bus->key_directory, name, server->bus->name, &keys);
	if (!e)
		e = link_accept_hello(&keys, body, n, welcome, link);
	crypto_wipe(&keys, sizeof(keys));
	return e;
}

/* With the lock held. A caller that has a link already gets a new one: its key was rotated. */
static void begin_link(struct server *server, struct caller *caller, const char *name,
	struct link *link, const unsigned char *welcome)
{
	static const struct frame draining = { .kind = FRAME_DRAINING };
	memcpy(caller->name, name, LINK_NAME_MAX + 1);
	memcpy(caller->welcome, welcome, LINK_WELCOME_SIZE);
	link_free(caller->link);
	caller->link = link;
	caller->sent = caller->read = caller->received = 0;
	caller->heard_ms = clock_steady_ms();
	caller->welcome_due = true;
	if (server->draining)
		caller_put(caller, server, &draining);
	caller_make_ready(server, caller);
	server_flush(server);
}

static void take_hello(struct server *server, nng_pipe pipe, const unsigned char *body, size_t n)
{
	char name[LINK_NAME_MAX + 1] = { 0 };
	struct link *link = NULL;
	unsigned char welcome[LINK_WELCOME_SIZE];
	uint32_t id = (uint32_t)nng_pipe_id(pipe);
	enum err e = prove(server, body, n, name, welcome, &link);
	pthread_mutex_lock(&server->lock);
	struct caller *caller = caller_find(server, id);
	bool is_stranger = e && !caller;
	if (!caller && !e)
		caller = caller_add(server, id);
	if (!e && (!*caller->name || strcmp(caller->name, name) == 0)) {
		begin_link(server, caller, name, link, welcome);
		link = NULL;
	}
	pthread_mutex_unlock(&server->lock);
	link_free(link);
	if (e)
		log_warning("a peer on the bus could not prove its name");
	if (is_stranger)
		nng_pipe_close(pipe);
}

static void on_received(void *arg)
{
	struct server *server = arg;
	int result = nng_aio_result(server->receive_aio);
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	if (!result) {
		nng_msg *message = message_take(server->receive_aio);
		const unsigned char *body = nng_msg_body(message);
		nng_pipe pipe = nng_msg_get_pipe(message);
		if (nng_msg_len(message) && body[0] == LINK_HELLO) {
			take_hello(server, pipe, body, nng_msg_len(message));
			nng_msg_free(message);
		} else {
			take_data(server, (uint32_t)nng_pipe_id(pipe), message);
		}
	}
	nng_recv_aio(server->socket, server->receive_aio);
}

/* ---- callers come and go ---- */

static void on_pipe_offered(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	const struct server *server = arg;
	if (!peer_uid_is_allowed(&server->bus->peer_uids, pipe)) {
		log_warning("bus: a foreign user calls");
		nng_pipe_close(pipe);
	}
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

static bool is_lost(const struct caller *caller, const uint32_t *lost, size_t n, int64_t now_ms)
{
	for (size_t i = 0; i < n; i++) {
		if (lost[i] == caller->pipe)
			return true;
	}
	return now_ms - caller->heard_ms > CALLER_SILENT_MS;
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
	for (struct caller **at = &server->callers; *at;) {
		if (is_lost(*at, lost, n, now_ms))
			caller_drop(server, at);
		else
			at = &(*at)->next;
	}
	bool draining = server->draining;
	pthread_mutex_unlock(&server->lock);
	if (draining)
		pthread_cond_broadcast(&server->not_empty); /* workers look whether all is done */
}

/* ---- for everybody ---- */

/* With the lock held. */
static void put_to_all(struct server *server, const struct frame *frame, bool subscribers)
{
	for (struct caller *caller = server->callers; caller; caller = caller->next) {
		if (caller->subscribed || !subscribers)
			caller_put(caller, server, frame);
	}
	server_flush(server);
}

void bus_push(struct bus *bus, const char *topic, struct bytes body)
{
	struct frame frame = { .kind = FRAME_EVENT };
	frame.texts[TEXT_OPERATION] = frame_text(topic);
	frame.texts[TEXT_BODY] = body;
	if (!bus->server)
		return;
	bus_tasks_begin();
	pthread_mutex_lock(&bus->server->lock);
	put_to_all(bus->server, &frame, true);
	pthread_mutex_unlock(&bus->server->lock);
	bus_tasks_end();
}

void server_figures(struct server *server, struct bus_figures *out)
{
	pthread_mutex_lock(&server->lock);
	out->queue_length = (uint64_t)server->queue_n;
	out->queue_bytes = server->queue_bytes;
	for (const struct caller *caller = server->callers; caller; caller = caller->next)
		out->unread_bytes += caller->outbox.bytes;
	pthread_mutex_unlock(&server->lock);
}

/* ---- opening and closing ---- */

void server_drain(struct server *server)
{
	static const struct frame draining = { .kind = FRAME_DRAINING };
	bus_tasks_begin();
	pthread_mutex_lock(&server->lock);
	if (!server->draining) {
		server->draining = true;
		server->drain_until_ms = clock_steady_ms() + DRAIN_MS;
		put_to_all(server, &draining, false);
	}
	pthread_mutex_unlock(&server->lock);
	bus_tasks_end();
}

/* What was given to nng may still lie in its buffers, which closing a socket empties. So callers
 * are told once more: their answer says how much they have read. */
static void wait_until_read(struct server *server)
{
	static const struct frame draining = { .kind = FRAME_DRAINING };
	bool has_unread = true;
	bus_tasks_begin();
	pthread_mutex_lock(&server->lock);
	put_to_all(server, &draining, false);
	pthread_mutex_unlock(&server->lock);
	bus_tasks_end();
	for (int64_t until_ms = clock_steady_ms() + UNREAD_MS;
		has_unread && clock_steady_ms() < until_ms;) {
		server_tick(server, clock_steady_ms()); /* who is gone reads nothing */
		pthread_mutex_lock(&server->lock);
		has_unread = server_has_unread(server);
		pthread_mutex_unlock(&server->lock);
		if (has_unread)
			usleep(1000);
	}
}

static void callers_clear(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	jobs_clear(server);
	server->sending = true; /* nothing more goes out */
	while (server->callers)
		caller_drop(server, &server->callers);
	ready_clear(server);
	pthread_mutex_unlock(&server->lock);
}

void server_close(struct server *server)
{
	if (!server)
		return;
	wait_until_read(server);
	bus_socket_close(&server->socket, &server->send_aio, &server->receive_aio);
	callers_clear(server);
	pthread_cond_destroy(&server->not_empty);
	pthread_mutex_destroy(&server->lost_lock);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

/* Who may write into the directory can put a socket of his own in the place of ours. */
static enum err check_directory(const char *path)
{
	char directory[URL_MAX];
	struct stat status;
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(directory))
		return OK; /* in the root or in the working directory, which are not everybody's */
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	if (stat(directory, &status) || !(status.st_mode & S_IWOTH))
		return OK; /* what is not there is reported by nng */
	log_error("everybody may write into %s: give it mode 0750", directory);
	return ERR_INVALID;
}

static enum err listen_on(struct server *server, const char *url)
{
	nng_listener listener;
	bool is_ipc = strncmp(url, "ipc://", 6) == 0;
	if ((is_ipc && check_directory(url + 6)) ||
		nng_listener_create(&listener, server->socket, url))
		return ERR_INVALID;
	if (is_ipc &&
		(nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, SOCKET_MODE) ||
			nng_pipe_notify(
				server->socket, NNG_PIPE_EV_ADD_PRE, on_pipe_offered, server)))
		return ERR_INVALID;
	return nng_listener_start(listener, 0) ? ERR_INVALID : OK;
}

static enum err server_start(struct server *server, const char *url)
{
	if (nng_rep0_open_raw(&server->socket) || bus_socket_options(server->socket) ||
		nng_aio_alloc(&server->send_aio, server_on_sent, server) ||
		nng_aio_alloc(&server->receive_aio, on_received, server) ||
		nng_pipe_notify(server->socket, NNG_PIPE_EV_REM_POST, on_pipe_lost, server) ||
		listen_on(server, url))
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
	if (server_start(server, url)) {
		log_error("cannot listen on %s", url);
		server_close(server);
		return NULL;
	}
	return server;
}
