/*
 * GET /v1/events. Each event is a CloudEvents 1.0 object that carries ids only: the page reads
 * again what it shows, with its own rights. Nothing is kept for those who are away; the first event
 * of a stream is `sync`, which means: read everything again.
 *
 * A stream ends when its session does: at once when auth says so, and at the latest at the next
 * check.
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
#define LINK_CHECK_MS 1000 /* how soon pages are told that hints may have been lost */
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
static struct timer *link_timer;
static bool was_up;

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

/* Hints that were pushed while the link was down are lost: when it is back, every page reads again.
 */
static void on_link_check(void *arg)
{
	bool is_up = bus_is_up(gateway.bus, "notification");
	if (is_up && !was_up && streams_n) {
		struct arena *arena = arena_new();
		send_to_all(NULL, 0, event_text(arena, "sync", "gateway", "{}"));
		arena_free(arena);
	}
	was_up = is_up;
	link_timer = loop_after(gateway.loop, LINK_CHECK_MS, on_link_check, NULL);
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

static void on_heartbeat(void *arg)
{
	struct stream *stream = arg;
	stream->timer =
		loop_after(gateway.loop, gateway.conf->sse_heartbeat_ms, on_heartbeat, stream);
	send_text(stream, ":\n\n", 3);
	int64_t now_ms = clock_steady_ms();
	if (stream->wait || now_ms - stream->checked_ms < RECHECK_MS) {
		return;
	}
	stream->checked_ms = now_ms;
	struct session_wait *wait = session_recheck(stream->v->token, on_checked, stream);
	if (wait) {
		stream->wait = wait;
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
	link_timer = NULL;
}
