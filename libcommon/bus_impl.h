/* What the files of the bus share; nobody else includes it. */
#ifndef MANABIYA_BUS_IMPL_H
#define MANABIYA_BUS_IMPL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "libcommon/bus.h"
#include "libcommon/bus_breaker.h"
#include "libcommon/bus_outbox.h"
#include "libcommon/link.h"

struct client;
struct name;
struct resolver;
struct server;

#define PEER_UIDS_MAX 16 /* one for each service and the gateway */

/* Who may be at the other end of an ipc:// link. */
struct peer_uids {
	uint64_t uids[PEER_UIDS_MAX];
	size_t n;
};

struct bus {
	char *name;
	char *key_directory;
	struct bus_options options; /* its texts are gone */
	struct peer_uids peer_uids;
	struct client *client;
	struct server *server; /* NULL when it only calls */
	pthread_t timer;
	pthread_mutex_t wake_lock; /* never held while calling nng */
	pthread_cond_t wake;
	bool woken, stopping;
	struct {
		atomic_uint_fast64_t requests_sent, replies_received, requests_received, expired,
			cancelled, refused_full, refused_tenant, breaker_opened, messages_sent,
			bytes_sent;
	} count;
};

/* Ask the timer thread to look at once. Safe inside nng's pipe callbacks. */
void bus_wake(struct bus *bus);

/* ---- bus_tasks.c ---- */

/* Between these, on this thread, what nng has to do next is kept until the end, and then done.
 * Neither may be called with a lock of the bus held. */
void bus_tasks_begin(void);
void bus_tasks_end(void);

/* Run fn(arg) at the end of the outermost bus_tasks_begin() of this thread; once, however often it
 * is asked. `*kept` rises by one when that was kept anew: what `arg` points to has to live until fn
 * has run so often. False, and nothing is kept: it is the outermost, so do it now. */
bool bus_tasks_later(void (*fn)(void *), void *arg, unsigned *kept);

/* ---- bus_socket.c ---- */

/* The message that was received, out of the aio. */
must_check nng_msg *message_take(nng_aio *aio);

/*
 * Close a socket and free its aios, which become NULL; nothing is called back after this, and
 * messages that were not sent are freed. No lock of the bus may be held.
 *
 * The aios are stopped before the socket is closed: libnng 1.5.2 lets a closing socket begin one
 * more operation, on a queue that is then freed under it.
 */
void bus_socket_close(nng_socket *socket, nng_aio **send_aio, nng_aio **receive_aio);

/* A socket's common options: message limit, reconnect times. */
must_check enum err bus_socket_options(nng_socket socket);

/* "1001,1002", or empty for the user that this process runs as. */
must_check enum err peer_uids_read(const char *text, struct peer_uids *out);

/* May the process at the other end of this ipc:// pipe be there? (On tcp:// the key alone decides.)
 * Safe inside nng's pipe callbacks. */
bool peer_uid_is_allowed(const struct peer_uids *uids, nng_pipe pipe);

/* ---- the calling side: bus_client.c keeps links, bus_call.c puts requests on them ---- */

#define ID_SLOT_BITS 16 /* a request id = counter << 16 | slot */
#define INSTANCES_MAX 64 /* ten of each service and room */
#define URL_MAX 128 /* a Unix socket path has 107 characters at most */
#define SUBSCRIPTIONS_MAX 8 /* a process asks for a service's events once or twice */

/* One request under way. */
struct slot {
	uint64_t id; /* 0: free */
	bus_on_reply *on_reply; /* NULL: cancelled */
	void *arg;
	int64_t sent_ms, deadline_ms;
	uint64_t batch; /* that it left in (bus_outbox.h) */
	uint64_t tenant; /* hash of its name; 0: nobody's */
	size_t bytes;
};

enum state { STATE_DOWN, STATE_GREETING, STATE_UP };

/* One address of a service. Never freed before the bus is closed, so that anybody may look at one;
 * an instance that is not in use has no socket and is taken for the next new address. */
