/* See load.h. On the loop's thread. */
#include "services/gateway/load.h"

#include "libcommon/clock.h"
#include "libcommon/metrics.h"

enum {
	LOOK_MS = 100, /* between two looks at the clock; ten make the second that a delay must last
			*/
	/* In percent of the thresholds. Each step leaves room for the one before to take effect. */
	SHED_LOGINS = 100,
	SHED_ANONYMOUS = 150,
	SHED_READS = 200,
	/* 2,000 refusals a second at 20 µs each take 4 % of a processor. */
	REFUSAL_US = 500,
	/* A client that is well takes Retry-After seriously, which is a second or more. */
	REFUSED_MAX_MS = 1000,
};

static struct {
	struct loop *loop;
	struct timer *timer;
	struct load load;
	int64_t due_ms;
	int64_t lag_max_ms, waiting_max;
	int64_t waiting;
	uint64_t shed;
	struct refusals refusals;
} state;

void load_note(struct load *load, int64_t lag_ms)
{
	load->lags_ms[load->at++ % LOAD_WINDOW_N] = lag_ms;
}

int64_t load_lag_ms(const struct load *load)
{
	int64_t least = load->lags_ms[0];
	for (unsigned i = 1; i < LOAD_WINDOW_N; i++) {
		if (load->lags_ms[i] < least)
			least = load->lags_ms[i];
	}
	return least;
}

int64_t refusals_note(struct refusals *refusals, int64_t now_us)
{
	/* So many may come at once. */
	const int64_t burst_us = 64 * REFUSAL_US;
	if (refusals->next_us < now_us - burst_us) {
		refusals->next_us = now_us - burst_us;
	}
	if (refusals->next_us < now_us + REFUSED_MAX_MS * 1000) {
		refusals->next_us += REFUSAL_US;
	}
	int64_t left_us = refusals->next_us - now_us;
	return left_us > 0 ? (left_us + 999) / 1000 : 0;
}

int load_limit_of(unsigned route_flags)
{
	if (route_flags & ROUTE_ANONYMOUS)
		return route_flags & ROUTE_WRITES ? SHED_LOGINS : SHED_ANONYMOUS;
	return route_flags & ROUTE_WRITES ? -1 : SHED_READS;
}

static int64_t percent(void)
{
	int64_t of_waiting = state.waiting * 100 / state.waiting_max;
	int64_t of_lag = load_lag_ms(&state.load) * 100 / state.lag_max_ms;
	return of_waiting > of_lag ? of_waiting : of_lag;
}

static void on_look(void *arg)
{
	int64_t now_ms = clock_steady_ms();
	load_note(&state.load, now_ms - state.due_ms);
	state.due_ms = now_ms + LOOK_MS;
	state.timer = loop_after(state.loop, LOOK_MS, on_look, NULL);
}

void load_start(const struct gateway_conf *conf, struct loop *loop)
{
	state.loop = loop;
	state.lag_max_ms = conf->shed_lag_ms;
	state.waiting_max = conf->shed_waiting;
	state.due_ms = clock_steady_ms() + LOOK_MS;
	state.timer = loop_after(loop, LOOK_MS, on_look, NULL);
}

void load_stop(void)
{
	loop_cancel(state.loop, state.timer);
	state.timer = NULL;
}

void load_wait_begins(void)
{
	state.waiting++;
}

void load_wait_ends(void)
{
	state.waiting--;
}

bool load_sheds(unsigned route_flags)
{
	int limit = load_limit_of(route_flags);
	bool is_shed = limit >= 0 && percent() >= limit;
	state.shed += is_shed;
	return is_shed;
}

int64_t load_refusal(void)
{
	return refusals_note(&state.refusals, clock_steady_us());
}

void load_figures(struct buf *out)
{
	metrics_write_value(out, "manabiya_shed_total", "gateway", state.shed);
	metrics_write_value(out, "manabiya_load_percent", "gateway", (uint64_t)percent());
}
