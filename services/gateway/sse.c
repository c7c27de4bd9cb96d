/*
 * GET /v1/events. Each event is a CloudEvents 1.0 object that carries ids only: the page reads
 * again what it shows, with its own rights. Nothing is kept for those who are away; the first event
 * of a stream is `sync`, which means: read everything again.
 *
 * A stream ends when its session does: at once when auth says so, soon after auth is back when it
 * could not say so, and at the latest at the next check.
 */
#include "services/gateway/sse.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"
#include "services/gateway/gateway.h"
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
#define RETRY_MS 3000

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
static int64_t last_id; /* rising, also from one process to the next */
static struct timer *link_timer, *sweep_timer;
static size_t sweep_at; /* the bucket that is checked next */
static bool was_notification_up, was_auth_up;

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

/* `data` is a JSON object. */
static const char *event_text(
	struct arena *arena, const char *type, const char *source, const char *data)
{
	int64_t id = clock_unix_ms() * 1024;
	last_id = id > last_id ? id : last_id + 1;
	return arena_printf(arena,
		"id: %lld\ndata: {\"specversion\":\"1.0\",\"id\":\"%lld\",\"source\":\"/%s\","
		"\"type\":\"%s\",\"time\":\"%s\",\"datacontenttype\":\"application/json\","
		"\"data\":%s}\n\n",
		(long long)last_id, (long long)last_id, source, type, clock_now_text(arena), data);
}

/* ---- what the services push ---- */

/* One hint on its way to the loop. */
struct hint {
	char *topic, *body;
	size_t n;
	const char *source;
};

static const char *text_member(const struct json *json, const char *name)
{
	const char *text = json_text(json_member(json, name));
	return text ? text : "";
}

/* The members that a page may see: kinds and ids, never names or texts. */
static const char *public_data(struct arena *arena, const struct json *json)
{
	static const char *const names[] = { "kind", "noticeId", "announcementId", "tryId",
		"assignmentId", "classId", "mediaId" };
	struct buf out = { .arena = arena };
	buf_char(&out, '{');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = json_text(json_member(json, names[i]));
		if (value) {
			buf_printf(&out, "%s\"%s\":", out.n > 1 ? "," : "", names[i]);
			json_quote(&out, value);
		}
	}
	buf_char(&out, '}');
	return out.data;
}

static void send_to_user(const char *tenant_id, const char *user_id, const char *text)
{
	size_t n = strlen(text);
	for (struct stream *stream = *bucket_of(user_id), *next; stream; stream = next) {
		next = stream->next;
		const struct actor *actor = stream->v->actor;
		bool is_it =
			!strcmp(actor->user_id, user_id) && !strcmp(actor->tenant_id, tenant_id);
		if (is_it) {
			send_text(stream, text, n);
		}
	}
}

/* A tenant of NULL, a role of 0: everyone. */
static void send_to_all(const char *tenant_id, unsigned role, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct stream *stream = buckets[i], *next; stream; stream = next) {
			next = stream->next;
			const struct actor *actor = stream->v->actor;
			bool is_it = (!tenant_id || !strcmp(actor->tenant_id, tenant_id)) &&
				(!role || actor->role == role);
			if (is_it) {
				send_text(stream, text, n);
			}
		}
	}
}

static void on_notice(struct arena *arena, const char *source, const struct json *json)
{
	const char *text = event_text(arena, "notice", source, public_data(arena, json));
	const char *tenant_id = text_member(json, "tenant");
	const struct json *users = json_member(json, "users");
	for (size_t i = 0; i < json_count(users); i++) {
		const char *user_id = json_text(json_item(users, i));
		if (user_id) {
			send_to_user(tenant_id, user_id, text);
		}
	}
}

static void on_announcement(struct arena *arena, const char *source, const struct json *json)
{
	const char *text = event_text(arena, "announcement", source, public_data(arena, json));
	const char *audience = text_member(json, "audience");
	unsigned role = role_from_name(audience);
	if (role || !strcmp(audience, "everyone")) {
		send_to_all(json_text(json_member(json, "tenant")), role, text);
	}
}

/* Of one session; NULL: of all. */
static void end_streams(const char *session_id)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct stream *stream = buckets[i], *next; stream; stream = next) {
			next = stream->next;
			const char *its_id = stream->v->actor->session_id;
			if (!session_id || !strcmp(its_id, session_id)) {
				visit_finish(stream->v);
			}
		}
	}
}

