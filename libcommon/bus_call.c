/*
 * Putting requests on the bus: choosing an instance, waiting for replies (bus.h). The links
 * themselves are bus_client.c's.
 *
 * Refused here, at once: a request when no instance can take it, because it is away, its window or
 * its memory is full, or the tenant has its share of the window already.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_server.h"
#include "libcommon/clock.h"

/* With the lock held. */
static bool is_ready(const struct instance *instance)
{
	return instance->state == STATE_UP && instance->in_use && !instance->is_draining &&
		!instance->is_unlisted && breaker_admits(&instance->breaker);
}

/* FNV-1a; ids of tenants are random, so nobody chooses whom to collide with. */
static uint64_t tenant_hash(const char *tenant)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	if (!tenant || !*tenant)
		return 0;
	for (const char *at = tenant; *at; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	return hash | 1;
}

static enum bus_refusal refusal_of(const struct instance *instance, uint64_t tenant, size_t bytes)
{
	const struct bus_options *options = &instance->bus->options;
	if (!is_ready(instance))
		return BUS_AWAY;
	if (instance->outstanding >= options->window ||
		(instance->outstanding &&
			instance->outstanding_bytes + bytes > (size_t)options->bytes_max))
		return BUS_FULL;
	return slot_tenant_has_room(instance, tenant) ? BUS_TAKEN : BUS_TENANT_FULL;
}

static void fill_frame(struct frame *frame, const struct bus_request *request)
{
	*frame = (struct frame){
		.kind = FRAME_REQUEST,
		.flags = (uint8_t)request->flags,
		.time_left_ms = (uint32_t)request->timeout_ms,
		.window_offset = request->window_offset,
		.window_length = request->window_length,
	};
	frame->texts[TEXT_OPERATION] = frame_text(request->operation);
	frame->texts[TEXT_CAPABILITY] = frame_text(request->capability);
	frame->texts[TEXT_SOURCE] = frame_text(request->source);
	frame->texts[TEXT_IDEMPOTENCY_KEY] = frame_text(request->idempotency_key);
	frame->texts[TEXT_TRACEPARENT] = frame_text(request->traceparent);
	frame->texts[TEXT_PARAMS] = request->params;
	frame->texts[TEXT_CONTENT_TYPE] = frame_text(request->content_type);
	frame->texts[TEXT_BODY] = request->body;
}

/* One request on its way to an instance. */
struct sending {
	struct frame frame;
	size_t bytes;
	uint64_t tenant;
	int64_t timeout_ms;
	bus_on_reply *on_reply;
	void *arg;
	struct bus_ticket ticket; /* when it was taken */
};

/* With the lock held. */
static void put(struct instance *instance, struct sending *sending)
{
	int64_t now_ms = clock_steady_ms();
	struct slot *slot = slot_take(instance);
	sending->frame.id = slot->id;
	slot->on_reply = sending->on_reply;
	slot->arg = sending->arg;
	slot->sent_ms = now_ms;
	slot->deadline_ms = now_ms + sending->timeout_ms;
	slot->tenant = sending->tenant;
	slot->bytes = sending->bytes;
	instance->outstanding_bytes += slot->bytes;
	slot->batch = outbox_put(&instance->outbox, &sending->frame);
	sending->ticket = (struct bus_ticket){ instance, slot->id };
	client_flush_soon(instance);
}

static enum bus_refusal try_send(struct instance *instance, struct sending *sending)
{
	bus_tasks_begin();
	pthread_mutex_lock(&instance->lock);
	enum bus_refusal refusal = refusal_of(instance, sending->tenant, sending->bytes);
	if (!refusal)
		put(instance, sending);
	pthread_mutex_unlock(&instance->lock);
	bus_tasks_end();
	return refusal;
}

static int64_t load(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	int64_t n = is_ready(instance) ? instance->outstanding : INT64_MAX;
	pthread_mutex_unlock(&instance->lock);
	return n;
}

/* Every instance of a service that is ready, beginning at another one each time. */
static size_t find_ready(
	struct client *client, const char *service, struct instance *out[INSTANCES_MAX])
{
	size_t found = 0, n = atomic_load(&client->instances_n);
	unsigned turn = atomic_fetch_add(&client->turn, 1);
	for (size_t i = 0; i < n; i++) {
		struct instance *instance = client->instances[(turn + i) % n];
		if (strcmp(instance->service, service) == 0 && load(instance) < INT64_MAX)
			out[found++] = instance;
	}
	return found;
}

