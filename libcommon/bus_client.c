/*
 * The calling side of the bus: one raw REQ socket per instance of a service, requests batched while
 * it is busy, replies matched by id.
 *
 * Refused here, at once: a request when no instance is connected or every window is full. A reply
 * that comes after its deadline is dropped.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define GREETING_MS 2000 /* a peer that does not answer the hello by then is dialled again */
#define PING_EVERY_MS 500

/* ---- replies that the bus makes itself ---- */

void client_reply_failed(bus_on_reply *on_reply, void *arg, unsigned status, bool executed)
{
	struct bus_reply reply = { .err = ERR_UNAVAILABLE, .status = status, .executed = executed };
	on_reply(arg, &reply);
}

/* Take every slot that `dead` picks out of the table, then tell their owners without the lock. */
static void fail_slots(struct instance *instance, int64_t now_ms, bool all, unsigned status)
{
	struct bus *bus = instance->bus;
	for (int64_t i = 0; i < bus->window; i++) {
		pthread_mutex_lock(&instance->lock);
		struct slot slot = instance->slots[i];
		bool dead = slot.id && (all || slot.deadline_ms <= now_ms);
		if (dead) {
			instance->slots[i] = (struct slot){ 0 };
			instance->outstanding--;
		}
		pthread_mutex_unlock(&instance->lock);
		if (dead)
			client_reply_failed(slot.on_reply, slot.arg, status, slot.sent);
	}
}

/* ---- sending ---- */

static void send_bytes(struct instance *instance, nng_msg *message)
{
	nng_msg_header_append_u32(message, 0x80000000u | instance->message_id++);
	atomic_fetch_add(&instance->bus->count.messages_sent, 1);
	atomic_fetch_add(&instance->bus->count.bytes_sent, nng_msg_len(message));
	nng_aio_set_msg(instance->send_aio, message);
	instance->sending = true;
	nng_send_aio(instance->socket, instance->send_aio);
}

static void mark_sent(struct instance *instance, uint64_t id)
{
	struct slot *slot = &instance->slots[id & ((1u << ID_SLOT_BITS) - 1)];
	if (id && slot->id == id)
		slot->sent = true;
}

/* Everything that waits, up to a batch, as one sealed message. */
static void send_batch(struct instance *instance)
{
	size_t n = 0;
	for (struct outgoing *item = instance->queue.head; item; item = item->next) {
		if (n && n + item->n > BATCH_BYTES)
			break;
		n += item->n;
	}
	nng_msg *message;
	unsigned char *plain = malloc(n);
	if (!plain || nng_msg_alloc(&message, n + LINK_OVERHEAD))
		abort();
	for (size_t at = 0; at < n;) {
		struct outgoing *item = outgoing_pop(&instance->queue);
		memcpy(plain + at, item->data, item->n);
		at += item->n;
		mark_sent(instance, item->id);
		free(item);
	}
	link_seal(&instance->link, plain, n, nng_msg_body(message));
	free(plain);
	send_bytes(instance, message);
}

static void send_hello(struct instance *instance)
{
	struct link_keys keys;
	unsigned char hello[LINK_HELLO_MAX];
	nng_msg *message;
	instance->hello_due = false;
	enum err e = link_keys_read(
		instance->bus->key_directory, instance->bus->name, instance->service, &keys);
	if (e) {
		log_error("no usable bus key for %s-%s", instance->bus->name, instance->service);
		return;
	}
	size_t n = link_hello(&instance->link, &keys, instance->bus->name, hello);
	crypto_wipe(&keys, sizeof(keys));
	if (nng_msg_alloc(&message, 0) || nng_msg_append(message, hello, n))
		abort();
	send_bytes(instance, message);
}

/* With the lock held. */
void client_flush(struct instance *instance)
{
	if (instance->sending)
		return;
	if (instance->state == STATE_GREETING && instance->hello_due)
		send_hello(instance);
	else if (instance->state == STATE_UP && instance->queue.head)
		send_batch(instance);
}

