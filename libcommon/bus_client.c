/*
 * The calling side of the bus: what goes over the link to one instance (bus_impl.h). Links come and
 * go in bus_instance.c, requests are put on them in bus_call.c.
 *
 * A reply that comes after its deadline is dropped.
 */
#include <nng/nng.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define TELL_AFTER 16 /* messages: a third of what the other end sends without being told */

/* ---- sending, with the lock held ---- */

static void send_bytes(struct instance *instance, nng_msg *message)
{
	nng_msg_header_append_u32(message, 0x80000000u | instance->message_id++);
	atomic_fetch_add(&instance->bus->count.messages_sent, 1);
	atomic_fetch_add(&instance->bus->count.bytes_sent, nng_msg_len(message));
	nng_aio_set_msg(instance->send_aio, message);
	instance->sending = true;
	nng_send_aio(instance->socket, instance->send_aio);
}

static void send_hello(struct instance *instance)
{
	struct link_keys keys;
	unsigned char hello[LINK_HELLO_MAX];
	size_t n;
	nng_msg *message;
	instance->hello_due = false;
	link_free(instance->next_link);
	instance->next_link = NULL;
	enum err e = link_keys_read(
		instance->bus->key_directory, instance->bus->name, instance->service, &keys);
	if (e) {
		log_error("no usable bus key for %s-%s", instance->bus->name, instance->service);
		return;
	}
	instance->next_link = link_hello(&keys, instance->bus->name, hello, &n);
	crypto_wipe(&keys, sizeof(keys));
	if (nng_msg_alloc(&message, 0) || nng_msg_append(message, hello, n))
		abort();
	send_bytes(instance, message);
}

void client_flush(struct instance *instance)
{
	if (instance->sending || !instance->in_use)
		return;
	if (instance->hello_due) {
		send_hello(instance);
	} else if (instance->state == STATE_UP && !instance->is_greeting &&
		!outbox_is_empty(&instance->outbox)) {
		instance->told = instance->received;
		send_bytes(instance,
			outbox_take(&instance->outbox, instance->link, instance->received));
	}
}

static void flush_later(void *arg)
{
	struct instance *instance = arg;
	pthread_mutex_lock(&instance->lock);
	client_flush(instance);
	if (!--instance->flushes_kept)
		pthread_cond_signal(&instance->flushed);
	pthread_mutex_unlock(&instance->lock);
}

void client_flush_soon(struct instance *instance)
{
	if (!bus_tasks_later(flush_later, instance, &instance->flushes_kept))
		client_flush(instance);
}

void client_greet(struct instance *instance, int64_t now_ms)
{
	instance->is_greeting = true;
	instance->hello_due = true;
	instance->greeted_ms = now_ms;
	instance->keys_read_ms = now_ms;
	client_flush(instance);
}

void client_end_greeting(struct instance *instance)
{
	instance->is_greeting = instance->hello_due = false;
	link_free(instance->next_link);
	instance->next_link = NULL;
}

void client_forget(struct instance *instance)
{
	link_free(instance->link);
	instance->link = NULL;
}

void client_on_sent(void *arg)
{
	struct instance *instance = arg;
	int result = nng_aio_result(instance->send_aio);
	if (result)
		nng_msg_free(message_take(instance->send_aio));
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	pthread_mutex_lock(&instance->lock);
	instance->sending = false;
	/* libnng 1.5.2 can crash when a receive is started before the first send has completed. */
	if (!instance->receiving) {
		instance->receiving = true;
		nng_recv_aio(instance->socket, instance->receive_aio);
	}
	client_flush(instance);
	pthread_mutex_unlock(&instance->lock);
}

/* ---- receiving ---- */

static void answer(struct instance *instance, const struct slot *slot, const struct frame *frame)
{
	char name[32] = { 0 };
	const struct bytes *text = &frame->texts[TEXT_OPERATION];
	if (text->n < sizeof(name))
		memcpy(name, text->data, text->n);
	struct bus_reply reply = {
		.err = err_from_name(name),
		.status = frame->status,
		.headers = frame->texts[TEXT_PARAMS],
		.content_type = frame->texts[TEXT_CONTENT_TYPE],
		.body = frame->texts[TEXT_BODY],
		.total_bytes = frame->window_offset,
		.next_offset = frame->window_length,
		.label = frame->time_left_ms <= LABEL_IV ? (enum label)frame->time_left_ms
							 : LABEL_NONE,
		.executed = frame->flags & FRAME_EXECUTED,
	};
	atomic_fetch_add(&instance->bus->count.replies_received, 1);
	slot->on_reply(slot->arg, &reply);
}

static void deliver_reply(struct instance *instance, const struct frame *frame)
{
	struct slot slot = { 0 };
	pthread_mutex_lock(&instance->lock);
	struct slot *found = slot_find(instance, frame->id);
	if (found) {
		slot = *found;
		slot_free(instance, found);
		breaker_on_answer(&instance->breaker, instance->heard_ms);
	}
	pthread_mutex_unlock(&instance->lock);
	if (slot.on_reply) /* else too late, and its owner was told so, or cancelled */
		answer(instance, &slot, frame);
}

