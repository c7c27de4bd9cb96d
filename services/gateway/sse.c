/*
 * GET /v1/events. Each event is a CloudEvents 1.0 object that carries ids only: the page reads
 * again what it shows, with its own rights. A page that comes back (Last-Event-ID) is told what it
 * missed; where the log does not reach back, and at the beginning, it hears `resync`, which means:
 * read everything again.
 *
 * A stream ends when its session does: at once when auth says so, soon after auth is back when it
 * could not say so, and at the latest at the next check.
 */
#include "services/gateway/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "services/gateway/event_log.h"
#include "services/gateway/gateway.h"
#include "services/gateway/hint.h"
#include "services/gateway/session.h"

#define RECHECK_MS 30000
/* As long as a capability may live: after that without auth a stream proves nothing any more. */
#define UNCHECKED_MAX_MS CAPABILITY_LIFETIME_MS
/* How soon it is noticed that hints may have been lost; shorter than any service takes to restart.
 */
#define LINK_CHECK_MS 250
/* All streams are checked within a second, but not in one burst on an auth that has just started.
 */
#define SWEEP_MS 10
#define SWEEP_BUCKETS 41
/* How long pages wait before they come back: plus up to as much again, and when all were sent away
 * at the same time, plus up to ten times that. */
#define RETRY_MS 3000
#define RETRY_ALL_MS 30000
#define RETRY_SIZE 32
#define BEAT_SIZE 40

/* One open page. */
struct stream {
	struct stream *next, *previous; /* in its bucket */
	struct visit *v;
	struct timer *timer;
	struct session_wait *wait;
	int64_t checked_ms, confirmed_ms; /* clock_steady_ms() */
	bool is_behind;
};

/* By user: one bucket per low byte pair keeps a lesson's worth of hints cheap. */
#define BUCKETS 4096
static struct stream *buckets[BUCKETS];
static size_t streams_n;
static struct timer *link_timer, *sweep_timer;
static size_t sweep_at; /* the bucket that is checked next */
static uint64_t notification_links, auth_links; /* that the last look has seen */

static struct stream **bucket_of(const char *user_id)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (; *user_id; user_id++) {
		hash = (hash ^ (unsigned char)*user_id) * 16777619u;
	}
	return &buckets[hash % BUCKETS];
}

size_t sse_count(void)
{
	return streams_n;
}

/* ---- writing ---- */

/* A page that does not read gets no memory without bound: it misses hints, and syncs later. */
static void send_text(struct stream *stream, const char *text, size_t n)
{
	if (!stream->is_behind) {
		stream->is_behind = !visit_write(stream->v, text, n);
	}
}

/* `data` is a JSON object. `position`: what the page has heard once it has read this. */
static const char *event_text(struct arena *arena, int64_t position, int64_t id, const char *type,
	const char *source, const char *data)
{
	return arena_printf(arena,
		"id: %lld\ndata: {\"specversion\":\"1.0\",\"id\":\"%lld\",\"source\":\"/%s\","
		"\"type\":\"%s\",\"time\":\"%s\",\"datacontenttype\":\"application/json\","
		"\"data\":%s}\n\n",
		(long long)position, (long long)id, source, type, clock_now_text(arena), data);
}

static const char *resync_text(struct arena *arena)
{
	return event_text(
		arena, event_log_position(), event_log_next_id(), "resync", "gateway", "{}");
}

static const char *retry_text(char out[RETRY_SIZE], int spread_ms)
{
	uint16_t random;
	crypto_random(&random, sizeof random);
	(void)snprintf(
		out, RETRY_SIZE, "retry: %d\n\n", RETRY_MS + spread_ms * random / UINT16_MAX);
	return out;
}

static void send_line(struct stream *stream, const char *text)
{
	send_text(stream, text, strlen(text));
}

/* ---- what the services push ---- */

/* One push on its way to the loop. */
struct pushed {
	char *topic, *body;
	size_t n;
	const char *source;
};

static void send_to_bucket(
	struct stream *bucket, const struct audience *audience, const char *text, size_t n)
{
	for (struct stream *stream = bucket, *next; stream; stream = next) {
		next = stream->next;
		if (audience_has(audience, stream->v->actor)) {
			send_text(stream, text, n);
		}
	}
}

static void send_to(const struct audience *audience, const char *text, size_t n)
{
	for (size_t i = 0; !audience->is_listed && i < BUCKETS; i++) {
		send_to_bucket(buckets[i], audience, text, n);
	}
	for (size_t i = 0; i < audience->users_n; i++) {
		struct audience one = *audience;
		one.user_ids = &audience->user_ids[i];
		one.users_n = 1;
		send_to_bucket(*bucket_of(audience->user_ids[i]), &one, text, n);
	}
}

