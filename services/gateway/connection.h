/*
 * Inside the protocol side: a connection, the exchanges on it, and what HTTP/1 and HTTP/2 do
 * differently. The application sees none of this (exchange.h is all it gets).
 *
 * Order of things, always on the loop's thread: the socket is readable → connection.c reads one
 * record → protocol->input() → app_begin() and the exchange's events; then connection_pump() sends
 * what was written, retires finished exchanges and feeds what waited. Calls of the application only
 * change state and ask for a pump: nothing is sent, freed or called back inside them.
 */
#ifndef MANABIYA_GATEWAY_CONNECTION_H
#define MANABIYA_GATEWAY_CONNECTION_H

#include <netinet/in.h>

#include "services/gateway/app.h"
#include "services/gateway/exchange.h"
#include "services/gateway/head.h"
#include "services/gateway/queue.h"
#include "services/gateway/source.h"
#include "services/gateway/tls.h"

enum {
	READ_SIZE = 16 * 1024, /* the most that one TLS record holds */
	/* Replies waiting on all streams of one connection; above, each may hold only as much as
	 * EXCHANGE_LOW_WATER: enough to go on when other streams are stuck. */
	CONNECTION_HIGH_WATER = 1024 * 1024,
	/* An unread rest of a request body up to this is read and dropped, to keep the connection.
	 */
	DISCARD_MAX = 64 * 1024,
};

struct connection;
struct server;

/* How fast something moves, looked at now and then. */
struct pace {
	int64_t since_ms;
	uint64_t moved;
};

struct exchange {
	struct connection *connection;
	struct exchange *next, **link; /* in connection->exchanges */
	struct arena *arena;
	struct request request;
	struct exchange_events events;
	void *arg;
	int64_t body_limit, body_seen;
	struct queue *out; /* where the reply goes: the connection's, or `reply` */
	struct queue reply; /* HTTP/2: what is not yet in frames */
	struct queue held; /* HTTP/2: body that came before the peer knew of the pause */
	struct pace body_pace, reply_pace;
	int64_t reply_left; /* of the announced length; -1: not announced */
	int32_t stream; /* HTTP/2 */
	bool is_head, is_open; /* the application knows of it */
	bool is_paused, is_body_complete, is_body_told; /* on_end was called or is not wanted */
	bool is_replied, is_bodiless, is_finished, is_aborted;
	bool is_held_back; /* exchange_write() said false, on_drain is due */
	bool is_deferred; /* HTTP/2: nghttp2 waits for data */
	bool is_malformed; /* HTTP/2: found while the head came in */
	bool is_stream_closed; /* HTTP/2: to be retired by the pump */
	bool is_resting; /* exchange_rest() */
	bool is_answered; /* HTTP/2: the reply is out, the request is not yet in */
	unsigned holds; /* exchange_hold() */
	size_t head_n; /* HTTP/2: size of the header list so far */
};

/* What differs between the versions. */
struct protocol {
	void *(*open)(struct connection *c);
	/* Bytes from the client; returns how many were taken, the rest is kept and offered again.
	 */
	size_t (*input)(struct connection *c, const char *data, size_t n);
	bool (*wants_input)(const struct connection *c);
	/* Move replies to c->out while there is room; retire what is done. True: something changed.
	 */
	bool (*pump)(struct connection *c);
	void (*reply)(struct exchange *exchange, unsigned status, const struct header *headers,
		size_t headers_n, int64_t content_length);
	void (*write)(struct exchange *exchange, const void *data, size_t n);
	void (*finish)(struct exchange *exchange);
	void (*abort)(struct exchange *exchange);
	void (*consumed)(struct exchange *exchange, size_t n); /* of the body, or NULL */
	void (*on_wait)(struct connection *c); /* the head or the idle time is over */
	void (*drain)(struct connection *c); /* take no more requests, then end */
	void (*close)(struct connection *c); /* free the session; exchanges are gone already */
};
extern const struct protocol http1_protocol, http2_protocol;

