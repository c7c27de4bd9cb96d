/*
 * Putting requests on the bus: choosing an instance, waiting for replies (bus.h). The links
 * themselves are bus_client.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"

/* With the lock held. */
static bool is_usable(const struct instance *instance, int64_t now_ms)
{
	return instance->state == STATE_UP && instance->outstanding < instance->bus->window &&
		now_ms - instance->heard_ms < SUSPECT_AFTER_MS;
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

/* Put the request on an instance; false when it cannot take it now. */
static bool try_send(struct instance *instance, const struct bus_request *request,
	bus_on_reply *on_reply, void *arg)
{
	int64_t now_ms = clock_steady_ms();
	struct frame frame;
	fill_frame(&frame, request);
	bus_tasks_begin();
	pthread_mutex_lock(&instance->lock);
	bool usable = is_usable(instance, now_ms);
	for (int64_t i = 0; usable && i < instance->bus->window; i++) {
		struct slot *slot = &instance->slots[i];
		if (slot->id)
			continue;
		frame.id = ++instance->counter << ID_SLOT_BITS | (uint64_t)i;
		*slot = (struct slot){
			.id = frame.id,
			.on_reply = on_reply,
			.arg = arg,
			.deadline_ms = now_ms + request->timeout_ms,
		};
		instance->outstanding++;
		outgoing_push(&instance->queue, outgoing_new(&frame));
		client_flush(instance);
		break;
	}
	pthread_mutex_unlock(&instance->lock);
	bus_tasks_end();
	return usable;
}

static int64_t load(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	int64_t n = is_usable(instance, clock_steady_ms()) ? instance->outstanding : INT64_MAX;
	pthread_mutex_unlock(&instance->lock);
	return n;
}

/* Of two instances in turn the less loaded one; then any that can take it. */
static bool send_to_service(
	struct client *client, const struct bus_request *request, bus_on_reply *on_reply, void *arg)
{
	struct instance *found[INSTANCES_MAX];
	size_t n = 0;
	unsigned turn = atomic_fetch_add(&client->turn, 1);
	for (size_t i = 0; i < client->instances_n; i++) {
		struct instance *instance = client->instances[(turn + i) % client->instances_n];
		if (strcmp(instance->service, request->service) == 0)
			found[n++] = instance;
	}
	if (n > 1 && load(found[1]) < load(found[0])) {
		struct instance *first = found[0];
		found[0] = found[1];
		found[1] = first;
	}
	for (size_t i = 0; i < n; i++) {
		if (try_send(found[i], request, on_reply, arg))
			return true;
	}
	return false;
}

void bus_send(struct bus *bus, const struct bus_request *request, bus_on_reply *on_reply, void *arg)
{
	if (request->body.n + request->params.n + LINK_OVERHEAD > FRAME_MAX - 8192) {
		struct bus_reply reply = { .err = ERR_INVALID, .status = 413 };
		on_reply(arg, &reply);
		return;
	}
	atomic_fetch_add(&bus->count.requests_sent, 1);
	if (!send_to_service(bus->client, request, on_reply, arg)) {
		atomic_fetch_add(&bus->count.refused_full, 1);
		client_reply_failed(on_reply, arg, 503, false);
	}
}

unsigned bus_send_each(
	struct bus *bus, const struct bus_request *request, bus_on_reply *on_reply, void *arg)
{
	unsigned sent = 0;
	for (size_t i = 0; i < bus->client->instances_n; i++) {
		struct instance *instance = bus->client->instances[i];
		if (strcmp(instance->service, request->service) == 0)
			sent += try_send(instance, request, on_reply, arg);
	}
	return sent;
}

/* A call that waits. */
struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done;
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
	pthread_cond_signal(&waiting->done);
	pthread_mutex_unlock(&waiting->lock);
}

enum err bus_call(struct bus *bus, struct arena *arena, const struct bus_request *request,
	struct bus_reply *reply)
{
	struct waiting waiting = { .arena = arena };
	pthread_mutex_init(&waiting.lock, NULL);
	pthread_cond_init(&waiting.done, NULL);
	bus_send(bus, request, on_awaited, &waiting);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.is_done)
		pthread_cond_wait(&waiting.done, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	pthread_cond_destroy(&waiting.done);
	pthread_mutex_destroy(&waiting.lock);
	*reply = waiting.reply;
	return reply->err;
}

bool bus_is_up(struct bus *bus, const char *service)
{
	bool up = false;
	for (size_t i = 0; i < bus->client->instances_n; i++) {
		struct instance *instance = bus->client->instances[i];
		if (strcmp(instance->service, service) == 0)
			up |= load(instance) < INT64_MAX;
	}
	return up;
}

void bus_subscribe(struct bus *bus, const char *service, bus_on_event *on_event, void *arg)
{
	struct client *client = bus->client;
	pthread_mutex_lock(&client->subscriptions_lock);
	if (client->subscriptions_n == SUBSCRIPTIONS_MAX)
		abort();
	client->subscriptions[client->subscriptions_n++] =
		(struct subscription){ strdup(service), on_event, arg };
	pthread_mutex_unlock(&client->subscriptions_lock);
	for (size_t i = 0; i < client->instances_n; i++) {
		struct instance *instance = client->instances[i];
		pthread_mutex_lock(&instance->lock);
		if (instance->state == STATE_UP) {
			client_subscribe(instance);
			client_flush(instance);
		}
		pthread_mutex_unlock(&instance->lock);
	}
}
