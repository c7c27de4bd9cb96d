/*
 * Callers of the serving side and what is sent to them (bus_server.h): replies and events are
 * batched per caller while the socket is busy or the caller has not read what it was sent.
 */
#include <nng/nng.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_server.h"

void caller_unref(struct caller *caller)
{
	if (--caller->refs)
		return;
	outbox_clear(&caller->outbox);
	link_free(caller->link);
	free(caller);
}

struct caller *caller_find(struct server *server, uint32_t pipe)
{
	for (struct caller *caller = server->callers; caller; caller = caller->next) {
		if (caller->pipe == pipe)
			return caller;
	}
	return NULL;
}

struct caller *caller_add(struct server *server, uint32_t pipe)
{
	struct caller *caller = calloc(1, sizeof(*caller));
	if (!caller)
		abort();
	caller->refs = 1;
	caller->pipe = pipe;
	caller->next = server->callers;
	server->callers = caller;
	return caller;
}

void caller_drop(struct server *server, struct caller **at)
{
	struct caller *caller = *at;
	*at = caller->next;
	caller->gone = true;
	if (!caller->ready)
		caller_unref(caller); /* else the ready list lets go of it */
}

/* ---- sending ---- */

static bool can_send(const struct caller *caller)
{
	return caller->welcome_due ||
		(!outbox_is_empty(&caller->outbox) && caller->sent - caller->read < UNREAD_MAX);
}

void caller_make_ready(struct server *server, struct caller *caller)
{
	if (caller->ready)
		return;
	caller->ready = true;
	caller->next_ready = NULL;
	if (server->ready_tail)
		server->ready_tail->next_ready = caller;
	else
		server->ready_head = caller;
	server->ready_tail = caller;
}

static struct caller *take_ready(struct server *server)
{
	struct caller *caller = server->ready_head;
	if (!caller)
		return NULL;
	server->ready_head = caller->next_ready;
	if (!server->ready_head)
		server->ready_tail = NULL;
	caller->ready = false;
	return caller;
}

static nng_msg *make_welcome(struct caller *caller)
{
	nng_msg *message;
	caller->welcome_due = false;
	if (nng_msg_alloc(&message, 0) ||
		nng_msg_append(message, caller->welcome, LINK_WELCOME_SIZE))
		abort();
	return message;
}

static nng_msg *make_batch(struct caller *caller)
{
	caller->sent++;
	return outbox_take(&caller->outbox, caller->link, caller->received);
}

static void send_one(struct server *server, struct caller *caller)
{
	nng_msg *message = caller->welcome_due ? make_welcome(caller) : make_batch(caller);
	nng_msg_header_append_u32(message, caller->pipe);
	nng_msg_header_append_u32(message, 0x80000000u | caller->message_id++);
	atomic_fetch_add(&server->bus->count.messages_sent, 1);
	atomic_fetch_add(&server->bus->count.bytes_sent, nng_msg_len(message));
	nng_aio_set_msg(server->send_aio, message);
	server->sending = true;
	nng_send_aio(server->socket, server->send_aio);
	if (can_send(caller))
		caller_make_ready(server, caller);
}

void server_flush(struct server *server)
{
	while (!server->sending) {
		struct caller *caller = take_ready(server);
		if (!caller)
			return;
		if (caller->gone)
			caller_unref(caller);
		else if (can_send(caller))
			send_one(server, caller);
	}
}

void server_on_sent(void *arg)
{
	struct server *server = arg;
	int result = nng_aio_result(server->send_aio);
	if (result)
		nng_msg_free(message_take(server->send_aio));
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	pthread_mutex_lock(&server->lock);
	server->sending = false;
	server_flush(server);
	pthread_mutex_unlock(&server->lock);
}

static bool is_full(const struct caller *caller, const struct server *server, size_t n)
{
	return caller->outbox.bytes + n > (size_t)server->bus->options.session_bytes_max;
}

void caller_put(struct caller *caller, struct server *server, const struct frame *frame)
{
	if (caller->gone || is_full(caller, server, frame_size(frame)))
		return;
	outbox_put(&caller->outbox, frame);
	caller_make_ready(server, caller);
}

/* A caller that does not read gets short replies: what it asked for would only fill the memory. */
void caller_reply(struct caller *caller, struct server *server, const struct frame *reply)
{
	struct frame unread = { .kind = FRAME_REPLY, .id = reply->id, .status = 503 };
	if (caller->gone)
		return;
	bool fits = !is_full(caller, server, frame_size(reply));
	unread.flags = reply->flags & FRAME_EXECUTED;
	unread.texts[TEXT_OPERATION] = frame_text(err_name(ERR_UNAVAILABLE));
	outbox_put(&caller->outbox, fits ? reply : &unread);
	caller_make_ready(server, caller);
}

void ready_clear(struct server *server)
{
	for (struct caller *caller; (caller = take_ready(server));)
		caller_unref(caller);
}

bool server_has_unread(const struct server *server)
{
	for (const struct caller *caller = server->callers; caller; caller = caller->next) {
		if (!outbox_is_empty(&caller->outbox) || caller->read < caller->sent)
			return true;
	}
	return server->sending;
}
