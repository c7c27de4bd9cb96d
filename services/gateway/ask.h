/* A bus call whose answer comes back on the loop's thread, and which can be forgotten. */
#ifndef MANABIYA_GATEWAY_ASK_H
#define MANABIYA_GATEWAY_ASK_H

#include <stdbool.h>

#include "libcommon/bus.h"

struct ask;

/* Called at most once, on the loop's thread; the reply's bytes are valid during the call only. */
typedef void ask_on_answer(void *arg, const struct bus_reply *reply);

/*
 * The request and what it points to must live until the answer, or until ask_cancel(), when
 * `may_retry`; otherwise it is copied. `may_retry`: send once more when the first try was certainly
 * not executed; only for what is idempotent. Both tries together have the request's timeout, so
 * that parts of a fan-out that are asked at the same time have one deadline.
 */
struct ask *ask_send(
	const struct bus_request *request, bool may_retry, ask_on_answer *fn, void *arg);

/* To every connected instance of the service; `fn` once per instance. Returns how many. Cannot be
 * cancelled: `arg` must live until all have answered. */
unsigned ask_each(const struct bus_request *request, ask_on_answer *fn, void *arg);

/* Hear nothing more. NULL is allowed; an ask that was answered must not be cancelled. */
void ask_cancel(struct ask *ask);

#endif
