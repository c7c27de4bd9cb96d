/*
 * The bus: opening, closing, and the thread that keeps time (bus.h). The calling side is
 * bus_call.c, bus_client.c and bus_instance.c, the serving side bus_server.c, bus_caller.c and
 * bus_queue.c.
 *
 * Locks: nng calls pipe callbacks while it holds a lock of the socket, so these only note what
 * happened and wake the timer thread; everything else may call nng with a lock of ours held.
 */
#include "libcommon/bus.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_conf.h"
#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define TICK_MS 20 /* how late a deadline may be noticed */

static void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);
	if (!memory)
		abort();
	return memory;
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
	const struct timespec until = clock_steady_in(TICK_MS);
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

static void fill_options(struct bus_options *out, const struct bus_options *given)
{
	const struct bus_options defaults = BUS_DEFAULTS;
	*out = *given;
	out->name = out->listen = out->peers = out->key_directory = out->peer_uids = NULL;
	int64_t *const numbers[] = { &out->window, &out->queue_max, &out->tenant_share,
		&out->bytes_max, &out->queue_bytes_max, &out->session_bytes_max,
		&out->resolve_every_ms };
	const int64_t fallbacks[] = { defaults.window, defaults.queue_max, defaults.tenant_share,
		defaults.bytes_max, defaults.queue_bytes_max, defaults.session_bytes_max,
		defaults.resolve_every_ms };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!*numbers[i])
			*numbers[i] = fallbacks[i];
	}
}

struct bus *bus_open(const struct bus_options *options)
{
	struct bus *bus = must_alloc(sizeof(*bus));
	bus->name = strdup(options->name);
	bus->key_directory = strdup(options->key_directory);
	fill_options(&bus->options, options);
	init_wake(bus);
	if (!bus->name || !bus->key_directory)
		abort();
	if (peer_uids_read(options->peer_uids, &bus->peer_uids))
		log_error("--bus-peer-uids: not a list of numbers");
	else
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

void bus_figures(const struct bus *bus, struct bus_figures *out)
{
	*out = (struct bus_figures){
		.requests_sent = atomic_load(&bus->count.requests_sent),
		.replies_received = atomic_load(&bus->count.replies_received),
		.requests_received = atomic_load(&bus->count.requests_received),
		.expired = atomic_load(&bus->count.expired),
		.cancelled = atomic_load(&bus->count.cancelled),
		.refused_full = atomic_load(&bus->count.refused_full),
		.refused_tenant = atomic_load(&bus->count.refused_tenant),
		.breaker_opened = atomic_load(&bus->count.breaker_opened),
		.messages_sent = atomic_load(&bus->count.messages_sent),
		.bytes_sent = atomic_load(&bus->count.bytes_sent),
	};
	client_figures(bus->client, out);
	if (bus->server)
		server_figures(bus->server, out);
}
