/*
 * The bus: opening, closing, and the thread that keeps time (bus.h). The calling side is
 * bus_client.c, the serving side bus_server.c.
 *
 * Locks: nng calls pipe callbacks while it holds a lock of the socket, so these only set atomics
 * and wake the timer thread; everything else may call nng with a lock of ours held.
 */
#include "libcommon/bus.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define TICK_MS 20 /* how late a deadline may be noticed */
#define RECONNECT_MIN_MS 20 /* a restarted service is back in the time it takes to start */
#define RECONNECT_MAX_MS 500 /* nobody waits longer for a service that is back */

static void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);
	if (!memory)
		abort();
	return memory;
}

struct outgoing *outgoing_new(const struct frame *frame)
{
	size_t n = frame_size(frame);
	struct outgoing *item = must_alloc(sizeof(*item) + n);
	item->n = n;
	item->id = frame->id;
	frame_write(frame, item->data);
	return item;
}

void outgoing_push(struct outgoing_queue *queue, struct outgoing *item)
{
	item->next = NULL;
	if (queue->tail)
		queue->tail->next = item;
	else
		queue->head = item;
	queue->tail = item;
	queue->bytes += item->n;
}

struct outgoing *outgoing_pop(struct outgoing_queue *queue)
{
	struct outgoing *item = queue->head;
	if (!item)
		return NULL;
	queue->head = item->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->bytes -= item->n;
	return item;
}

enum err bus_socket_options(nng_socket socket)
{
	if (nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, MESSAGE_MAX) ||
		nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS) ||
		nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS))
		return ERR_INTERNAL;
	return OK;
}

void bus_wake(struct bus *bus)
{
	pthread_mutex_lock(&bus->wake_lock);
	bus->woken = true;
	pthread_cond_signal(&bus->wake);
	pthread_mutex_unlock(&bus->wake_lock);
}

/* Sleep until woken or a tick has passed; false when the bus stops. */
static bool sleep_until_tick(struct bus *bus)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&bus->wake_lock);
	while (!bus->woken && !bus->stopping) {
		if (pthread_cond_timedwait(&bus->wake, &bus->wake_lock, &until))
			break;
	}
	bus->woken = false;
	bool go_on = !bus->stopping;
	pthread_mutex_unlock(&bus->wake_lock);
	return go_on;
}

static void *keep_time(void *arg)
{
	struct bus *bus = arg;
	while (sleep_until_tick(bus)) {
		int64_t now_ms = clock_steady_ms();
		client_tick(bus->client, now_ms);
		if (bus->server)
			server_tick(bus->server, now_ms);
	}
	return NULL;
}

static void init_wake(struct bus *bus)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&bus->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&bus->wake_lock, NULL);
}

static void bus_free(struct bus *bus)
{
	client_close(bus->client);
	server_close(bus->server);
	pthread_cond_destroy(&bus->wake);
	pthread_mutex_destroy(&bus->wake_lock);
	free(bus->name);
	free(bus->key_directory);
	free(bus);
}

struct bus *bus_open(const struct bus_options *options)
{
	struct bus *bus = must_alloc(sizeof(*bus));
	bus->name = strdup(options->name);
	bus->key_directory = strdup(options->key_directory);
	bus->window = options->window;
	bus->queue_max = options->queue_max;
	init_wake(bus);
	if (!bus->name || !bus->key_directory)
		abort();
	bus->client = client_open(bus, options->peers);
	if (bus->client && options->listen)
		bus->server = server_open(bus, options->listen);
	if (!bus->client || (options->listen && !bus->server) ||
		pthread_create(&bus->timer, NULL, keep_time, bus)) {
		bus_free(bus);
		return NULL;
	}
	return bus;
}

void bus_drain(struct bus *bus)
{
	if (bus->server)
		server_drain(bus->server);
}

void bus_close(struct bus *bus)
{
	if (!bus)
		return;
	pthread_mutex_lock(&bus->wake_lock);
	bus->stopping = true;
	pthread_cond_signal(&bus->wake);
	pthread_mutex_unlock(&bus->wake_lock);
	pthread_join(bus->timer, NULL);
	bus_free(bus);
}