static void on_sent(void *arg)
{
	struct instance *instance = arg;
	int result = nng_aio_result(instance->send_aio);
	if (result)
		nng_msg_free(nng_aio_get_msg(instance->send_aio));
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

static void deliver_reply(struct instance *instance, const struct frame *frame)
{
	uint64_t index = frame->id & ((1u << ID_SLOT_BITS) - 1);
	struct slot slot = { 0 };
	pthread_mutex_lock(&instance->lock);
	if (frame->id && (int64_t)index < instance->bus->window &&
		instance->slots[index].id == frame->id) {
		slot = instance->slots[index];
		instance->slots[index] = (struct slot){ 0 };
		instance->outstanding--;
	}
	pthread_mutex_unlock(&instance->lock);
	if (!slot.id)
		return; /* too late: its owner was told so */
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
		.executed = frame->flags & FRAME_EXECUTED,
	};
	atomic_fetch_add(&instance->bus->count.replies_received, 1);
	slot.on_reply(slot.arg, &reply);
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

static void deliver(struct instance *instance, struct bytes plain)
{
	struct frame frame;
	size_t at = 0;
	while (frame_read(plain, &at, &frame) == OK) {
		if (frame.kind == FRAME_REPLY)
			deliver_reply(instance, &frame);
		else if (frame.kind == FRAME_EVENT)
			deliver_event(instance, &frame);
	}
}

/* With the lock held: ask for events if anybody here wants them. */
void client_subscribe(struct instance *instance)
{
	struct client *client = instance->bus->client;
	pthread_mutex_lock(&client->subscriptions_lock);
	for (size_t i = 0; i < client->subscriptions_n; i++) {
		if (strcmp(client->subscriptions[i].service, instance->service) != 0)
			continue;
		struct frame frame = { .kind = FRAME_SUBSCRIBE };
		outgoing_push(&instance->queue, outgoing_new(&frame));
		break;
	}
	pthread_mutex_unlock(&client->subscriptions_lock);
}

/* With the lock held. */
static void greet_back(struct instance *instance, const unsigned char *body, size_t n)
{
	if (instance->state != STATE_GREETING || link_accept_welcome(&instance->link, body, n))
		return;
	instance->state = STATE_UP;
	client_subscribe(instance);
	client_flush(instance);
	log_event(LOG_LEVEL_INFO, "bus link is up", LOG_TEXT("peer", instance->service));
}

static void receive_message(struct instance *instance, const unsigned char *body, size_t n)
{
	unsigned char *plain = NULL;
	pthread_mutex_lock(&instance->lock);
	if (n && body[0] == LINK_WELCOME) {
		greet_back(instance, body, n);
	} else if (instance->state == STATE_UP && n > LINK_OVERHEAD) {
		plain = malloc(n - LINK_OVERHEAD);
		if (!plain)
			abort();
		if (link_open(&instance->link, body, n, plain)) {
			free(plain);
			plain = NULL;
		}
	}
	if (plain || instance->state == STATE_UP)
		instance->heard_ms = clock_steady_ms();
	pthread_mutex_unlock(&instance->lock);
	if (plain)
		deliver(instance, (struct bytes){ plain, n - LINK_OVERHEAD });
	free(plain);
}

static void on_received(void *arg)
{
	struct instance *instance = arg;
	int result = nng_aio_result(instance->receive_aio);
	if (result == NNG_ECLOSED || result == NNG_ECANCELED)
		return;
	if (!result) {
		nng_msg *message = nng_aio_get_msg(instance->receive_aio);
		receive_message(instance, nng_msg_body(message), nng_msg_len(message));
		nng_msg_free(message);
	}
	nng_recv_aio(instance->socket, instance->receive_aio);
}

/* ---- links come and go ---- */

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct instance *instance = arg;
	unsigned id = (unsigned)nng_pipe_id(pipe);
	if (event == NNG_PIPE_EV_ADD_POST)
		atomic_store(&instance->pipe, id);
	else
		atomic_compare_exchange_strong(&instance->pipe, &id, 0);
	bus_wake(instance->bus);
}

static void lose(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	bool was_up = instance->state == STATE_UP;
	instance->state = STATE_DOWN;
	struct outgoing_queue queue = instance->queue;
	instance->queue = (struct outgoing_queue){ 0 };
	pthread_mutex_unlock(&instance->lock);
	for (struct outgoing *item; (item = outgoing_pop(&queue));)
		free(item);
	if (was_up)
		log_event(
			LOG_LEVEL_WARNING, "bus link is down", LOG_TEXT("peer", instance->service));
	fail_slots(instance, 0, true, 503);
}

