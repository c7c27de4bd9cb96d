/*
 * Between the bus and the loop: the bus answers on threads of its own, and everything in the
 * gateway belongs to the loop's thread, so a reply is copied once and posted. What finds no place
 * in the window of its service waits for one (room.h).
 */
#include "services/gateway/ask.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/metrics.h"
#include "services/gateway/gateway.h"
#include "services/gateway/load.h"
#include "services/gateway/room.h"

enum {
	ROOMS_MAX = 8, /* services that a person's request may be for */
	/* Between two looks at those who wait: how late at most one is told that it waits in vain.
	 * Otherwise every answer makes the next one go. */
	LOOK_MS = 2,
};

struct ask {
	ask_on_answer *fn; /* NULL: cancelled */
	void *arg;
	const struct bus_request *request; /* NULL: maybe gone */
	struct ask_terms terms;
	int64_t began_ms, sent_ms;
	struct bus_ticket ticket;
	struct service_room *at; /* NULL: does not wait for a place */
	struct seat seat;
	bool is_holding; /* its connection, until it is sent or refused */
};

struct service_room {
	const char *service;
	struct room room;
};

static struct {
	struct service_room rooms[ROOMS_MAX];
	size_t n;
	struct timer *timer; /* while anybody waits */
	uint64_t waited, given_up;
} state;

/* One reply on its way to the loop, its bytes behind it. */
struct posted {
	struct ask *ask;
	void *arg;
	struct bus_reply reply;
	unsigned char bytes[];
};

static void *checked(void *memory)
{
	if (!memory) {
		abort();
	}
	return memory;
}

static struct bytes put(unsigned char **at, struct bytes bytes)
{
	if (bytes.n) {
		memcpy(*at, bytes.data, bytes.n);
	}
	struct bytes copy = { .data = *at, .n = bytes.n };
	*at += bytes.n;
	return copy;
}

static struct posted *copy_reply(const struct bus_reply *reply)
{
	size_t n = reply->headers.n + reply->content_type.n + reply->body.n;
	struct posted *posted = checked(malloc(sizeof *posted + n));
	*posted = (struct posted){ .reply = *reply };
	unsigned char *at = posted->bytes;
	posted->reply.headers = put(&at, reply->headers);
	posted->reply.content_type = put(&at, reply->content_type);
	posted->reply.body = put(&at, reply->body);
	return posted;
}

/* On a thread of the bus, or inside bus_send(). */
static void on_reply(void *arg, const struct bus_reply *reply);

/* For the time that the request has left. The ticket matters to nobody but ask_cancel(). */
static enum bus_refusal try_send(struct ask *ask, const struct bus_request *request)
{
	struct bus_request now = *request;
	ask->sent_ms = clock_steady_ms();
	now.timeout_ms -= ask->sent_ms - ask->began_ms;
	enum bus_refusal refusal = bus_try_send(gateway.bus, &now, on_reply, ask, &ask->ticket);
	if (!refusal && !ask->terms.in_background) {
		load_wait_begins();
	}
	return refusal;
}

static void wait_ends(const struct ask *ask)
{
	if (!ask->terms.in_background) {
		load_wait_ends();
	}
}

static void hold(struct ask *ask)
{
	ask->is_holding = ask->terms.exchange != NULL;
	if (ask->is_holding) {
		exchange_hold(ask->terms.exchange);
	}
}

static void let_go(struct ask *ask)
{
	if (ask->is_holding) {
		exchange_release(ask->terms.exchange);
	}
	ask->is_holding = false;
}

/* ---- waiting for a place ---- */

static struct service_room *room_of(const char *service)
{
	for (size_t i = 0; i < state.n; i++) {
		if (!strcmp(state.rooms[i].service, service)) {
			return &state.rooms[i];
		}
	}
	assert(state.n < ROOMS_MAX);
	state.rooms[state.n].service = service;
	return &state.rooms[state.n++];
}

static struct ask *ask_of(struct seat *seat)
{
	return (struct ask *)((char *)seat - offsetof(struct ask, seat));
}

static enum bus_refusal send_waiting(struct seat *seat)
{
	struct ask *ask = ask_of(seat);
	enum bus_refusal refusal = try_send(ask, ask->request);
	if (!refusal) {
		let_go(ask);
	}
	return refusal;
}

static void end(struct ask *ask, const struct bus_reply *reply)
{
	if (ask->fn) {
		ask->fn(ask->arg, reply);
	}
	free(ask);
}

static const struct bus_reply unavailable = { .err = ERR_UNAVAILABLE, .status = 503 };

static void give_up(struct seat *seat)
{
	struct ask *ask = ask_of(seat);
	state.given_up++;
	bus_count_refusal(gateway.bus, BUS_FULL);
	let_go(ask);
	end(ask, &unavailable);
}

static void on_look(void *arg)
{
	int64_t now_ms = clock_steady_ms();
	size_t left = 0;
	for (size_t i = 0; i < state.n; i++) {
		struct room *room = &state.rooms[i].room;
		room_serve(room, send_waiting);
		room_give_up(room, gateway.conf->wait_ms, now_ms, give_up);
		left += room->n;
	}
	state.timer = left ? loop_after(gateway.loop, LOOK_MS, on_look, NULL) : NULL;
}

static void wait_for_place(struct ask *ask)
{
	const char *tenant = ask->request->tenant ? ask->request->tenant : "";
	/* A capability stands for a session; a stranger has none. */
	const char *asker =
		*ask->request->capability ? ask->request->capability : ask->request->source;
	state.waited++;
	hold(ask);
	room_enter(&ask->at->room, &ask->seat, tenant, asker, clock_steady_ms());
	if (!state.timer) {
		state.timer = loop_after(gateway.loop, LOOK_MS, on_look, NULL);
	}
}

