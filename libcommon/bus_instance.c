/*
 * Links to instances come and go (bus_impl.h): dialling, the first greeting and later ones with a
 * new key, pings and probes, hanging up where an address has vanished. All on the timer thread but
 * nng's pipe callbacks, which only note what happened.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"
#include "libcommon/log.h"

#define GREETING_MS 2000 /* a peer that does not answer the hello by then is greeted again */
#define PING_EVERY_MS 500
#define KEYS_EVERY_MS 5000 /* a rotated key is in use this soon */

/* ---- what happens to a link, on the timer thread ---- */

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

static void on_pipe_offered(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	const struct instance *instance = arg;
	if (!peer_uid_is_allowed(&instance->bus->peer_uids, pipe)) {
		log_warning("bus: a foreign user serves %s", instance->url);
		nng_pipe_close(pipe);
	}
}

static void lose(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	bool was_up = instance->state == STATE_UP;
	instance->state = STATE_DOWN;
	instance->is_draining = false;
	client_end_greeting(instance);
	if (!instance->is_opening)
		client_forget(instance);
	pthread_mutex_unlock(&instance->lock);
	slots_fail(instance, 0, true, 503);
	pthread_mutex_lock(&instance->lock);
	outbox_clear(&instance->outbox);
	pthread_mutex_unlock(&instance->lock);
	if (was_up)
		log_event(
			LOG_LEVEL_WARNING, "bus link is down", LOG_TEXT("peer", instance->service));
}

static void follow_pipe(struct instance *instance, int64_t now_ms)
{
	unsigned pipe = atomic_load(&instance->pipe);
	if (pipe == instance->pipe_seen)
		return;
	if (instance->pipe_seen)
		lose(instance);
	instance->pipe_seen = pipe;
	if (!pipe)
		return;
	pthread_mutex_lock(&instance->lock);
	instance->state = STATE_GREETING;
	instance->pinged_ms = now_ms;
	client_greet(instance, now_ms);
	pthread_mutex_unlock(&instance->lock);
}

/* Is the first key in the file another than the link's? */
static bool has_new_key(struct instance *instance, int64_t now_ms)
{
	struct link_keys keys;
	if (now_ms - instance->keys_read_ms < KEYS_EVERY_MS)
		return false;
	instance->keys_read_ms = now_ms;
	enum err e = link_keys_read(
		instance->bus->key_directory, instance->bus->name, instance->service, &keys);
	bool is_new = !e && !link_is_under(instance->link, keys.keys[0]);
	crypto_wipe(&keys, sizeof(keys));
	return is_new;
}

/* With the lock held. */
static void greet_again(struct instance *instance, int64_t now_ms)
{
	bool is_up = instance->state == STATE_UP;
	bool is_mute = instance->is_greeting && now_ms - instance->greeted_ms >= GREETING_MS;
	if (is_up && is_mute) {
		log_warning("bus: %s does not accept the new key", instance->service);
		client_end_greeting(instance); /* go on with the old one */
		client_flush(instance);
	} else if ((instance->state == STATE_GREETING && is_mute) ||
		(is_up && !instance->is_greeting && has_new_key(instance, now_ms))) {
		client_greet(instance, now_ms);
	}
}

/* With the lock held. */
static void ask_whether_alive(struct instance *instance, int64_t now_ms)
{
	static const struct frame ping = { .kind = FRAME_PING }, probe = { .kind = FRAME_PROBE };
	enum breaker_state before = instance->breaker.state;
	bool is_probe_due = breaker_tick(
		&instance->breaker, now_ms, instance->heard_ms, slot_oldest_ms(instance));
	bool is_ping_due = now_ms - instance->pinged_ms >= PING_EVERY_MS;
	if (is_probe_due)
		outbox_put(&instance->outbox, &probe);
	if (is_ping_due) {
		outbox_put(&instance->outbox, &ping);
		instance->pinged_ms = now_ms;
	}
	if (is_probe_due || is_ping_due)
		client_flush(instance);
	if (before == BREAKER_CLOSED && instance->breaker.state == BREAKER_OPEN) {
		atomic_fetch_add(&instance->bus->count.breaker_opened, 1);
		log_event(LOG_LEVEL_WARNING, "bus breaker is open",
			LOG_TEXT("peer", instance->service), LOG_TEXT("url", instance->url));
	}
}

