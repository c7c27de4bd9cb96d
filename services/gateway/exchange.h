/*
 * One HTTP request and its answer, whatever version carried it: the seam between the protocol side
 * (tls.c, connection.c, http1.c, http2.c) and the application side (route.c, forward.c, stream.c,
 * fanout.c, static_file.c, sse.c, admin.c).
 *
 * The protocol side checks everything that security.md lists about syntax before it makes an
 * exchange: the application never sees a request that is malformed, too long or ambiguous. One
 * thread, the loop's.
 */
#ifndef MANABIYA_GATEWAY_EXCHANGE_H
#define MANABIYA_GATEWAY_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/arena.h"
#include "services/gateway/loop.h"

struct exchange;

struct header {
	const char *name; /* lower case */
	const char *value;
};

/* A browser behind two proxies sends some thirty; every request has room for so many. */
enum { HEADERS_MAX = 100 };

/* What was asked; lives as long as the exchange. */
struct request {
	const char *method; /* "GET" */
	const char *path; /* starts with '/', still percent-encoded, without query */
	const char *query; /* without '?', "" for none */
	const char *authority; /* Host or :authority */
	const char *source; /* the peer's address as text, without port */
	struct header headers[HEADERS_MAX];
	size_t headers_n;
	int64_t content_length; /* -1: unknown (chunked, or HTTP/2 without it); 0: no body */
	bool is_admin; /* came in on the admin listener */
	unsigned version; /* 10, 11 or 20 */
};

/* The value of a request header, or NULL. `name` in lower case. */
const char *request_header(const struct request *request, const char *name);

/* What the application wants to hear. Any may be NULL. */
struct exchange_events {
	void (*on_body)(void *arg, const void *data,
		size_t n); /* a piece of the request body; copy what you keep */
	void (*on_end)(void *arg); /* the body is complete */
	void (*on_drain)(void *arg); /* the reply buffer fell below EXCHANGE_LOW_WATER after it was
					above EXCHANGE_HIGH_WATER */
	void (*on_refused)(void *arg, unsigned status); /* answered by the protocol side: body too
							   long, too slow or malformed; whatever
							   is still done does not reach the
							   client, and only on_gone follows */
	void (*on_gone)(void *arg); /* the exchange is over, answered or not; it and its arena are
				       freed when this returns. Always called exactly once. */
};

/* Back-pressure: memory of an exchange is bounded by these two and the body piece of at most 16
 * KiB. */
#define EXCHANGE_HIGH_WATER (256 * 1024)
#define EXCHANGE_LOW_WATER (64 * 1024)

/* ---- the application's side calls ---- */

const struct request *exchange_request(const struct exchange *exchange);
struct arena *exchange_arena(const struct exchange *exchange);

/* Set once, in app_begin(), before it returns. */
void exchange_listen(struct exchange *exchange, const struct exchange_events *events, void *arg);

/* The most that the body may hold; set in app_begin(). Default 0: a request with a body is answered
 * 413 and the application hears only on_refused and on_gone. */
void exchange_body_limit(struct exchange *exchange, int64_t max_bytes);

/* Stop and go on reading the body: nothing more arrives in on_body after a pause, and the client is
 * held back by TCP or HTTP/2 flow control. */
void exchange_pause(struct exchange *exchange);
void exchange_resume(struct exchange *exchange);

/* Read nothing more from the client at all, and go on reading when every hold was released: it asks
 * for more than can be done. What it sent stays in its own buffers. */
void exchange_hold(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

/* The same for so long, whatever becomes of the exchange. */
void exchange_hold_for(struct exchange *exchange, int64_t ms);

/* Begin the answer. Headers are copied; `content_length` -1 means unknown (chunked in HTTP/1.1).
 * Date, Server-less, security headers are added by the protocol side (headers.c). HEAD is taken
 * care of. Like all that follow, it does nothing once the exchange was refused. */
void exchange_reply(struct exchange *exchange, unsigned status, const struct header *headers,
	size_t headers_n, int64_t content_length);

/* More of the body; copied. Returns false when the buffer is above EXCHANGE_HIGH_WATER: wait for
 * on_drain. */
bool exchange_write(struct exchange *exchange, const void *data, size_t n);

/* From here on the answer goes on only now and then, as an event stream does: memory that it does
 * not need between two writes is given back. */
void exchange_rest(struct exchange *exchange);

/* The answer is complete. If the request body is not, the rest is discarded up to a limit, or the
 * connection closes. */
void exchange_finish(struct exchange *exchange);

/* Give up: HTTP/1 connection closed, HTTP/2 stream reset. on_gone follows. */
void exchange_abort(struct exchange *exchange);

/* ---- the protocol's side calls (app.c) ---- */

/* A request head arrived. The application sets its events and its body limit here, and may answer
 * at once. */
void app_begin(struct exchange *exchange);

#endif
