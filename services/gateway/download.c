/*
 * An answer that comes from its service in windows: the next one is asked for when the client has
 * taken enough of the one before. Ranges, conditions and HEAD are decided here, from the first
 * window's headers and total; the service only hands out bytes. A total that the service does not
 * know before its end (frame.h) leaves no ranges: the whole is sent, and each window says where the
 * next one begins.
 */
#include <string.h>

#include "libcommon/frame.h"
#include "services/gateway/ask.h"
#include "services/gateway/call.h"
#include "services/gateway/range.h"
#include "services/gateway/session.h"
#include "services/gateway/window.h"

#define CAPABILITY_MAX 2048 /* proto/auth.yaml */

struct download {
	struct bus_request request;
	char capability[CAPABILITY_MAX + 1]; /* of this window: a download may outlive the first */
	struct range range;
	bool is_head;
	bool holds; /* a large window, until the client has taken it */
	int64_t at, end, total; /* what is still to be sent is at..end; without a total, `at` is
				   where the next window begins, and the end comes when it comes */
	struct session_wait *wait;
};

/* A class and more that looks at videos over a slow line; 32 MiB of memory. */
static struct window_room large = { .most = 32 };

static void ask_next(struct visit *v);

/* How much to ask for of what is wanted. */
static int64_t window_of(struct download *d, int64_t wanted)
{
	bool is_large = wanted > WINDOW_SMALL && window_hold(&large, &d->holds);
	int64_t most = is_large ? WINDOW_LARGE : WINDOW_SMALL;
	return wanted < most ? wanted : most;
}

static struct ask_terms terms_of(const struct visit *v)
{
	return (struct ask_terms){ .may_retry = true, .exchange = v->exchange };
}

/* ---- the first window ---- */

/* Which window to ask for before the total is known: the one that most likely is the first. A small
 * one unless the range says that more is wanted: a player that asks for everything often breaks off
 * when it has seen the beginning. */
static void first_window(struct download *d)
{
	d->request.window_length = WINDOW_SMALL;
	if (d->is_head || d->range.kind == RANGE_SUFFIX) {
		d->request.window_length = 1;
	} else if (d->range.kind == RANGE_FROM) {
		d->request.window_offset = d->range.first;
		if (d->range.last != INT64_MAX) {
			d->request.window_length = window_of(d, d->range.last - d->range.first + 1);
		}
	}
}

static void refuse_range(struct visit *v, int64_t total)
{
	struct reply_headers headers = { .n = 0 };
	const char *json = problem_json(v->arena, &problem_range, v->call_id, v->language);
	reply_header(&headers, "content-range",
		arena_printf(v->arena, "bytes */%lld", (long long)total));
	reply_header(&headers, "cache-control", "no-store");
	visit_answer(v, 416, "application/problem+json",
		(struct bytes){ .data = (const unsigned char *)json, .n = strlen(json) }, &headers);
}

/* A whole window of a length that nobody knows. */
static void take_open(struct visit *v, const struct bus_reply *reply)
{
	struct download *d = v->state;
	d->at = reply->next_offset;
	d->end = d->at ? INT64_MAX : 0;
	bool has_room = reply->body.n == 0 || visit_write(v, reply->body.data, reply->body.n);
	if (!d->at) {
		visit_finish(v);
	} else if (has_room) {
		ask_next(v);
	}
}

static void begin_open(
	struct visit *v, const struct bus_reply *reply, struct reply_headers *headers)
{
	const struct download *d = v->state;
	reply_header(headers, "content-type",
		arena_strndup(
			v->arena, (const char *)reply->content_type.data, reply->content_type.n));
	visit_reply(v, 200, headers, -1);
	if (d->is_head) {
		visit_finish(v);
	} else {
		take_open(v, reply);
	}
}

/* Bytes of a reply that stand where the answer goes on. */
static void take(struct visit *v, struct bytes body)
{
	struct download *d = v->state;
	int64_t left = d->end - d->at;
	size_t n = (int64_t)body.n < left ? body.n : (size_t)left;
	d->at += (int64_t)n;
	bool has_room = n == 0 || visit_write(v, body.data, n);
	if (d->at == d->end) {
		visit_finish(v);
	} else if (has_room) {
		ask_next(v);
	}
}

