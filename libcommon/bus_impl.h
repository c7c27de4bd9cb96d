/* What bus.c, bus_client.c and bus_server.c share; nobody else includes it. */
#ifndef MANABIYA_BUS_IMPL_H
#define MANABIYA_BUS_IMPL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "libcommon/bus.h"
#include "libcommon/link.h"

/* One frame waiting to be sent. */
struct outgoing {
	struct outgoing *next;
	uint64_t id; /* client: the request's; server: unused */
	size_t n;
	unsigned char data[];
};

struct outgoing_queue {
	struct outgoing *head, *tail;
	size_t bytes;
};

/* Batches stay small enough to seal in a fraction of a millisecond and to leave a socket
 * responsive. */
#define BATCH_BYTES (256 * 1024)

struct outgoing *outgoing_new(const struct frame *frame);
void outgoing_push(struct outgoing_queue *queue, struct outgoing *item);
struct outgoing *outgoing_pop(struct outgoing_queue *queue);

struct client;
struct server;

struct bus {
	char *name;
	char *key_directory;
	int64_t window;
	int64_t queue_max;
	struct client *client;
	struct server *server; /* NULL when it only calls */
	pthread_t timer;
	pthread_mutex_t wake_lock; /* never held while calling nng */
	pthread_cond_t wake;
	bool woken, stopping;
	struct {
		atomic_uint_fast64_t requests_sent, replies_received, requests_received, expired,
			refused_full, messages_sent, bytes_sent;
	} count;
};

/* Ask the timer thread to look at once. Safe inside nng's pipe callbacks. */
void bus_wake(struct bus *bus);

/* A socket's common options: message limit, reconnect times. */
must_check enum err bus_socket_options(nng_socket socket);

must_check struct client *client_open(struct bus *bus, const char *peers);
void client_close(struct client *client);
void client_tick(struct client *client, int64_t now_ms); /* timer thread */

must_check struct server *server_open(struct bus *bus, const char *url);
void server_drain(struct server *server);
void server_close(struct server *server);
void server_tick(struct server *server, int64_t now_ms); /* timer thread */

#endif