/* Of two instances in turn the less loaded one; then any that can take it. */
static enum bus_refusal send_to_service(
	struct client *client, const char *service, struct sending *sending)
{
	struct instance *found[INSTANCES_MAX];
	size_t n = find_ready(client, service, found);
	enum bus_refusal refusal = BUS_AWAY;
	if (n > 1 && load(found[1]) < load(found[0])) {
		struct instance *first = found[0];
		found[0] = found[1];
		found[1] = first;
	}
	for (size_t i = 0; i < n; i++) {
		refusal = try_send(found[i], sending);
		if (!refusal)
			break;
	}
	return refusal;
}

static void fill_sending(struct sending *sending, const struct bus_request *request,
	bus_on_reply *on_reply, void *arg)
{
	fill_frame(&sending->frame, request);
	sending->bytes = frame_size(&sending->frame);
	sending->tenant = tenant_hash(request->tenant);
	sending->timeout_ms = request->timeout_ms;
	sending->on_reply = on_reply;
	sending->arg = arg;
}

enum bus_refusal bus_try_send(struct bus *bus, const struct bus_request *request,
	bus_on_reply *on_reply, void *arg, struct bus_ticket *ticket)
{
	struct sending sending = { .ticket = { 0 } };
	fill_sending(&sending, request, on_reply, arg);
	if (sending.bytes > FRAME_MAX) {
		struct bus_reply reply = { .err = ERR_INVALID, .status = 413 };
		on_reply(arg, &reply);
		*ticket = sending.ticket;
		return BUS_TAKEN;
	}
	enum bus_refusal refusal = send_to_service(bus->client, request->service, &sending);
	if (!refusal) {
		atomic_fetch_add(&bus->count.requests_sent, 1);
		*ticket = sending.ticket;
	}
	return refusal;
}

void bus_count_refusal(struct bus *bus, enum bus_refusal refusal)
{
	atomic_fetch_add(&bus->count.requests_sent, 1);
	atomic_fetch_add(
		refusal == BUS_TENANT_FULL ? &bus->count.refused_tenant : &bus->count.refused_full,
		1);
}

struct bus_ticket bus_send(
	struct bus *bus, const struct bus_request *request, bus_on_reply *on_reply, void *arg)
{
	struct bus_ticket ticket = { 0 };
	enum bus_refusal refusal = bus_try_send(bus, request, on_reply, arg, &ticket);
	if (refusal) {
		bus_count_refusal(bus, refusal);
		reply_failed(on_reply, arg, 503, false);
	}
	return ticket;
}

unsigned bus_send_each(
	struct bus *bus, const struct bus_request *request, bus_on_reply *on_reply, void *arg)
{
	struct instance *found[INSTANCES_MAX];
	size_t n = find_ready(bus->client, request->service, found);
	unsigned sent = 0;
	for (size_t i = 0; i < n; i++) {
		struct sending sending = { .ticket = { 0 } };
		fill_sending(&sending, request, on_reply, arg);
		sent += try_send(found[i], &sending) == BUS_TAKEN;
	}
	return sent;
}

bool bus_cancel(struct bus_ticket ticket)
{
	struct instance *instance = ticket.instance;
	struct frame cancel = { .kind = FRAME_CANCEL, .id = ticket.id };
	if (!instance)
		return false;
	bus_tasks_begin();
	pthread_mutex_lock(&instance->lock);
	struct slot *slot = slot_find(instance, ticket.id);
	bool is_waiting = slot && slot->on_reply;
	if (is_waiting) {
		/* Its place in the window is free only when the other end says so. */
		slot->on_reply = NULL;
		atomic_fetch_add(&instance->bus->count.cancelled, 1);
		outbox_put(&instance->outbox, &cancel);
		client_flush_soon(instance);
	}
	pthread_mutex_unlock(&instance->lock);
	bus_tasks_end();
	return is_waiting;
}

void bus_gather_begin(void)
{
	bus_tasks_begin();
}

void bus_gather_end(void)
{
	bus_tasks_end();
}

/* ---- a call that waits ---- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool is_done, is_cancelled;
	struct arena *arena;
	struct bus_reply reply;
};

static struct bytes keep(struct arena *arena, struct bytes bytes)
{
	return (struct bytes){ (const unsigned char *)arena_strndup(
				       arena, (const char *)bytes.data, bytes.n),
		bytes.n };
}

static void on_awaited(void *arg, const struct bus_reply *reply)
{
	struct waiting *waiting = arg;
	pthread_mutex_lock(&waiting->lock);
	waiting->reply = *reply;
	waiting->reply.headers = keep(waiting->arena, reply->headers);
	waiting->reply.content_type = keep(waiting->arena, reply->content_type);
	waiting->reply.body = keep(waiting->arena, reply->body);
	waiting->is_done = true;
	pthread_cond_signal(&waiting->told);
	pthread_mutex_unlock(&waiting->lock);
}

/* With the server's lock held. */
static void on_cancelled(void *arg)
{
	struct waiting *waiting = arg;
	pthread_mutex_lock(&waiting->lock);
	waiting->is_cancelled = true;
	pthread_cond_signal(&waiting->told);
	pthread_mutex_unlock(&waiting->lock);
}