static void hang_up(struct instance *instance);

static void instance_tick(struct instance *instance, int64_t now_ms)
{
	follow_pipe(instance, now_ms);
	slots_fail(instance, now_ms, false, 504);
	pthread_mutex_lock(&instance->lock);
	greet_again(instance, now_ms);
	if (instance->state == STATE_UP && !instance->is_greeting)
		ask_whether_alive(instance, now_ms);
	bool is_done = instance->is_unlisted && !instance->outstanding;
	pthread_mutex_unlock(&instance->lock);
	if (is_done)
		hang_up(instance);
}

void client_tick(struct client *client, int64_t now_ms)
{
	if (client->resolver)
		resolver_apply(client->resolver, client);
	for (size_t i = 0; i < atomic_load(&client->instances_n); i++) {
		if (client->instances[i]->in_use)
			instance_tick(client->instances[i], now_ms);
	}
}

/* ---- dialling and hanging up ---- */

static void hang_up(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	instance->in_use = false; /* nobody sends from here on */
	pthread_mutex_unlock(&instance->lock);
	bus_socket_close(&instance->socket, &instance->send_aio, &instance->receive_aio);
	lose(instance);
	instance->sending = instance->receiving = false;
	instance->pipe_seen = 0;
	atomic_store(&instance->pipe, 0);
}

static enum err dial(struct instance *instance)
{
	bool is_ipc = strncmp(instance->url, "ipc://", 6) == 0;
	if (nng_req0_open_raw(&instance->socket) || bus_socket_options(instance->socket) ||
		nng_aio_alloc(&instance->send_aio, client_on_sent, instance) ||
		nng_aio_alloc(&instance->receive_aio, client_on_received, instance) ||
		(is_ipc &&
			nng_pipe_notify(instance->socket, NNG_PIPE_EV_ADD_PRE, on_pipe_offered,
				instance)) ||
		nng_pipe_notify(instance->socket, NNG_PIPE_EV_ADD_POST, on_pipe, instance) ||
		nng_pipe_notify(instance->socket, NNG_PIPE_EV_REM_POST, on_pipe, instance) ||
		nng_dial(instance->socket, instance->url, NULL, NNG_FLAG_NONBLOCK))
		return ERR_INVALID;
	return OK;
}

static struct instance *instance_new(struct client *client, const char *service)
{
	int64_t window = client->bus->options.window;
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance)
		abort();
	instance->bus = client->bus;
	instance->service = strdup(service);
	instance->slots = calloc((size_t)window, sizeof(struct slot));
	instance->free_slots = calloc((size_t)window, sizeof(uint16_t));
	if (!instance->service || !instance->slots || !instance->free_slots)
		abort();
	for (int64_t i = 0; i < window; i++)
		instance->free_slots[i] = (uint16_t)i;
	pthread_mutex_init(&instance->lock, NULL);
	pthread_cond_init(&instance->flushed, NULL);
	return instance;
}

/* One of the service's that is not in use, or a new one; NULL when there are too many. */
static struct instance *instance_of(struct client *client, const char *service)
{
	size_t n = atomic_load(&client->instances_n);
	for (size_t i = 0; i < n; i++) {
		struct instance *instance = client->instances[i];
		if (!instance->in_use && strcmp(instance->service, service) == 0)
			return instance;
	}
	if (n == INSTANCES_MAX)
		return NULL;
	client->instances[n] = instance_new(client, service);
	atomic_store(&client->instances_n, n + 1);
	return client->instances[n];
}

enum err client_add(
	struct client *client, const char *service, const struct name *origin, const char *url)
{
	struct instance *instance = instance_of(client, service);
	if (!instance || strlen(url) >= sizeof(instance->url))
		return ERR_INVALID;
	pthread_mutex_lock(&instance->lock);
	snprintf(instance->url, sizeof(instance->url), "%s", url);
	instance->origin = origin;
	instance->is_unlisted = false;
	instance->in_use = true;
	pthread_mutex_unlock(&instance->lock);
	return dial(instance);
}