static void resync_all(void)
{
	static const struct audience everyone;
	struct arena *arena = arena_new();
	event_log_break();
	const char *text = resync_text(arena);
	send_to(&everyone, text, strlen(text));
	arena_free(arena);
}

static void end_streams(const char *session_id)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct stream *stream = buckets[i], *next; stream; stream = next) {
			next = stream->next;
			if (!strcmp(stream->v->actor->session_id, session_id)) {
				visit_finish(stream->v);
			}
		}
	}
}

static void take_pushed(const struct pushed *pushed)
{
	if (!strcmp(pushed->topic, "session.revoked")) {
		session_drop(pushed->body);
		end_streams(pushed->body);
		return;
	}
	struct arena *arena = arena_new();
	struct hint hint;
	if (hint_read(arena, pushed->topic, pushed->body, pushed->n, &hint)) {
		int64_t id = event_log_next_id();
		const char *text = event_text(arena, id, id, hint.type, pushed->source, hint.data);
		event_log_add(id, &hint.audience, text, strlen(text));
		send_to(&hint.audience, text, strlen(text));
	} else if (hint.type) {
		log_warning("%s pushed what is no %s", pushed->source, hint.type);
	}
	arena_free(arena);
}

static void free_pushed(void *arg)
{
	struct pushed *pushed = arg;
	free(pushed->topic);
	free(pushed->body);
	free(pushed);
}

/* On the loop's thread. */
static void on_posted(void *arg)
{
	take_pushed(arg);
	free_pushed(arg);
}

/* On a thread of the bus. */
static void on_event(void *arg, const char *topic, struct bytes body)
{
	struct pushed *pushed = calloc(1, sizeof *pushed);
	if (!pushed) {
		abort();
	}
	pushed->source = arg;
	pushed->topic = strdup(topic);
	pushed->body = strndup(body.n ? (const char *)body.data : "", body.n);
	if (!pushed->topic || !pushed->body) {
		abort();
	}
	pushed->n = strlen(pushed->body);
	loop_post(gateway.loop, on_posted, free_pushed, pushed);
}

/* ---- one stream ---- */

static void link_stream(struct stream *stream)
{
	struct stream **bucket = bucket_of(stream->v->actor->user_id);
	stream->next = *bucket;
	if (stream->next) {
		stream->next->previous = stream;
	}
	*bucket = stream;
	streams_n++;
}

static void unlink_stream(struct stream *stream)
{
	if (stream->next) {
		stream->next->previous = stream->previous;
	}
	*(stream->previous ? &stream->previous->next : bucket_of(stream->v->actor->user_id)) =
		stream->next;
	streams_n--;
}

static int64_t count_of(const struct actor *actor)
{
	int64_t n = 0;
	for (struct stream *stream = *bucket_of(actor->user_id); stream; stream = stream->next) {
		n += !strcmp(stream->v->actor->user_id, actor->user_id);
	}
	return n;
}

static void on_checked(void *arg, enum err err, const char *capability, const struct actor *actor)
{
	struct stream *stream = arg;
	int64_t now_ms = clock_steady_ms();
	stream->wait = NULL;
	if (!err) {
		stream->confirmed_ms = now_ms;
	} else if (err == ERR_UNAUTHENTICATED || err == ERR_FORBIDDEN ||
		now_ms - stream->confirmed_ms > UNCHECKED_MAX_MS) {
		visit_finish(stream->v);
	}
}

/* Is the session still alive? */
static void check_stream(struct stream *stream)
{
	if (stream->wait) {
		return;
	}
	stream->checked_ms = clock_steady_ms();
	struct session_wait *wait =
		session_recheck(stream->v->token, stream->v->request->source, on_checked, stream);
	if (wait) {
		stream->wait = wait;
	}
}

static void on_heartbeat(void *arg)
{
	struct stream *stream = arg;
	stream->timer =
		loop_after(gateway.loop, gateway.conf->sse_heartbeat_ms, on_heartbeat, stream);
	/* A page that hears nothing for hours still says where the log stood. */
	char text[BEAT_SIZE];
	(void)snprintf(text, sizeof text, ":\nid: %lld\n\n", (long long)event_log_position());
	send_line(stream, text);
	if (clock_steady_ms() - stream->checked_ms >= RECHECK_MS) {
		check_stream(stream);
	}
}

/* ---- links that were down ---- */

static void on_sweep(void *arg)
{
	size_t end = sweep_at + SWEEP_BUCKETS < BUCKETS ? sweep_at + SWEEP_BUCKETS : BUCKETS;
	sweep_timer = NULL;
	for (; sweep_at < end; sweep_at++) {
		for (struct stream *stream = buckets[sweep_at], *next; stream; stream = next) {
			next = stream->next;
			check_stream(stream);
		}
	}
	if (sweep_at < BUCKETS) {
		sweep_timer = loop_after(gateway.loop, SWEEP_MS, on_sweep, NULL);
	}
}