/* Is the reply there? False: cancelled before; asked only when `may_be_cancelled`. */
static bool is_replied(struct waiting *waiting, bool may_be_cancelled)
{
	pthread_mutex_lock(&waiting->lock);
	while (!waiting->is_done && !(may_be_cancelled && waiting->is_cancelled))
		pthread_cond_wait(&waiting->told, &waiting->lock);
	bool is_done = waiting->is_done;
	pthread_mutex_unlock(&waiting->lock);
	return is_done;
}

static void send_and_wait(
	struct bus *bus, const struct bus_request *request, struct waiting *waiting)
{
	struct bus_ticket ticket = bus_send(bus, request, on_awaited, waiting);
	if (is_replied(waiting, true))
		return;
	if (bus_cancel(ticket))
		waiting->reply = (struct bus_reply){
			.err = ERR_UNAVAILABLE, .status = 503, .executed = true, .cancelled = true
		};
	else
		(void)is_replied(waiting, false); /* it is on its way */
}

static void call_once(struct bus *bus, struct arena *arena, const struct bus_request *request,
	struct bus_reply *reply)
{
	struct waiting waiting = { .arena = arena };
	struct bus_job *within = request->within;
	pthread_mutex_init(&waiting.lock, NULL);
	pthread_cond_init(&waiting.told, NULL);
	if (within && !job_watch(bus->server, within, on_cancelled, &waiting)) {
		waiting.reply = (struct bus_reply){
			.err = ERR_UNAVAILABLE, .status = 503, .cancelled = true
		};
	} else {
		send_and_wait(bus, request, &waiting);
	}
	if (within)
		job_unwatch(bus->server, within);
	pthread_cond_destroy(&waiting.told);
	pthread_mutex_destroy(&waiting.lock);
	*reply = waiting.reply;
}

enum err bus_call(struct bus *bus, struct arena *arena, const struct bus_request *request,
	struct bus_reply *reply)
{
	int64_t began_ms = clock_steady_ms();
	call_once(bus, arena, request, reply);
	if (reply->err != ERR_UNAVAILABLE || reply->executed || reply->cancelled ||
		!request->may_retry)
		return reply->err;
	struct bus_request again = *request;
	again.timeout_ms -= clock_steady_ms() - began_ms;
	if (again.timeout_ms > 0)
		call_once(bus, arena, &again, reply);
	return reply->err;
}

/* ---- what else one may want of a service ---- */

bool bus_is_up(struct bus *bus, const char *service)
{
	struct instance *found[INSTANCES_MAX];
	return find_ready(bus->client, service, found) > 0;
}

uint64_t bus_links_made(struct bus *bus, const char *service)
{
	uint64_t made = 0;
	for (size_t i = 0; i < atomic_load(&bus->client->instances_n); i++) {
		struct instance *instance = bus->client->instances[i];
		if (strcmp(instance->service, service) != 0)
			continue;
		pthread_mutex_lock(&instance->lock);
		made += instance->links_made;
		pthread_mutex_unlock(&instance->lock);
	}
	return made;
}

static void subscribe_now(struct instance *instance)
{
	bus_tasks_begin();
	pthread_mutex_lock(&instance->lock);
	if (instance->state == STATE_UP) {
		client_subscribe(instance);
		client_flush(instance);
	}
	pthread_mutex_unlock(&instance->lock);
	bus_tasks_end();
}

void bus_subscribe(struct bus *bus, const char *service, bus_on_event *on_event, void *arg)
{
	struct client *client = bus->client;
	char *name = strdup(service);
	pthread_mutex_lock(&client->subscriptions_lock);
	if (!name || client->subscriptions_n == SUBSCRIPTIONS_MAX)
		abort();
	client->subscriptions[client->subscriptions_n++] =
		(struct subscription){ name, on_event, arg };
	pthread_mutex_unlock(&client->subscriptions_lock);
	for (size_t i = 0; i < atomic_load(&client->instances_n); i++)
		subscribe_now(client->instances[i]);
}