static void deliver_event(struct instance *instance, const struct frame *frame)
{
	struct client *client = instance->bus->client;
	char topic[64] = { 0 };
	const struct bytes *text = &frame->texts[TEXT_OPERATION];
	if (text->n >= sizeof(topic))
		return;
	memcpy(topic, text->data, text->n);
	pthread_mutex_lock(&client->subscriptions_lock);
	size_t n = client->subscriptions_n;
	pthread_mutex_unlock(&client->subscriptions_lock);
	for (size_t i = 0; i < n; i++) {
		const struct subscription *subscription = &client->subscriptions[i];
		if (strcmp(subscription->service, instance->service) == 0)
			subscription->on_event(subscription->arg, topic, frame->texts[TEXT_BODY]);
	}
}

/* It stops: choose others from now on, and say where our last request was. */
static void take_draining(struct instance *instance)
{
	struct frame drained = { .kind = FRAME_DRAINED };
	pthread_mutex_lock(&instance->lock);
	instance->is_draining = true;
	outbox_put(&instance->outbox, &drained);
	pthread_mutex_unlock(&instance->lock);
}

static void take_probed(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	breaker_on_probe_answered(&instance->breaker, instance->heard_ms);
	pthread_mutex_unlock(&instance->lock);
}

static void deliver(struct instance *instance, struct bytes frames)
{
	struct frame frame;
	size_t at = 0;
	while (frame_read(frames, &at, &frame) == OK) {
		if (frame.kind == FRAME_REPLY)
			deliver_reply(instance, &frame);
		else if (frame.kind == FRAME_EVENT)
			deliver_event(instance, &frame);
		else if (frame.kind == FRAME_DRAINING)
			take_draining(instance);
		else if (frame.kind == FRAME_PROBED)
			take_probed(instance);
	}
}

void client_subscribe(struct instance *instance)
{
	struct client *client = instance->bus->client;
	pthread_mutex_lock(&client->subscriptions_lock);
	for (size_t i = 0; i < client->subscriptions_n; i++) {
		if (strcmp(client->subscriptions[i].service, instance->service) != 0)
			continue;
		struct frame frame = { .kind = FRAME_SUBSCRIBE };
		outbox_put(&instance->outbox, &frame);
		break;
	}
	pthread_mutex_unlock(&client->subscriptions_lock);
}

static void take_welcome(struct instance *instance, const unsigned char *body, size_t n)
{
	pthread_mutex_lock(&instance->lock);
	if (instance->next_link && !link_accept_welcome(instance->next_link, body, n)) {
		bool was_up = instance->state == STATE_UP;
		client_forget(instance);
		instance->link = instance->next_link;
		instance->next_link = NULL;
		client_end_greeting(instance);
		instance->state = STATE_UP;
		instance->heard_ms = clock_steady_ms();
		instance->received = instance->told = 0;
		if (!was_up) {
			breaker_reset(&instance->breaker, instance->heard_ms);
			instance->links_made++;
		}
		client_subscribe(instance);
		client_flush(instance);
		log_event(LOG_LEVEL_INFO, was_up ? "bus link has a new key" : "bus link is up",
			LOG_TEXT("peer", instance->service));
	}
	pthread_mutex_unlock(&instance->lock);
}

/* After a message: say what is to be said. */
static void acknowledge(struct instance *instance)
{
	struct frame ping = { .kind = FRAME_PING };
	pthread_mutex_lock(&instance->lock);
	if (outbox_is_empty(&instance->outbox) && instance->received - instance->told >= TELL_AFTER)
		outbox_put(&instance->outbox, &ping);
	client_flush_soon(instance);
	pthread_mutex_unlock(&instance->lock);
}

/* Messages come one after the other, so nobody else opens anything on this link meanwhile. */
static bool open_data(struct instance *instance, nng_msg *message, struct bytes *frames)
{
	uint64_t ignored;
	pthread_mutex_lock(&instance->lock);
	struct link *link = instance->state == STATE_UP ? instance->link : NULL;
	instance->is_opening = link;
	pthread_mutex_unlock(&instance->lock);
	if (!link)
		return false;
	bool is_ours = batch_open(link, message, &ignored, frames) == OK;
	pthread_mutex_lock(&instance->lock);
	instance->is_opening = false;
	if (is_ours) {
		instance->heard_ms = clock_steady_ms();
		instance->received++;
	}
	if (instance->state != STATE_UP)
		client_forget(instance); /* it was lost meanwhile */
	pthread_mutex_unlock(&instance->lock);
	return is_ours;
}

static void take_data(struct instance *instance, nng_msg *message)
{
	struct bytes frames;
	if (!open_data(instance, message, &frames))
		return;
	deliver(instance, frames);
	acknowledge(instance);
}

void client_on_received(void *arg)
{
	struct instance *instance = arg;
	int result = nng_aio_result(instance->receive_aio);
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	if (!result) {
		nng_msg *message = message_take(instance->receive_aio);
		const unsigned char *body = nng_msg_body(message);
		if (nng_msg_len(message) && body[0] == LINK_WELCOME)
			take_welcome(instance, body, nng_msg_len(message));
		else
			take_data(instance, message);
		nng_msg_free(message);
	}
	nng_recv_aio(instance->socket, instance->receive_aio);
}