static void take_hint(const struct hint *hint)
{
	if (!strcmp(hint->topic, "session.revoked")) {
		session_drop(hint->body);
		end_streams(hint->body);
		return;
	}
	struct arena *arena = arena_new();
	const struct json *json = NULL;
	if (json_parse(arena, hint->body, hint->n, &json)) {
		log_warning("%s pushed a hint that is not JSON", hint->source);
	} else if (!strcmp(hint->topic, "notice")) {
		on_notice(arena, hint->source, json);
	} else if (!strcmp(hint->topic, "announcement")) {
		on_announcement(arena, hint->source, json);
	}
	arena_free(arena);
}

/* On the loop's thread. */
static void on_posted(void *arg)
{
	struct hint *hint = arg;
	take_hint(hint);
	free(hint->topic);
	free(hint->body);
	free(hint);
}

/* On a thread of the bus. */
static void on_event(void *arg, const char *topic, struct bytes body)
{
	struct hint *hint = calloc(1, sizeof *hint);
	if (!hint) {
		abort();
	}
	hint->source = arg;
	hint->topic = strdup(topic);
	hint->body = strndup(body.n ? (const char *)body.data : "", body.n);
	if (!hint->topic || !hint->body) {
		abort();
	}
	hint->n = strlen(hint->body);
	loop_post(gateway.loop, on_posted, hint);
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
	} else if (err == ERR_UNAUTHENTICATED || now_ms - stream->confirmed_ms > UNCHECKED_MAX_MS) {
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
	struct session_wait *wait = session_recheck(stream->v->token, on_checked, stream);
	if (wait) {
		stream->wait = wait;
	}
}

static void on_heartbeat(void *arg)
{
	struct stream *stream = arg;
	stream->timer =
		loop_after(gateway.loop, gateway.conf->sse_heartbeat_ms, on_heartbeat, stream);
	send_text(stream, ":\n\n", 3);
	if (clock_steady_ms() - stream->checked_ms >= RECHECK_MS) {
		check_stream(stream);
	}
}

static void open_stream(struct visit *v)
{
	struct stream *stream = arena_alloc(v->arena, sizeof *stream);
	int64_t now_ms = clock_steady_ms();
	*stream = (struct stream){ .v = v, .checked_ms = now_ms, .confirmed_ms = now_ms };
	v->state = stream;
	link_stream(stream);
	stream->timer =
		loop_after(gateway.loop, gateway.conf->sse_heartbeat_ms, on_heartbeat, stream);
	unsigned char jitter;
	crypto_random(&jitter, 1);
	const char *text = arena_printf(v->arena, "retry: %d\n%s", RETRY_MS + jitter * 8,
		event_text(v->arena, "sync", "gateway", "{}"));
	send_text(stream, text, strlen(text));
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

static void events_drain(struct visit *v)
{
	struct stream *stream = v->state;
	if (stream && stream->is_behind) {
		struct arena *arena = arena_new();
		const char *text = event_text(arena, "sync", "gateway", "{}");
		stream->is_behind = false;
		send_text(stream, text, strlen(text));
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

/* Notices may have been said to nobody: every page reads again. */
static void on_notification_back(void)
{
	struct arena *arena = arena_new();
	send_to_all(NULL, 0, event_text(arena, "sync", "gateway", "{}"));
	arena_free(arena);
}

/* What was pushed while a link was down is lost. */
static void on_link_check(void *arg)
{
	bool is_notification_up = bus_is_up(gateway.bus, "notification");
	bool is_auth_up = bus_is_up(gateway.bus, "auth");
	if (is_notification_up && !was_notification_up && streams_n) {
		on_notification_back();
	}
	if (is_auth_up && !was_auth_up && streams_n) {
		on_auth_back();
	}
	was_notification_up = is_notification_up;
	was_auth_up = is_auth_up;
	link_timer = loop_after(gateway.loop, LINK_CHECK_MS, on_link_check, NULL);
}

/* ---- start and stop ---- */

void sse_start(void)
{
	static char notification[] = "notification", auth[] = "auth";
	bus_subscribe(gateway.bus, notification, on_event, notification);
	bus_subscribe(gateway.bus, auth, on_event, auth);
	on_link_check(NULL);
}

void sse_drain(void)
{
	end_streams(NULL);
}

void sse_stop(void)
{
	loop_cancel(gateway.loop, link_timer);
	loop_cancel(gateway.loop, sweep_timer);
	link_timer = sweep_timer = NULL;
}
