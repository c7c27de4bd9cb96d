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

/* Between these, on this thread, what nng has to do next is kept until the end, and then done
 * (bus_tasks.c). Neither may be called with a lock of the bus held. */
void bus_tasks_begin(void);
void bus_tasks_end(void);

/* A socket's common options: message limit, reconnect times. */
must_check enum err bus_socket_options(nng_socket socket);

/* ---- the calling side: bus_client.c keeps links, bus_call.c puts requests on them ---- */

#define ID_SLOT_BITS 16 /* a request id = counter << 16 | slot */
#define INSTANCES_MAX 64 /* addresses in --peers; ten of each service and room */
#define SUBSCRIPTIONS_MAX 8 /* a process asks for a service's events once or twice */
#define SUSPECT_AFTER_MS 2000 /* silent for four pings: send nothing more until it is heard */

struct slot {
	uint64_t id; /* 0: free */
	bus_on_reply *on_reply;
	void *arg;
	int64_t deadline_ms;
	bool sent; /* may have been executed */
};

enum state { STATE_DOWN, STATE_GREETING, STATE_UP };

struct instance {
	struct bus *bus;
	char *service;
	char *url;
	nng_socket socket;
	nng_aio *send_aio, *receive_aio;
	atomic_uint pipe; /* id of the connected pipe, 0 for none; set by nng's callbacks */
	pthread_mutex_t lock; /* of all below */
	enum state state;
	unsigned pipe_seen;
	struct link link;
	struct outgoing_queue queue;
	bool sending, receiving, hello_due;
	uint32_t message_id;
	uint64_t counter;
	struct slot *slots;
	int64_t outstanding;
	int64_t heard_ms, pinged_ms, greeted_ms;
};

struct subscription {
	char *service;
	bus_on_event *on_event;
	void *arg;
};

struct client {
	struct bus *bus;
	struct instance *instances[INSTANCES_MAX];
	size_t instances_n;
	pthread_mutex_t subscriptions_lock;
	struct subscription subscriptions[SUBSCRIPTIONS_MAX];
	size_t subscriptions_n;
	atomic_uint turn; /* where the next choice of an instance begins */
};

/* With the instance's lock held: send what waits, if the socket is free; ask for events if anybody
 * here wants them. */
void client_flush(struct instance *instance);
void client_subscribe(struct instance *instance);

/* A reply that the bus makes itself. */
void client_reply_failed(bus_on_reply *on_reply, void *arg, unsigned status, bool executed);

must_check struct client *client_open(struct bus *bus, const char *peers);
void client_close(struct client *client);
void client_tick(struct client *client, int64_t now_ms); /* timer thread */

must_check struct server *server_open(struct bus *bus, const char *url);
void server_drain(struct server *server);
void server_close(struct server *server);
void server_tick(struct server *server, int64_t now_ms); /* timer thread */

#endif
