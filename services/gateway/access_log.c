/*
 * Sends what access_ring.h keeps to audit, one batch at a time. A batch that audit did not store is
 * sent again: its events have their ids already, and audit leaves alone what it has. With nothing
 * to send it says every ALIVE_MS that it is there, and at its end that nothing is left, so that
 * audit knows a gateway that is gone from one that is idle.
 */
#include "services/gateway/access_log.h"

#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "services/gateway/access_object.h"
#include "services/gateway/access_ring.h"
#include "services/gateway/ask.h"

enum {
	RING_MAX = 4096, /* records, 1.6 MB: some seconds of a busy instance without audit */
	BATCH_MAX = 500, /* some eight events of a busy school, 5 ms in audit at the most */
	GATHER_MS = 500, /* a person who looks does not wait, and a quiet hour costs few batches */
	SEND_TIMEOUT_MS = 5000, /* as the outbox's */
	BACK_OFF_MAX_MS = 10000, /* how long audit may be back before it is asked again */
	ALIVE_MS = 2000, /* a small part of --access-silence-s of audit */
	OPEN_TIMEOUT_MS = 3000, /* somebody waits; as for the session */
	FLUSH_MS = 2000, /* with the drain's five seconds within what a supervisor waits */
};

static struct {
	struct loop *loop;
	struct access_ring *ring;
	struct timer *timer, *alive;
	struct ask *ask; /* the batch or word under way */
	int64_t back_off_ms;
	int64_t open_again_ms; /* on the steady clock: until then nobody waits to be told of */
	bool is_stopping, is_flushed, is_ending; /* the end is said */
} access_log;

static void send_batch(void);
static void send_rest(void);

static void on_time(void *arg)
{
	access_log.timer = NULL;
	send_batch();
}

static void wait_for(int64_t ms)
{
	if (!access_log.timer)
		access_log.timer = loop_after(access_log.loop, ms, on_time, NULL);
}

static void end_flush(void)
{
	access_log.is_flushed = true;
	loop_stop(access_log.loop);
}

static void settle(enum err err)
{
	if (!err || err == ERR_INVALID) {
		access_log.back_off_ms = 0;
		if (err)
			access_ring_refused(access_log.ring);
		else
			access_ring_stored(access_log.ring);
		return;
	}
	int64_t next_ms = access_log.back_off_ms ? 2 * access_log.back_off_ms : GATHER_MS;
	access_log.back_off_ms = next_ms < BACK_OFF_MAX_MS ? next_ms : BACK_OFF_MAX_MS;
}

static void on_answer(void *arg, const struct bus_reply *reply)
{
	access_log.ask = NULL;
	settle(reply->err);
	if (reply->err == ERR_INVALID)
		log_error("audit refused access records");
	size_t left = access_ring_n(access_log.ring);
	if (access_log.is_stopping && (reply->err || access_log.is_ending))
		end_flush();
	else if (access_log.is_stopping)
		send_rest();
	else if (access_log.back_off_ms)
		wait_for(access_log.back_off_ms);
	else if (left >= BATCH_MAX)
		send_batch();
	else if (left)
		wait_for(GATHER_MS);
}

static struct bus_request request_of(const char *operation, const char *body, int64_t timeout_ms)
{
	return (struct bus_request){ .service = "audit",
		.operation = operation,
		.capability = "",
		.content_type = "application/json",
		.body = { .data = (const unsigned char *)body, .n = strlen(body) },
		.timeout_ms = timeout_ms,
		.flags = FRAME_LAST_WINDOW };
}

static void send(const char *body)
{
	const struct bus_request request = request_of("access_append", body, SEND_TIMEOUT_MS);
	const struct ask_terms terms = { .in_background = true };
	access_log.ask = ask_send(&request, terms, on_answer, NULL);
}

static void send_word(bool is_end)
{
	struct arena *arena = arena_new();
	send(access_ring_word(access_log.ring, arena, is_end));
	arena_free(arena);
}

static void send_batch(void)
{
	const char *body = access_ring_batch(access_log.ring, BATCH_MAX);
	if (body)
		send(body);
	else if (access_log.back_off_ms) /* it was a word that was not heard */
		send_word(false);
}

