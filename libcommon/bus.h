/*
 * The bus between processes, the only code that includes nng.
 *
 * A process listens on one URL and dials every instance of the services it calls. Requests to one
 * instance are batched into messages while its socket is busy; each request has an id and a
 * deadline of its own. Every link is authenticated and encrypted (link.h): the peer's name is the
 * name of the key that opened the message. Names of services are those of architecture.md ("auth",
 * "learning", …).
 */
#ifndef MANABIYA_BUS_H
#define MANABIYA_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/err.h"
#include "libcommon/frame.h"
#include "libcommon/shape.h"

struct bus;
struct bus_job;

/* An address as text, "127.0.0.1" or "[::1]". */
#define BUS_ADDRESS_MAX 64

/* Fill `out` with the addresses of a host; returns how many, or -1 when that cannot be told now.
 * May block. */
typedef int bus_resolve(const char *host, char (*out)[BUS_ADDRESS_MAX], int max);

/* What is 0 or NULL from `window` on gets the default of bus_conf.h. */
struct bus_options {
	const char *name; /* mine */
	const char *listen; /* nng URL, or NULL for a process that only calls */
	const char *peers; /* "auth=ipc:///run/…,learning=tcp://…": whom I may call and where; a
			      service may stand there several times, and a host name stands for all
			      its addresses */
	const char *key_directory; /* one file per pair, link.h */
	int64_t window; /* requests outstanding per instance */
	int64_t queue_max; /* requests accepted and not yet taken by a worker */
	int64_t tenant_share; /* how much of each window one tenant may have, in percent */
	int64_t bytes_max; /* of requests outstanding per instance */
	int64_t queue_bytes_max; /* of requests accepted and not yet answered */
	int64_t session_bytes_max; /* of replies and events that a caller has not read yet */
	const char *peer_uids; /* who may be at the other end of an ipc:// link, "1001,1002"; empty:
				  my own user */
	bus_resolve *resolve; /* NULL: getaddrinfo() */
	int64_t resolve_every_ms; /* host names are looked up again */
};

/* NULL with a logged reason. */
must_check struct bus *bus_open(const struct bus_options *options);
/* Tell the callers to go elsewhere and accept nothing new; bus_take() returns NULL to every worker
 * once what was accepted is done. */
void bus_drain(struct bus *bus);
/* Returns when what was answered is sent, or after a second. */
void bus_close(struct bus *bus);

/* ---- calling ---- */

struct bus_request {
	const char *service;
	const char *operation; /* as in proto/: "capability_mint" */
	const char *capability;
	const char *source; /* the client's address as text */
	const char *tenant; /* whose share of the window it takes; NULL or empty: nobody's */
	const char *idempotency_key;
	const char *traceparent;
	struct bytes params;
	const char *content_type;
	struct bytes body;
	int64_t timeout_ms;
	int64_t window_offset, window_length;
	unsigned flags; /* enum frame_flag */
	bool may_retry; /* bus_call() only: idempotent, so try once more if certainly not executed
			 */
	struct bus_job *within; /* bus_call() only: what is being worked on and needs this; when its
				   caller cancels it, this is cancelled too. NULL: nothing */
};

struct bus_reply {
	enum err err; /* OK, or what went wrong there or on the way */
	unsigned status; /* HTTP; 503 or 504 when no reply came */
	struct bytes headers; /* `Name: value\r\n` lines */
	struct bytes content_type; /* empty: no body */
	struct bytes body;
	int64_t total_bytes; /* of a streamed response, or BYTES_UNKNOWN (frame.h) */
	int64_t next_offset; /* with BYTES_UNKNOWN: of the next window; 0: this was the last */
	enum label label; /* the gravest of what was asked for and told; LABEL_NONE: not known */
	bool executed; /* false: certainly not executed, trying again is safe */
	bool cancelled; /* because what it was made within was */
};

/* One request under way; all zero for one that no instance took. */
struct bus_ticket {
	void *instance;
	uint64_t id;
};

/*
 * Send and return at once. `on_reply` is called exactly once, on a thread of the bus or, when no
 * instance can take the request, before this returns; the reply's bytes are valid only during the
 * call. It must not block. The request's bytes are copied.
 */
typedef void bus_on_reply(void *arg, const struct bus_reply *reply);
struct bus_ticket bus_send(
	struct bus *bus, const struct bus_request *request, bus_on_reply *on_reply, void *arg);

/* Why no instance can take a request now. */
enum bus_refusal {
	BUS_TAKEN, /* one has */
	BUS_AWAY, /* none is there */
	BUS_FULL, /* each has its window full */
	BUS_TENANT_FULL, /* the tenant has its share of each window */
};

/* The same, but a request that no instance can take is told of by what is returned and by nothing
 * else, so that it can be tried again soon; *ticket is set when it was taken. */
must_check enum bus_refusal bus_try_send(struct bus *bus, const struct bus_request *request,
	bus_on_reply *on_reply, void *arg, struct bus_ticket *ticket);

/* It was not tried again: count it. */
void bus_count_refusal(struct bus *bus, enum bus_refusal refusal);

/* Nobody waits for the answer any more: true, and on_reply will not be called, nor the request run
 * if it still waits at the other end; or false, and on_reply was called or is being called. */
bool bus_cancel(struct bus_ticket ticket);

/* Between these, on this thread, requests are gathered and go out together at the end. They may
 * nest. */
void bus_gather_begin(void);
void bus_gather_end(void);

/* Send and wait; the reply's bytes live in the arena. Returns reply->err. */
must_check enum err bus_call(struct bus *bus, struct arena *arena,
	const struct bus_request *request, struct bus_reply *reply);

/* Send to every instance of a service that is connected (metrics, readiness); on_reply once per
 * instance; returns how many. */
unsigned bus_send_each(
	struct bus *bus, const struct bus_request *request, bus_on_reply *on_reply, void *arg);

/* Is at least one instance of the service ready for a request? */
bool bus_is_up(struct bus *bus, const char *service);

/* How often a link to an instance of the service has come up so far. When it is more than before,
 * events that an instance had for us may have been said to nobody. */
uint64_t bus_links_made(struct bus *bus, const char *service);

/* Ask for a service's events; asked again by itself after every reconnect. */
typedef void bus_on_event(void *arg, const char *topic, struct bytes body);
void bus_subscribe(struct bus *bus, const char *service, bus_on_event *on_event, void *arg);

/* ---- serving ---- */

/* One request that arrived. */
struct bus_job {
	struct frame frame; /* its texts live as long as the job */
	const char *caller; /* the peer's name */
	int64_t deadline_ms; /* clock_steady_ms() */
};

/* The next request, or NULL when the bus drains. Expired and cancelled ones are dropped before they
 * get here; one that is cancelled later ends the bus_call()s made within it. Any thread. */
must_check struct bus_job *bus_take(struct bus *bus);

/* Answer and free the job. `reply` is a frame of kind FRAME_REPLY; its id is filled in here. */
void bus_answer(struct bus *bus, struct bus_job *job, struct frame *reply);

/* Push an event to every subscriber. A hint: nothing is kept for those who are away. */
void bus_push(struct bus *bus, const char *topic, struct bytes body);

/* Figures for metrics: counters since the start, then what is held now. */
struct bus_figures {
	uint64_t requests_sent, replies_received, requests_received, expired, cancelled,
		refused_full, refused_tenant, breaker_opened, messages_sent, bytes_sent;
	uint64_t instances_up, outstanding, outstanding_bytes, queue_length, queue_bytes,
		unread_bytes;
};
void bus_figures(const struct bus *bus, struct bus_figures *out);

#endif