static void greet(struct instance *instance, int64_t now_ms)
{
	pthread_mutex_lock(&instance->lock);
	instance->state = STATE_GREETING;
	instance->hello_due = true;
	instance->greeted_ms = now_ms;
	instance->heard_ms = now_ms;
	instance->pinged_ms = now_ms;
	client_flush(instance);
	pthread_mutex_unlock(&instance->lock);
}

static void ping(struct instance *instance, int64_t now_ms)
{
	pthread_mutex_lock(&instance->lock);
	if (instance->state == STATE_UP && now_ms - instance->pinged_ms >= PING_EVERY_MS) {
		struct frame frame = { .kind = FRAME_PING };
		instance->pinged_ms = now_ms;
		outgoing_push(&instance->queue, outgoing_new(&frame));
		client_flush(instance);
	}
	bool mute =
		instance->state == STATE_GREETING && now_ms - instance->greeted_ms > GREETING_MS;
	pthread_mutex_unlock(&instance->lock);
	if (mute)
		greet(instance, now_ms);
}

static void instance_tick(struct instance *instance, int64_t now_ms)
{
	unsigned pipe = atomic_load(&instance->pipe);
	if (pipe != instance->pipe_seen) {
		if (instance->pipe_seen)
			lose(instance);
		instance->pipe_seen = pipe;
		if (pipe)
			greet(instance, now_ms);
	}
	fail_slots(instance, now_ms, false, 504);
	ping(instance, now_ms);
}

void client_tick(struct client *client, int64_t now_ms)
{
	for (size_t i = 0; i < client->instances_n; i++)
		instance_tick(client->instances[i], now_ms);
}

/* ---- opening and closing ---- */

static void instance_free(struct instance *instance)
{
	if (!instance)
		return;
	if (nng_socket_id(instance->socket) > 0)
		nng_close(instance->socket);
	if (instance->send_aio)
		nng_aio_stop(instance->send_aio);
	if (instance->receive_aio)
		nng_aio_stop(instance->receive_aio);
	lose(instance);
	nng_aio_free(instance->send_aio);
	nng_aio_free(instance->receive_aio);
	pthread_mutex_destroy(&instance->lock);
	crypto_wipe(&instance->link, sizeof(instance->link));
	free(instance->slots);
	free(instance->service);
	free(instance->url);
	free(instance);
}

static enum err instance_dial(struct instance *instance)
{
	if (nng_req0_open_raw(&instance->socket) || bus_socket_options(instance->socket) ||
		nng_aio_alloc(&instance->send_aio, on_sent, instance) ||
		nng_aio_alloc(&instance->receive_aio, on_received, instance) ||
		nng_pipe_notify(instance->socket, NNG_PIPE_EV_ADD_POST, on_pipe, instance) ||
		nng_pipe_notify(instance->socket, NNG_PIPE_EV_REM_POST, on_pipe, instance) ||
		nng_dial(instance->socket, instance->url, NULL, NNG_FLAG_NONBLOCK))
		return ERR_INVALID;
	return OK;
}

/* `entry` is "service=url". */
static enum err instance_open(struct client *client, const char *entry, size_t n)
{
	const char *equals = memchr(entry, '=', n);
	if (!equals || client->instances_n == INSTANCES_MAX)
		return ERR_INVALID;
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance)
		abort();
	client->instances[client->instances_n++] = instance;
	instance->bus = client->bus;
	instance->service = strndup(entry, (size_t)(equals - entry));
	instance->url = strndup(equals + 1, n - (size_t)(equals - entry) - 1);
	instance->slots = calloc((size_t)client->bus->window, sizeof(struct slot));
	if (!instance->service || !instance->url || !instance->slots)
		abort();
	pthread_mutex_init(&instance->lock, NULL);
	return instance_dial(instance);
}

struct client *client_open(struct bus *bus, const char *peers)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	client->bus = bus;
	pthread_mutex_init(&client->subscriptions_lock, NULL);
	for (const char *entry = peers ? peers : ""; *entry;) {
		size_t n = strcspn(entry, ",");
		if (instance_open(client, entry, n)) {
			log_error("--peers: cannot use \"%.*s\"", (int)n, entry);
			client_close(client);
			return NULL;
		}
		entry += n + (entry[n] == ',');
	}
	return client;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	for (size_t i = 0; i < client->instances_n; i++)
		instance_free(client->instances[i]);
	for (size_t i = 0; i < client->subscriptions_n; i++)
		free(client->subscriptions[i].service);
	pthread_mutex_destroy(&client->subscriptions_lock);
	free(client);
}