enum connection_state {
	CONNECTION_HANDSHAKE,
	CONNECTION_OPEN,
	CONNECTION_FLUSHING, /* send what is in `out`, then linger */
	CONNECTION_LINGERING, /* said good-bye; read and drop, so that the peer reads our last words
			       */
	CONNECTION_DEAD,
};

enum wait { WAIT_NONE, WAIT_HANDSHAKE, WAIT_HEAD, WAIT_IDLE, WAIT_LINGER };

struct connection {
	struct server *server;
	struct connection *next, **link; /* in server->connections */
	int fd;
	bool is_admin;
	enum connection_state state;
	struct tls *tls;
	const struct protocol *protocol;
	void *session; /* the protocol's */
	struct head_limits head_limits; /* copied when the protocol opens */
	struct exchange *exchanges;
	unsigned exchanges_n;
	unsigned holds; /* of all of them */
	int64_t held_until_ms; /* exchange_hold_for(); 0: not held */
	struct queue in; /* came and could not be taken yet */
	struct queue out; /* to be encrypted */
	size_t replies_n; /* bytes in the replies of all exchanges */
	struct pace out_pace;
	struct timer *timer;
	int64_t timer_due_ms; /* at or before the next deadline */
	enum wait wait;
	int64_t wait_until_ms;
	int64_t check_at_ms; /* the next look at the paces; 0: none */
	size_t linger_left;
	struct loop_task pump_task;
	unsigned interest; /* as the loop knows it */
	bool is_in_event; /* a pump follows anyway */
	bool is_touched; /* … and has something new to look at */
	bool is_input_over; /* the client closed its side */
	bool needs_write; /* the last write hit a full socket */
	struct source source_key;
	char source[INET6_ADDRSTRLEN];
};

/* The clock of this round, so that nobody asks the kernel twice. */
int64_t connection_now(const struct connection *c);
const struct gateway_conf *connection_conf(const struct connection *c);

static inline struct head_limits connection_head_limits(const struct connection *c)
{
	const struct gateway_conf *conf = connection_conf(c);
	return (struct head_limits){ (size_t)conf->head_max_bytes, (size_t)conf->head_fields_max };
}

/* Not to be read from, nor what was read taken. */
static inline bool connection_is_held(const struct connection *c)
{
	return c->holds || c->held_until_ms;
}

/* Takes the descriptor of an accepted connection from `text`, an address. */
void connection_new(
	struct server *server, int fd, const char *text, struct source source, bool is_admin);
/* Soon, when no callback is running. */
void connection_touch(struct connection *c);
/* No more input: send what is there, say good-bye, close. */
void connection_end(struct connection *c);
/* At once. Frees nothing yet: the pump does. */
void connection_kill(struct connection *c);
void connection_drain(struct connection *c);
/* Wait for something, at most so long as the configuration says. */
void connection_wait(struct connection *c, enum wait wait);

/* ---- exchange.c, for the protocols ---- */

struct exchange *exchange_new(struct connection *c, unsigned version);
/* The head is complete and sound: ask the application. */
void exchange_begin(struct exchange *exchange);
/* A piece of the body of at most READ_SIZE; held when the exchange is paused. */
void exchange_deliver(struct exchange *exchange, const char *data, size_t n);
void exchange_body_end(struct exchange *exchange);
/* Tell the application of the body's end, if it came and nothing stands before it; true: told. */
bool exchange_tell_end(struct exchange *exchange);
/* Tell the application what it could not be told before: body held back, the body's end, room in
 * the reply. True: told something. */
bool exchange_catch_up(struct exchange *exchange);
/* Answer in the application's place and tell it, or abort when it has begun to answer. */
void exchange_refuse(struct exchange *exchange, unsigned status);
/* on_gone, unless the application knows already. */
void exchange_tell_gone(struct exchange *exchange);
/* … and the memory. */
void exchange_gone(struct exchange *exchange);

#endif