static bool is_among(const char *url, char (*urls)[URL_MAX], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(urls[i], url) == 0)
			return true;
	}
	return false;
}

static struct instance *find(struct client *client, const char *service, const char *url)
{
	for (size_t i = 0; i < atomic_load(&client->instances_n); i++) {
		struct instance *instance = client->instances[i];
		if (instance->in_use && strcmp(instance->service, service) == 0 &&
			strcmp(instance->url, url) == 0)
			return instance;
	}
	return NULL;
}

void client_keep(struct client *client, const char *service, const struct name *origin,
	char (*urls)[URL_MAX], size_t urls_n)
{
	for (size_t i = 0; i < atomic_load(&client->instances_n); i++) {
		struct instance *instance = client->instances[i];
		if (!instance->in_use || instance->origin != origin)
			continue;
		pthread_mutex_lock(&instance->lock);
		instance->is_unlisted = !is_among(instance->url, urls, urls_n);
		pthread_mutex_unlock(&instance->lock);
	}
	for (size_t i = 0; i < urls_n; i++) {
		if (!find(client, service, urls[i]) && client_add(client, service, origin, urls[i]))
			log_warning("bus: cannot use %s of %s", urls[i], service);
	}
}

static void instance_free(struct instance *instance)
{
	hang_up(instance);
	pthread_mutex_lock(&instance->lock);
	while (instance->flushes_kept)
		pthread_cond_wait(&instance->flushed, &instance->lock);
	pthread_mutex_unlock(&instance->lock);
	pthread_cond_destroy(&instance->flushed);
	pthread_mutex_destroy(&instance->lock);
	free(instance->slots);
	free(instance->free_slots);
	free(instance->service);
	free(instance);
}

/* ---- the whole side ---- */

/* `entry` is "service=url". */
static enum err add_peer(struct client *client, const char *entry, size_t n)
{
	char service[LINK_NAME_MAX + 1], url[URL_MAX];
	const char *equals = memchr(entry, '=', n);
	size_t service_n = equals ? (size_t)(equals - entry) : n;
	if (!equals || service_n >= sizeof(service) || n - service_n > sizeof(url))
		return ERR_INVALID;
	snprintf(service, sizeof(service), "%.*s", (int)service_n, entry);
	snprintf(url, sizeof(url), "%.*s", (int)(n - service_n - 1), equals + 1);
	if (!resolver_is_for(url))
		return client_add(client, service, NULL, url);
	if (!client->resolver)
		client->resolver = resolver_new(client->bus);
	return resolver_add(client->resolver, service, url);
}

struct client *client_open(struct bus *bus, const char *peers)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	client->bus = bus;
	pthread_mutex_init(&client->subscriptions_lock, NULL);
	enum err e = OK;
	for (const char *entry = peers ? peers : ""; *entry && !e;) {
		size_t n = strcspn(entry, ",");
		e = add_peer(client, entry, n);
		if (e)
			log_error("--peers: cannot use \"%.*s\"", (int)n, entry);
		entry += n + (entry[n] == ',');
	}
	if (!e && client->resolver)
		e = resolver_start(client->resolver);
	if (!e)
		return client;
	client_close(client);
	return NULL;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	if (client->resolver)
		resolver_stop(client->resolver);
	for (size_t i = 0; i < atomic_load(&client->instances_n); i++)
		instance_free(client->instances[i]);
	for (size_t i = 0; i < client->subscriptions_n; i++)
		free(client->subscriptions[i].service);
	pthread_mutex_destroy(&client->subscriptions_lock);
	free(client);
}

void client_figures(struct client *client, struct bus_figures *out)
{
	for (size_t i = 0; i < atomic_load(&client->instances_n); i++) {
		struct instance *instance = client->instances[i];
		pthread_mutex_lock(&instance->lock);
		out->instances_up += instance->in_use && instance->state == STATE_UP &&
			breaker_admits(&instance->breaker);
		out->outstanding += (uint64_t)instance->outstanding;
		out->outstanding_bytes += instance->outstanding_bytes;
		pthread_mutex_unlock(&instance->lock);
	}
}
