/* When an instance gets no requests; see bus_breaker.h. */
#include "libcommon/bus_breaker.h"

void breaker_reset(struct breaker *breaker, int64_t now_ms)
{
	*breaker = (struct breaker){ .answered_ms = now_ms, .retry_ms = BREAKER_RETRY_MIN_MS };
}

bool breaker_admits(const struct breaker *breaker)
{
	return breaker->state == BREAKER_CLOSED;
}

static void open_now(struct breaker *breaker, int64_t now_ms)
{
	bool again = breaker->state == BREAKER_HALF_OPEN;
	if (again && breaker->retry_ms < BREAKER_RETRY_MAX_MS)
		breaker->retry_ms *= 2;
	breaker->state = BREAKER_OPEN;
	breaker->opened_ms = now_ms;
	breaker->is_probing = false;
}

void breaker_on_answer(struct breaker *breaker, int64_t now_ms)
{
	breaker->timeouts = 0;
	breaker->answered_ms = now_ms;
}

void breaker_on_timeout(struct breaker *breaker, int64_t now_ms)
{
	if (++breaker->timeouts >= BREAKER_TIMEOUTS && breaker->state == BREAKER_CLOSED)
		open_now(breaker, now_ms);
}

void breaker_on_probe_answered(struct breaker *breaker, int64_t now_ms)
{
	if (breaker->is_probing)
		breaker_reset(breaker, now_ms);
}

static bool probe(struct breaker *breaker, int64_t now_ms)
{
	breaker->is_probing = true;
	breaker->probed_ms = now_ms;
	return true;
}

static bool is_unanswered(const struct breaker *breaker, int64_t now_ms)
{
	return breaker->is_probing && now_ms - breaker->probed_ms >= BREAKER_PROBE_MS;
}

static bool is_stalled(const struct breaker *breaker, int64_t now_ms, int64_t oldest_ms)
{
	int64_t since_ms = oldest_ms > breaker->answered_ms ? oldest_ms : breaker->answered_ms;
	return oldest_ms && now_ms - since_ms >= BREAKER_STALLED_MS;
}

static bool tick_closed(
	struct breaker *breaker, int64_t now_ms, int64_t heard_ms, int64_t oldest_ms)
{
	bool is_silent = now_ms - heard_ms >= BREAKER_SILENT_MS;
	if (is_silent || is_unanswered(breaker, now_ms))
		open_now(breaker, now_ms);
	else if (!breaker->is_probing && is_stalled(breaker, now_ms, oldest_ms))
		return probe(breaker, now_ms);
	return false;
}

bool breaker_tick(struct breaker *breaker, int64_t now_ms, int64_t heard_ms, int64_t oldest_ms)
{
	if (breaker->state == BREAKER_CLOSED)
		return tick_closed(breaker, now_ms, heard_ms, oldest_ms);
	if (breaker->state == BREAKER_HALF_OPEN) {
		if (is_unanswered(breaker, now_ms))
			open_now(breaker, now_ms);
		return false;
	}
	if (now_ms - breaker->opened_ms < breaker->retry_ms)
		return false;
	breaker->state = BREAKER_HALF_OPEN;
	return probe(breaker, now_ms);
}
