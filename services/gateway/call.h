/* A visit as a bus request, and a bus reply as an answer: shared by forward.c, upload.c, download.c
 * and fanout.c. */
#ifndef MANABIYA_GATEWAY_CALL_H
#define MANABIYA_GATEWAY_CALL_H

#include "services/gateway/gateway.h"

/* Everything but the body and the window, pointing into the visit's arena. */
struct bus_request call_request(const struct visit *v);

/* May the gateway itself send it again when it was certainly not executed? */
bool call_may_retry(const struct visit *v);

/* The reply's header lines into `headers`, names in lower case, in the arena; hop-by-hop headers
 * and broken lines are left out. */
void call_headers(
	struct arena *arena, const struct bus_reply *reply, struct reply_headers *headers);

/* One of them, or NULL. */
const char *reply_header_value(const struct reply_headers *headers, const char *name);

/* Did a service answer at all (with whatever status), so that its answer can be passed on? */
bool call_was_answered(const struct bus_reply *reply);

/* What a service answered may be of a graver class than the route: an object that was raised. */
void call_label(struct visit *v, const struct bus_reply *reply);

/* Pass the reply on as the whole answer: status, headers, body; 304 where If-None-Match names its
 * ETag; 503 or 504 when no service answered. */
void call_answer(struct visit *v, const struct bus_reply *reply);

#endif