/* What is left, losses too, and then that nothing is. */
static void send_rest(void)
{
	send_batch();
	if (access_log.ask || !access_ring_has_spoken(access_log.ring))
		return;
	access_log.is_ending = true;
	send_word(true);
}

static void on_alive(void *arg)
{
	access_log.alive = loop_after(access_log.loop, ALIVE_MS, on_alive, NULL);
	if (access_log.ask || access_log.timer) /* something goes soon */
		return;
	send_batch(); /* losses that had no room in the last */
	if (!access_log.ask && access_ring_has_spoken(access_log.ring))
		send_word(false);
}

/* ---- for whom it reads ---- */

bool access_log_is_open(const struct visit *v)
{
	bool is_promised =
		v->actor && v->route->label != LABEL_NONE && !(v->route->flags & ROUTE_WRITES);
	return !is_promised || clock_steady_ms() < access_log.open_again_ms ||
		access_ring_is_open(access_log.ring, v->actor->tenant_id);
}

struct ask *access_log_open(struct visit *v, ask_on_answer *fn)
{
	const char *body = access_ring_opening(access_log.ring, v->arena, v->actor->tenant_id);
	const struct bus_request request = request_of("access_open", body, OPEN_TIMEOUT_MS);
	return ask_send(&request, (struct ask_terms){ 0 }, fn, v);
}

void access_log_opened(const struct visit *v, enum err err)
{
	if (err)
		access_log.open_again_ms = clock_steady_ms() + ALIVE_MS;
	else
		access_ring_opened(access_log.ring, v->actor->tenant_id);
}

/* ---- from visits to records ---- */

void access_log_add(const struct visit *v, unsigned status, int64_t took_us)
{
	static const struct actor nobody = {
		.tenant_id = "", .user_id = "", .role = ROLE_ANONYMOUS, .session_id = ""
	};
	if (!v->route || v->turned_away)
		return;
	const struct ocsf_access access = {
		.call_id = v->call_id,
		.source = v->request->source,
		.actor = v->actor ? *v->actor : nobody,
		.service = v->route->service,
		.operation = v->route->operation,
		.label = v->label,
		.method = v->request->method,
		.route = v->route->path,
		.object_id = access_object(
			v->arena, v->route->subjects, v->path_params, v->request->query),
		.status = status,
		.unix_ms = clock_unix_ms() - took_us / 1000,
		.session_us = v->session_us,
		.service_us = v->service_us,
		.total_us = took_us,
	};
	access_ring_add(access_log.ring, &access);
	if (access_log.ask || access_log.back_off_ms)
		return;
	if (access_ring_n(access_log.ring) < BATCH_MAX) {
		wait_for(GATHER_MS);
		return;
	}
	loop_cancel(access_log.loop, access_log.timer);
	access_log.timer = NULL;
	send_batch();
}

/* ---- start and stop ---- */

void access_log_start(struct loop *loop)
{
	access_log.loop = loop;
	access_log.ring = access_ring_new(RING_MAX);
	access_log.alive = loop_after(loop, ALIVE_MS, on_alive, NULL);
}

static void on_flush_over(void *arg)
{
	access_log.timer = NULL;
	end_flush();
}

static void flush(void)
{
	access_log.is_stopping = true;
	access_log.back_off_ms = 0;
	if (!access_log.ask)
		send_rest();
	if (!access_log.ask)
		return;
	access_log.timer = loop_after(access_log.loop, FLUSH_MS, on_flush_over, NULL);
	while (!access_log.is_flushed)
		loop_run(access_log.loop); /* ends early when it was stopped before it ran */
}

void access_log_stop(void)
{
	if (!access_log.ring)
		return;
	loop_cancel(access_log.loop, access_log.timer);
	loop_cancel(access_log.loop, access_log.alive);
	access_log.timer = access_log.alive = NULL;
	flush();
	loop_cancel(access_log.loop, access_log.timer);
	ask_cancel(access_log.ask);
	size_t left = access_ring_n(access_log.ring);
	if (left)
		log_event(LOG_LEVEL_WARNING, "access records lost", LOG_INT("records", left));
	access_ring_free(access_log.ring);
	access_log.ring = NULL;
}