static void begin(struct visit *v, const struct bus_reply *reply, struct reply_headers *headers)
{
	struct download *d = v->state;
	int64_t length = d->end - d->at;
	bool is_part = d->range.kind != RANGE_NONE;
	if (is_part) {
		reply_header(headers, "content-range",
			arena_printf(v->arena, "bytes %lld-%lld/%lld", (long long)d->at,
				(long long)d->end - 1, (long long)d->total));
	}
	reply_header(headers, "accept-ranges", "bytes");
	reply_header(headers, "content-type",
		arena_strndup(
			v->arena, (const char *)reply->content_type.data, reply->content_type.n));
	visit_reply(v, is_part ? 206 : 200, headers, length);
	if (d->is_head || length == 0) {
		visit_finish(v);
		return;
	}
	bool is_there = d->request.window_offset == d->at && reply->body.n;
	take(v, is_there ? reply->body : (struct bytes){ .n = 0 });
}

static void on_first(void *arg, const struct bus_reply *reply)
{
	struct visit *v = arg;
	struct download *d = v->state;
	v->ask = NULL;
	call_label(v, reply);
	if (!call_was_answered(reply) || reply->status != 200) {
		call_answer(v, reply);
		return;
	}
	struct reply_headers headers = { .n = 0 };
	call_headers(v->arena, reply, &headers);
	const char *etag = reply_header_value(&headers, "etag");
	const char *wanted = request_header(v->request, "if-none-match");
	/* As in call_answer(): children's videos and whole contracts least of all. */
	reply_header(&headers, "cache-control", "no-store");
	if (etag && wanted && etag_is_listed(wanted, etag)) {
		visit_answer(v, 304, NULL, (struct bytes){ .n = 0 }, &headers);
		return;
	}
	d->total = reply->total_bytes;
	if (d->total == BYTES_UNKNOWN) {
		begin_open(v, reply, &headers);
		return;
	}
	if (!range_is_current(request_header(v->request, "if-range"), etag)) {
		d->range.kind = RANGE_NONE;
	}
	int64_t length;
	if (!range_resolve(d->range, d->total, &d->at, &length)) {
		refuse_range(v, d->total);
		return;
	}
	d->end = d->at + length;
	begin(v, reply, &headers);
}

/* ---- the others ---- */

/* The answer has begun, so the only way to say that it failed is to break it off. */
static void on_window(void *arg, const struct bus_reply *reply)
{
	struct visit *v = arg;
	const struct download *d = v->state;
	v->ask = NULL;
	call_label(v, reply);
	bool is_good = call_was_answered(reply) && reply->status == 200 &&
		reply->total_bytes == d->total && (reply->body.n || d->total == BYTES_UNKNOWN);
	if (!is_good) {
		visit_abort(v);
	} else if (d->total == BYTES_UNKNOWN) {
		take_open(v, reply);
	} else {
		take(v, reply->body);
	}
}

static void on_session(void *arg, enum err err, const char *capability, const struct actor *actor)
{
	struct visit *v = arg;
	struct download *d = v->state;
	d->wait = NULL;
	if (err || strlen(capability) > CAPABILITY_MAX) {
		visit_abort(v);
		return;
	}
	memcpy(d->capability, capability, strlen(capability) + 1);
	d->request.capability = d->capability;
	d->request.window_offset = d->at;
	d->request.window_length = window_of(d, d->end - d->at);
	d->request.flags |= FRAME_CONTINUED;
	v->ask = ask_send(&d->request, terms_of(v), on_window, v);
}

static void ask_next(struct visit *v)
{
	struct download *d = v->state;
	window_release(&large, &d->holds);
	if (!v->token) {
		on_session(v, OK, "", NULL);
		return;
	}
	struct session_wait *wait = session_resolve(v->token, v->request->source, on_session, v);
	if (wait) {
		d->wait = wait;
	}
}

static void download_drain(struct visit *v)
{
	const struct download *d = v->state;
	if (d && v->status && !v->ask && !d->wait && d->at < d->end) {
		ask_next(v);
	}
}

static void download_start(struct visit *v)
{
	struct download *d = arena_alloc(v->arena, sizeof *d);
	v->state = d;
	d->request = call_request(v);
	d->request.flags |= FRAME_LAST_WINDOW;
	d->is_head = !strcmp(v->request->method, "HEAD");
	if (!d->is_head) {
		d->range = range_parse(request_header(v->request, "range"));
	}
	first_window(d);
	v->ask = ask_send(&d->request, terms_of(v), on_first, v);
}

static void download_gone(struct visit *v)
{
	struct download *d = v->state;
	session_forget(d->wait);
	window_release(&large, &d->holds);
	crypto_wipe(d->capability, sizeof d->capability);
}

const struct way download_way = {
	.label = "download", .start = download_start, .drain = download_drain, .gone = download_gone
};