struct instance {
	struct bus *bus;
	char *service;
	atomic_uint pipe; /* id of the connected pipe, 0 for none; set by nng's callbacks */
	pthread_mutex_t lock; /* of all below */
	bool in_use;
	bool is_unlisted; /* its address is gone from the name: finish and hang up */
	bool is_draining; /* it said so */
	const struct name *origin; /* the host name that it comes from */
	char url[URL_MAX];
	nng_socket socket;
	nng_aio *send_aio, *receive_aio;
	enum state state;
	unsigned pipe_seen;
	struct link *link, *next_link; /* the one in use; the one that is being proven; or NULL */
	bool is_opening; /* a message, without the lock: then whoever does frees a lost link */
	bool is_greeting; /* nothing is sent between hello and welcome */
	bool sending, receiving, hello_due;
	unsigned flushes_kept; /* by threads that will call client_flush() */
	pthread_cond_t flushed; /* none of them any more */
	struct outbox outbox;
	uint64_t received, told; /* messages; and how many of them the other end knows of */
	uint64_t links_made; /* only rises, at whatever address it was */
	uint32_t message_id;
	uint64_t counter;
	struct slot *slots;
	uint16_t *free_slots; /* a stack */
	int64_t outstanding;
	size_t outstanding_bytes;
	struct breaker breaker;
	int64_t heard_ms, pinged_ms, greeted_ms, keys_read_ms;
};

struct subscription {
	char *service;
	bus_on_event *on_event;
	void *arg;
};

struct client {
	struct bus *bus;
	struct instance *instances[INSTANCES_MAX];
	atomic_size_t instances_n; /* only rises */
	pthread_mutex_t subscriptions_lock;
	struct subscription subscriptions[SUBSCRIPTIONS_MAX];
	size_t subscriptions_n;
	atomic_uint turn; /* where the next choice of an instance begins */
	struct resolver *resolver; /* NULL without host names */
};

must_check struct client *client_open(struct bus *bus, const char *peers);
void client_close(struct client *client);
void client_tick(struct client *client, int64_t now_ms); /* timer thread */
void client_figures(struct client *client, struct bus_figures *out);

/* Dial an instance at this address; `origin` is the host name that it comes from, NULL for none.
 * Timer thread, or before it runs. */
must_check enum err client_add(
	struct client *client, const char *service, const struct name *origin, const char *url);

/* A host name stands for these addresses now: have an instance at each, and let those go that it
 * stood for before. Timer thread. */
void client_keep(struct client *client, const char *service, const struct name *origin,
	char (*urls)[URL_MAX], size_t urls_n);

/* With the instance's lock held: send what waits, if the socket is free; ask for events if anybody
 * here wants them. */
void client_flush(struct instance *instance);
void client_subscribe(struct instance *instance);

/* Flush now, or at the end of a gathering (bus_tasks_later). With the lock held. */
void client_flush_soon(struct instance *instance);

/* Begin a new link on the connected pipe, also while an older one is in use; give up the beginning
 * one; forget the keys of the one that was in use. With the lock held. */
void client_greet(struct instance *instance, int64_t now_ms);
void client_end_greeting(struct instance *instance);
void client_forget(struct instance *instance);

/* Callbacks of the instance's aios. */
void client_on_sent(void *instance);
void client_on_received(void *instance);

/* ---- slots of an instance, bus_slot.c; with its lock held ---- */

/* A free slot; the caller has made sure that there is one. */
struct slot *slot_take(struct instance *instance);
struct slot *slot_find(struct instance *instance, uint64_t id);
void slot_free(struct instance *instance, struct slot *slot);
bool slot_was_sent(const struct instance *instance, const struct slot *slot);
int64_t slot_oldest_ms(const struct instance *instance); /* 0: none outstanding */
bool slot_tenant_has_room(const struct instance *instance, uint64_t tenant);

/* Without the lock: end every request, or those whose deadline has come. */
void slots_fail(struct instance *instance, int64_t now_ms, bool all, unsigned status);

/* A reply that the bus makes itself. */
void reply_failed(bus_on_reply *on_reply, void *arg, unsigned status, bool executed);

/* ---- host names, bus_resolve.c ---- */

/* Does this URL need looking up? */
bool resolver_is_for(const char *url);
struct resolver *resolver_new(struct bus *bus);
must_check enum err resolver_add(struct resolver *resolver, const char *service, const char *url);
must_check enum err resolver_start(struct resolver *resolver);
/* Give every change of addresses to the client. Timer thread. */
void resolver_apply(struct resolver *resolver, struct client *client);
void resolver_stop(struct resolver *resolver);

/* ---- the serving side: bus_server.c ---- */

must_check struct server *server_open(struct bus *bus, const char *url);
void server_drain(struct server *server);
void server_close(struct server *server);
void server_tick(struct server *server, int64_t now_ms); /* timer thread */
void server_figures(struct server *server, struct bus_figures *out);

#endif