/* Sent, or waits for a place; otherwise why there is none. */
static enum bus_refusal send_or_wait(struct ask *ask, const struct bus_request *request)
{
	const struct room *room = ask->at ? &ask->at->room : NULL;
	const char *tenant = request->tenant ? request->tenant : "";
	bool must_wait = room && room_has(room, tenant);
	enum bus_refusal refusal = must_wait ? BUS_TENANT_FULL : try_send(ask, request);
	bool is_full = refusal == BUS_FULL || refusal == BUS_TENANT_FULL;
	if (room && is_full && room_is_open(room, gateway.conf->wait_max)) {
		wait_for_place(ask);
		return BUS_TAKEN;
	}
	if (refusal) {
		bus_count_refusal(gateway.bus, refusal);
	}
	return refusal;
}

/* A place has become free, if the service answered. */
static void go_on(struct service_room *at, const struct bus_reply *reply, int64_t sent_ms)
{
	int64_t now_ms = clock_steady_ms();
	if (reply->err != ERR_UNAVAILABLE) {
		room_answered(&at->room, now_ms - sent_ms, now_ms);
	}
	room_serve(&at->room, send_waiting);
}

/* ---- answers ---- */

/* Once more, for the time that the first try has left; false when there is no reason or no time. */
static bool send_again(struct ask *ask, const struct bus_reply *reply)
{
	bool certainly_not_executed = reply->err == ERR_UNAVAILABLE && !reply->executed;
	if (!ask->fn || !ask->terms.may_retry || !certainly_not_executed) {
		return false;
	}
	if (ask->request->timeout_ms <= clock_steady_ms() - ask->began_ms) {
		return false;
	}
	ask->terms.may_retry = false;
	return send_or_wait(ask, ask->request) == BUS_TAKEN;
}

/* On the loop's thread. */
static void deliver(void *arg)
{
	struct posted *posted = arg;
	struct ask *ask = posted->ask;
	struct service_room *at = ask->at;
	int64_t sent_ms = ask->sent_ms;
	wait_ends(ask);
	if (!send_again(ask, &posted->reply)) {
		end(ask, &posted->reply);
	}
	if (at) {
		go_on(at, &posted->reply, sent_ms);
	}
	free(posted);
}

static void on_reply(void *arg, const struct bus_reply *reply)
{
	struct posted *posted = copy_reply(reply);
	posted->ask = arg;
	loop_post(gateway.loop, deliver, NULL, posted);
}

/* ---- asking ---- */

/* Told soon, as every answer is: whoever asks is not called back before it knows what it asked. */
static void refuse(void *arg)
{
	let_go(arg);
	end(arg, &unavailable);
}

struct ask *ask_send(
	const struct bus_request *request, struct ask_terms terms, ask_on_answer *fn, void *arg)
{
	struct ask *ask = checked(malloc(sizeof *ask));
	bool is_kept = terms.may_retry || terms.exchange;
	*ask = (struct ask){
		.fn = fn,
		.arg = arg,
		.request = is_kept ? request : NULL,
		.terms = terms,
		.began_ms = clock_steady_ms(),
		.at = terms.exchange ? room_of(request->service) : NULL,
	};
	if (send_or_wait(ask, request)) {
		hold(ask);
		loop_post(gateway.loop, refuse, NULL, ask);
	}
	return ask;
}

void ask_cancel(struct ask *ask)
{
	if (!ask) {
		return;
	}
	if (ask->seat.group) {
		room_leave(&ask->at->room, &ask->seat);
		let_go(ask);
		free(ask);
		return;
	}
	if (bus_cancel(ask->ticket)) {
		wait_ends(ask);
		free(ask);
		return;
	}
	/* Its answer is on its way to the loop. */
	ask->fn = NULL;
	let_go(ask);
}

void ask_stop(void)
{
	loop_cancel(gateway.loop, state.timer);
	state.timer = NULL;
}

void ask_figures(struct buf *out)
{
	uint64_t n = 0;
	for (size_t i = 0; i < state.n; i++) {
		n += state.rooms[i].room.n;
	}
	metrics_write_value(out, "manabiya_waiting_for_place", "gateway", n);
	metrics_write_value(out, "manabiya_waited_for_place_total", "gateway", state.waited);
	metrics_write_value(out, "manabiya_waited_in_vain_total", "gateway", state.given_up);
}

/* ---- every instance ---- */

struct each {
	ask_on_answer *fn;
	void *arg;
	unsigned waiting; /* set once bus_send_each() has returned; counts on the loop's thread */
};

static void deliver_each(void *arg)
{
	struct posted *posted = arg;
	struct each *each = posted->arg;
	each->fn(each->arg, &posted->reply);
	if (--each->waiting == 0) {
		free(each);
	}
	free(posted);
}

static void on_reply_each(void *arg, const struct bus_reply *reply)
{
	struct posted *posted = copy_reply(reply);
	posted->arg = arg;
	loop_post(gateway.loop, deliver_each, NULL, posted);
}

unsigned ask_each(const struct bus_request *request, ask_on_answer *fn, void *arg)
{
	struct each *each = checked(malloc(sizeof *each));
	*each = (struct each){ .fn = fn, .arg = arg };
	/* Answers are delivered by the loop, so none can come before this returns. */
	each->waiting = bus_send_each(gateway.bus, request, on_reply_each, each);
	unsigned n = each->waiting;
	if (n == 0) {
		free(each);
	}
	return n;
}
