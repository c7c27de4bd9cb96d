/* A bus call whose answer comes back on the loop's thread, and which can be forgotten. */
#ifndef MANABIYA_GATEWAY_ASK_H
#define MANABIYA_GATEWAY_ASK_H

#include <stdbool.h>

#include "libcommon/bus.h"
#include "services/gateway/exchange.h"

struct ask;

/* Called at most once, on the loop's thread; the reply's bytes are valid during the call only. */
typedef void ask_on_answer(void *arg, const struct bus_reply *reply);

struct ask_terms {
	/* Send once more when the first try was certainly not executed; only for what is
	 * idempotent. Both tries together have the request's timeout, so that parts of a fan-out
	 * that are asked at the same time have one deadline. */
	bool may_retry;
	/* Wait for a place when the service's window is full (room.h), for at most --wait-ms, and
	 * read nothing more from this one's connection meanwhile: who asks for more than can be
	 * done is slowed down by its own socket instead of by refusals. NULL: refused at once. */
	struct exchange *exchange;
	/* No request waits for it: not counted as one of those that make the gateway busy. */
	bool in_background;
};

/* With one of these terms the request and what it points to must live until the answer, or until
 * ask_cancel(); with none it is copied. */
struct ask *ask_send(
	const struct bus_request *request, struct ask_terms terms, ask_on_answer *fn, void *arg);

/* To every connected instance of the service; `fn` once per instance. Returns how many. Cannot be
 * cancelled: `arg` must live until all have answered. */
unsigned ask_each(const struct bus_request *request, ask_on_answer *fn, void *arg);

/* Hear nothing more. NULL is allowed; an ask that was answered must not be cancelled. */
void ask_cancel(struct ask *ask);

/* When nothing waits any more. */
void ask_stop(void);

void ask_figures(struct buf *out);

#endif