/* A logout may have been said to nobody: ask for every session. */
static void on_auth_back(void)
{
	sweep_at = 0;
	loop_cancel(gateway.loop, sweep_timer);
	on_sweep(NULL);
}

/* What an instance pushed while the link to it was down is lost. */
static void look_at_links(void)
{
	uint64_t notification = bus_links_made(gateway.bus, "notification");
	uint64_t auth = bus_links_made(gateway.bus, "auth");
	if (notification > notification_links) {
		resync_all(); /* notices may have been said to nobody */
	}
	if (auth > auth_links && streams_n) {
		on_auth_back();
	}
	notification_links = notification;
	auth_links = auth;
}

static void on_link_check(void *arg)
{
	look_at_links();
	link_timer = loop_after(gateway.loop, LINK_CHECK_MS, on_link_check, NULL);
}

/* ---- a page comes ---- */

/* Digits, as event_log_next_id() makes them; anything else is an id that nobody gave. */
static int64_t last_event_id(const struct request *request)
{
	const char *text = request_header(request, "last-event-id");
	size_t n = text ? strspn(text, "0123456789") : 0;
	return n && !text[n] && n <= 18 ? strtoll(text, NULL, 10) : -1;
}

/* What the page missed, or that it cannot be told. */
static void catch_up(struct stream *stream)
{
	int64_t id = last_event_id(stream->v->request);
	if (id < 0 || !event_log_reaches(id)) {
		send_line(stream, resync_text(stream->v->arena));
		return;
	}
	for (const struct event *event; (event = event_log_after(id)); id = event->id) {
		if (audience_has(&event->audience, stream->v->actor)) {
			send_text(stream, event->text, event->text_n);
		}
	}
}

static void open_stream(struct visit *v)
{
	struct stream *stream = arena_alloc(v->arena, sizeof *stream);
	int64_t now_ms = clock_steady_ms();
	look_at_links(); /* or a page would be told twice, or too little */
	*stream = (struct stream){ .v = v, .checked_ms = now_ms, .confirmed_ms = now_ms };
	v->state = stream;
	link_stream(stream);
	stream->timer =
		loop_after(gateway.loop, gateway.conf->sse_heartbeat_ms, on_heartbeat, stream);
	char retry[RETRY_SIZE];
	send_line(stream, retry_text(retry, RETRY_MS));
	catch_up(stream);
	exchange_rest(v->exchange); /* thousands of these wait for hours */
}

static void events_start(struct visit *v)
{
	struct reply_headers headers = { .n = 0 };
	if (count_of(v->actor) >= gateway.conf->sse_per_user) {
		visit_refuse(v, &problem_too_many_streams, 60);
		return;
	}
	reply_header(&headers, "content-type", "text/event-stream");
	reply_header(&headers, "cache-control", "no-store");
	reply_header(&headers, "x-accel-buffering", "no");
	visit_reply(v, 200, &headers, -1);
	if (!strcmp(v->request->method, "HEAD")) {
		visit_finish(v);
	} else {
		open_stream(v);
	}
}

/* It reads again: events that it had no room for were left out. */
static void events_drain(struct visit *v)
{
	struct stream *stream = v->state;
	if (stream && stream->is_behind) {
		struct arena *arena = arena_new();
		stream->is_behind = false;
		send_line(stream, resync_text(arena));
		arena_free(arena);
	}
}

static void events_gone(struct visit *v)
{
	struct stream *stream = v->state;
	if (stream) {
		session_forget(stream->wait);
		loop_cancel(gateway.loop, stream->timer);
		unlink_stream(stream);
	}
}

const struct way events_way = {
	.label = "events", .start = events_start, .drain = events_drain, .gone = events_gone
};

/* ---- start and stop ---- */

void sse_start(void)
{
	event_log_start(gateway.conf->sse_log_events);
	static char notification[] = "notification", auth[] = "auth";
	bus_subscribe(gateway.bus, notification, on_event, notification);
	bus_subscribe(gateway.bus, auth, on_event, auth);
	on_link_check(NULL);
}

void sse_drain(void)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct stream *stream = buckets[i], *next; stream; stream = next) {
			char retry[RETRY_SIZE];
			next = stream->next;
			send_line(stream, retry_text(retry, RETRY_ALL_MS));
			visit_finish(stream->v);
		}
	}
}

void sse_stop(void)
{
	loop_cancel(gateway.loop, link_timer);
	loop_cancel(gateway.loop, sweep_timer);
	link_timer = sweep_timer = NULL;
	event_log_stop();
}
