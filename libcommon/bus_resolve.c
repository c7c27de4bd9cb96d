/*
 * Host names in --peers: looked up on a thread of their own, because getaddrinfo() may block for
 * many seconds, again and again, because instances come and go; the timer thread takes what was
 * found (bus_impl.h).
 *
 * A name that cannot be looked up keeps its addresses: losing the name server must not lose links
 * that work.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcommon/bus_impl.h"
#include "libcommon/clock.h"

#define NAMES_MAX 16 /* one for each service, and some to spare */
#define ADDRESSES_MAX 32 /* of one name */
#define STOP_S 1 /* a lookup that hangs does not hold up the end of the process */

struct name {
	char service[LINK_NAME_MAX + 1];
	char host[URL_MAX], port[16];
	char found[ADDRESSES_MAX][BUS_ADDRESS_MAX]; /* under the resolver's lock */
	int found_n;
	bool is_new;
};

struct resolver {
	struct bus *bus;
	bus_resolve *resolve;
	int64_t every_ms;
	struct name names[NAMES_MAX];
	size_t names_n;
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock;
	pthread_cond_t stop;
	bool is_stopping;
};

/* ---- URLs ---- */

/* tcp://host:port, where the host may be [::1]. */
static bool split(const char *url, char host[URL_MAX], char port[16])
{
	if (strncmp(url, "tcp://", 6) != 0)
		return false;
	const char *colon = strrchr(url + 6, ':');
	if (!colon || strlen(url) >= URL_MAX || strlen(colon + 1) >= 16)
		return false;
	memcpy(host, url + 6, (size_t)(colon - url - 6));
	host[colon - url - 6] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return true;
}

bool resolver_is_for(const char *url)
{
	char host[URL_MAX], port[16];
	if (!split(url, host, port))
		return false;
	return host[0] != '[' && host[strspn(host, "0123456789.")] != '\0';
}

/* ---- looking up ---- */

static int resolve_by_system(const char *host, char (*out)[BUS_ADDRESS_MAX], int max)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list;
	int n = 0;
	if (getaddrinfo(host, NULL, &hints, &list))
		return -1;
	for (const struct addrinfo *at = list; at && n < max; at = at->ai_next) {
		char text[BUS_ADDRESS_MAX - 2];
		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0,
			    NI_NUMERICHOST))
			continue;
		bool is_v6 = at->ai_family == AF_INET6;
		snprintf(out[n++], BUS_ADDRESS_MAX, is_v6 ? "[%s]" : "%s", text);
	}
	freeaddrinfo(list);
	return n;
}

static void look_up(struct resolver *resolver, struct name *name)
{
	char found[ADDRESSES_MAX][BUS_ADDRESS_MAX];
	int n = resolver->resolve(name->host, found, ADDRESSES_MAX);
	if (n < 0)
		return;
	pthread_mutex_lock(&resolver->lock);
	memcpy(name->found, found, (size_t)n * sizeof(found[0]));
	name->found_n = n;
	name->is_new = true;
	bool is_stopping = resolver->is_stopping;
	pthread_mutex_unlock(&resolver->lock);
	if (!is_stopping)
		bus_wake(resolver->bus);
}

/* False when the bus stops. */
static bool wait_for_turn(struct resolver *resolver)
{
	const struct timespec until = clock_steady_in(resolver->every_ms);
	pthread_mutex_lock(&resolver->lock);
	while (!resolver->is_stopping) {
		if (pthread_cond_clockwait(
			    &resolver->stop, &resolver->lock, CLOCK_MONOTONIC, &until))
			break;
	}
	bool go_on = !resolver->is_stopping;
	pthread_mutex_unlock(&resolver->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct resolver *resolver = arg;
	do {
		for (size_t i = 0; i < resolver->names_n; i++)
			look_up(resolver, &resolver->names[i]);
	} while (wait_for_turn(resolver));
	return NULL;
}

/* ---- for the client ---- */

struct resolver *resolver_new(struct bus *bus)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	if (!resolver)
		abort();
	resolver->bus = bus;
	resolver->resolve = bus->options.resolve ? bus->options.resolve : resolve_by_system;
	resolver->every_ms = bus->options.resolve_every_ms;
	pthread_mutex_init(&resolver->lock, NULL);
	pthread_cond_init(&resolver->stop, NULL);
	return resolver;
}

enum err resolver_add(struct resolver *resolver, const char *service, const char *url)
{
	struct name *name = &resolver->names[resolver->names_n];
	if (resolver->names_n == NAMES_MAX || strlen(service) > LINK_NAME_MAX ||
		!split(url, name->host, name->port))
		return ERR_INVALID;
	snprintf(name->service, sizeof(name->service), "%s", service);
	resolver->names_n++;
	return OK;
}

enum err resolver_start(struct resolver *resolver)
{
	if (pthread_create(&resolver->thread, NULL, run, resolver))
		return ERR_UNAVAILABLE;
	resolver->is_running = true;
	return OK;
}

static int take_found(
	struct resolver *resolver, struct name *name, char urls[ADDRESSES_MAX][URL_MAX])
{
	pthread_mutex_lock(&resolver->lock);
	int n = name->is_new ? name->found_n : -1;
	name->is_new = false;
	for (int i = 0; i < n; i++)
		snprintf(urls[i], URL_MAX, "tcp://%s:%s", name->found[i], name->port);
	pthread_mutex_unlock(&resolver->lock);
	return n;
}

void resolver_apply(struct resolver *resolver, struct client *client)
{
	char urls[ADDRESSES_MAX][URL_MAX];
	for (size_t i = 0; i < resolver->names_n; i++) {
		struct name *name = &resolver->names[i];
		int n = take_found(resolver, name, urls);
		if (n >= 0)
			client_keep(client, name->service, name, urls, (size_t)n);
	}
}

/* A lookup that hangs keeps its memory: it ends with the process. */
void resolver_stop(struct resolver *resolver)
{
	struct timespec until;
	pthread_mutex_lock(&resolver->lock);
	resolver->is_stopping = true;
	pthread_cond_signal(&resolver->stop);
	pthread_mutex_unlock(&resolver->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	if (resolver->is_running && pthread_timedjoin_np(resolver->thread, NULL, &until)) {
		pthread_detach(resolver->thread);
		return;
	}
	pthread_cond_destroy(&resolver->stop);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}
