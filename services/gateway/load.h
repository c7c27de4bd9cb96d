/*
 * Is there more to do than this gateway gets done? Whoever has a session goes on working; those who
 * would come on top are told to come later, in this order: logins, other requests without a
 * session, at last what sessions only read. What they write is never shed.
 *
 * Two signs: requests that wait for services, and the delay of the loop itself.
 */
#ifndef MANABIYA_GATEWAY_LOAD_H
#define MANABIYA_GATEWAY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "services/gateway/app.h"
#include "services/gateway/route.h"

/* ---- the measure, without a clock ---- */

enum { LOAD_WINDOW_N = 10 }; /* looks that a delay must outlast: one late round is no overload */

struct load {
	int64_t lags_ms[LOAD_WINDOW_N]; /* a ring */
	unsigned at;
};

void load_note(struct load *load, int64_t lag_ms);
/* The delay that all of the last looks had at least. */
int64_t load_lag_ms(const struct load *load);

/*
 * Refusals are paced, because each costs as much as a fifth of an answer and who is refused asks
 * again: of those that come faster one after the other, each has its connection left unread for a
 * while. So a flood is slowed down by its own sockets, and a few refusals hold nobody up.
 */
struct refusals {
	int64_t next_us; /* when the next one would not be too soon */
};

/* One is refused now: for how many milliseconds its connection is not read. */
int64_t refusals_note(struct refusals *refusals, int64_t now_us);

/* The least loaded state in which a request is refused, in percent of the thresholds; -1: never. */
int load_limit_of(unsigned route_flags);

/* ---- the process ---- */

void load_start(const struct gateway_conf *conf, struct loop *loop);
void load_stop(void);

/* A request begins, or has stopped, to wait for a service. */
void load_wait_begins(void);
void load_wait_ends(void);

/* Is a request of this route to come later? Counts it when so. */
must_check bool load_sheds(unsigned route_flags);

/* refusals_note() for this process. */
int64_t load_refusal(void);

void load_figures(struct buf *out);

#endif
