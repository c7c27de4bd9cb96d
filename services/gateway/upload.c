/*
 * A request body that goes to its service in windows: one bus call each, the next one read only
 * when the one before was answered. So an upload holds one window of memory (window.h), however
 * long it is and however slow the service.
 *
 * When the client vanishes, what had been read is sent as a last window, so that a resumable upload
 * keeps it; what the kernel held while a window was under way is sent again by whoever resumes. The
 * capability is looked up again for every window: an upload may outlive it.
 */
#include <stdlib.h>
#include <string.h>

#include "services/gateway/ask.h"
#include "services/gateway/call.h"
#include "services/gateway/session.h"
#include "services/gateway/window.h"

#define PIECE_MAX (16 * 1024) /* exchange.h: the longest piece of a body */

/* Lives longer than its visit when the client vanishes, so it has an arena of its own. */
struct upload {
	struct arena *arena;
	struct visit *v; /* NULL: the client is gone */
	const char *token;
	struct bus_request request;
	unsigned char *buffer; /* what has come and is not sent */
	size_t n, capacity;
	bool holds; /* a large window, until it is answered */
	int64_t offset; /* of the first byte in the buffer within the body */
	bool is_busy; /* a window is under way, and the body is paused */
	bool ended; /* nothing more will come */
	bool sent_last;
};

/* Two thirds of the least that `--bus-memory-mib` may be, so that no other request lacks room. */
static struct window_room large = { .most = 8 };

static void send_window(struct upload *u);

static size_t window_of(const struct upload *u)
{
	return u->holds ? WINDOW_LARGE : WINDOW_SMALL;
}

/* A window, and the piece that shows that it is not the last one. */
static void fit_buffer(struct upload *u)
{
	size_t capacity = window_of(u) + PIECE_MAX;
	if (capacity == u->capacity)
		return;
	u->buffer = realloc(u->buffer, capacity);
	if (!u->buffer)
		abort();
	u->capacity = capacity;
}

static struct upload *upload_new(struct visit *v)
{
	struct arena *arena = arena_new();
	struct upload *u = arena_alloc(arena, sizeof *u);
	struct bus_request request = call_request(v);
	request.source = arena_strdup(arena, request.source);
	request.tenant = arena_strdup(arena, request.tenant);
	request.traceparent = arena_strdup(arena, request.traceparent);
	request.idempotency_key = ""; /* the offset tells repeated windows apart */
	request.content_type = arena_strdup(arena, request.content_type);
	request.params.data = (unsigned char *)arena_strdup(arena, v->params);
	*u = (struct upload){ .arena = arena, .v = v, .request = request };
	u->token = arena_strdup(arena, v->token ? v->token : "");
	return u;
}

static void upload_free(struct upload *u)
{
	window_release(&large, &u->holds);
	free(u->buffer);
	arena_free(u->arena);
}

/* Without a client there is nobody to tell. */
static void give_up(struct upload *u, const struct problem *problem)
{
	if (!u->v) {
		upload_free(u);
		return;
	}
	u->is_busy = false;
	bool is_later = problem->err == ERR_UNAVAILABLE;
	visit_refuse(u->v, problem, is_later ? retry_after_s() : 0);
}

static void on_answer(void *arg, const struct bus_reply *reply)
{
	struct upload *u = arg;
	bool is_kept = call_was_answered(reply) && reply->status < 300;
	bool is_over = !is_kept || u->sent_last;
	u->is_busy = false;
	window_release(&large, &u->holds);
	if (u->v)
		call_label(u->v, reply);
	if (!u->v && (is_over || !u->n)) {
		upload_free(u);
	} else if (u->v && is_over) {
		call_answer(u->v, reply);
	} else if (u->v && !u->ended) {
		exchange_resume(u->v->exchange);
	} else {
		send_window(u);
	}
}

static void on_session(void *arg, enum err err, const char *capability, const struct actor *actor)
{
	struct upload *u = arg;
	if (err) {
		give_up(u, session_problem(err));
		return;
	}
	size_t n = u->n < window_of(u) ? u->n : window_of(u);
	u->sent_last = u->ended && n == u->n;
	struct bus_request request = u->request;
	request.capability = capability;
	request.window_offset = u->offset;
	request.body = (struct bytes){ u->buffer, n };
	request.flags |= u->sent_last ? FRAME_LAST_WINDOW : 0;
	request.flags |= u->offset ? FRAME_CONTINUED : 0;
	(void)ask_send(&request, (struct ask_terms){ 0 }, on_answer, u);
	u->offset += (int64_t)n;
	u->n -= n;
	if (u->n)
		memmove(u->buffer, u->buffer + n, u->n);
}

static void send_window(struct upload *u)
{
	u->is_busy = true;
	if (*u->token) {
		(void)session_resolve(u->token, u->request.source, on_session, u);
	} else {
		on_session(u, OK, "", NULL);
	}
}

/* More than a window is there, and a larger one cannot be had. It is kept until more comes, because
 * it might be the last one. */
static bool is_full(struct upload *u)
{
	return u->n > WINDOW_LARGE || (u->n > WINDOW_SMALL && !window_hold(&large, &u->holds));
}

static void upload_body(struct visit *v, const void *data, size_t n)
{
	struct upload *u = v->state;
	if (!u || n > window_of(u) + PIECE_MAX - u->n) {
		visit_abort(v); /* the protocol side broke its promise about pieces and pauses */
		return;
	}
	fit_buffer(u);
	memcpy(u->buffer + u->n, data, n);
	u->n += n;
	if (!u->is_busy && is_full(u)) {
		exchange_pause(v->exchange);
		send_window(u);
	}
}

static void upload_end(struct visit *v)
{
	struct upload *u = v->state;
	u->ended = true;
	if (!u->is_busy) {
		send_window(u);
	}
}

static void upload_start(struct visit *v)
{
	v->state = upload_new(v);
	if (v->ended) {
		upload_end(v);
	}
}

static void upload_gone(struct visit *v)
{
	struct upload *u = v->state;
	u->v = NULL;
	u->ended = true;
	if (u->is_busy) {
		return; /* on_answer() goes on from there */
	}
	if (u->n && !v->answered) {
		send_window(u);
	} else {
		upload_free(u);
	}
}

const struct way upload_way = { .label = "upload",
	.start = upload_start,
	.body = upload_body,
	.end = upload_end,
	.gone = upload_gone };
