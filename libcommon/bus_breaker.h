/*
 * The breaker of one instance: whether it gets requests. Pure code, no clock, no locks.
 *
 * Open, it admits nothing. It opens when the instance is silent, when requests time out one after
 * the other, and when the oldest request is old, nothing else was answered meanwhile, and a probe
 * was not answered either. Probes are frames that a worker of the instance answers, so they tell
 * whether work is done there, not only whether the line is open; no request of a user is risked for
 * one. An answered probe closes the breaker.
 */
#ifndef MANABIYA_BUS_BREAKER_H
#define MANABIYA_BUS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SILENT_MS 2000 /* four pings without an answer */
#define BREAKER_TIMEOUTS 5 /* in a row: one or two are slow operations */
#define BREAKER_STALLED_MS 2000 /* nothing answered for so long: ask with a probe… */
#define BREAKER_PROBE_MS 2000 /* …which any worker that is not stuck answers in this time */
#define BREAKER_RETRY_MIN_MS 250 /* from opening to the first probe; doubles each time… */
#define BREAKER_RETRY_MAX_MS 4000 /* …up to this: nobody waits longer for what is well again */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
	enum breaker_state state;
	unsigned timeouts; /* since the last answer */
	bool is_probing;
	int64_t answered_ms, probed_ms, opened_ms, retry_ms;
};

/* A new connection: closed. */
void breaker_reset(struct breaker *breaker, int64_t now_ms);

bool breaker_admits(const struct breaker *breaker);

void breaker_on_answer(struct breaker *breaker, int64_t now_ms);
void breaker_on_timeout(struct breaker *breaker, int64_t now_ms);
void breaker_on_probe_answered(struct breaker *breaker, int64_t now_ms);

/* Look at the time. `heard_ms`: when the instance was last heard; `oldest_ms`: when the oldest
 * outstanding request was sent, 0 for none. True: send a probe now. */
bool breaker_tick(struct breaker *breaker, int64_t now_ms, int64_t heard_ms, int64_t oldest_ms);

#endif
