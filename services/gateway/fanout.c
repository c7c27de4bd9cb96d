/*
 * Several services asked at the same time, their answers merged into one object without parsing
 * them: {"learning":{…},"notification":null,"partial":["notification"]}. What does not answer in
 * time is null and named in `partial`; it never fails the rest.
 */
#include <string.h>

#include "services/gateway/ask.h"
#include "services/gateway/call.h"

/* One service's part; the reply's bytes are copied into the visit's arena. */
struct part {
	struct visit *v;
	const char *service;
	struct bus_request request;
	struct ask *ask; /* NULL: answered */
	struct bus_reply reply;
};

struct fanout {
	struct part *parts;
	size_t n, waiting;
};

static bool is_usable(const struct part *part)
{
	return !part->reply.err && part->reply.status == 200 && part->reply.body.n;
}

static void write_body(const struct fanout *fanout, struct buf *out)
{
	for (size_t i = 0; i < fanout->n; i++) {
		const struct part *part = &fanout->parts[i];
		buf_printf(out, "%s\"%s\":", i ? "," : "{", part->service);
		if (is_usable(part)) {
			buf_add(out, part->reply.body.data, part->reply.body.n);
		} else {
			buf_text(out, "null");
		}
	}
	buf_text(out, ",\"partial\":[");
	const char *comma = "";
	for (size_t i = 0; i < fanout->n; i++) {
		if (!is_usable(&fanout->parts[i])) {
			buf_printf(out, "%s\"%s\"", comma, fanout->parts[i].service);
			comma = ",";
		}
	}
	buf_text(out, "]}");
}

/* Nobody could say anything: then the reason is what the client needs, and all have the same. */
static bool has_failed(const struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->n; i++) {
		if (is_usable(&fanout->parts[i])) {
			return false;
		}
	}
	return true;
}

/* What would show more is the same for all parts: it is the session that has not proven it. */
static void tell_withheld(struct visit *v, const struct fanout *fanout, struct reply_headers *out)
{
	static const char name[] = "manabiya-withheld";
	for (size_t i = 0; i < fanout->n; i++) {
		struct reply_headers headers = { .n = 0 };
		call_headers(v->arena, &fanout->parts[i].reply, &headers);
		const char *value = reply_header_value(&headers, name);
		if (value && is_usable(&fanout->parts[i])) {
			reply_header(out, name, value);
			return;
		}
	}
}

static void answer(struct visit *v, const struct fanout *fanout)
{
	if (has_failed(fanout)) {
		call_answer(v, &fanout->parts[0].reply);
		return;
	}
	struct buf out = { .arena = v->arena };
	struct reply_headers headers = { .n = 0 };
	write_body(fanout, &out);
	reply_header(&headers, "cache-control", "no-store");
	tell_withheld(v, fanout, &headers);
	visit_answer(v, 200, "application/json",
		(struct bytes){ .data = (unsigned char *)out.data, .n = out.n }, &headers);
}

static struct bytes kept(struct arena *arena, struct bytes bytes)
{
	char *copy = arena_strndup(arena, bytes.n ? (const char *)bytes.data : "", bytes.n);
	return (struct bytes){ .data = (unsigned char *)copy, .n = bytes.n };
}

static void on_answer(void *arg, const struct bus_reply *reply)
{
	struct part *part = arg;
	struct visit *v = part->v;
	struct fanout *fanout = v->state;
	part->ask = NULL;
	call_label(v, reply);
	part->reply = *reply;
	part->reply.headers = kept(v->arena, reply->headers);
	part->reply.content_type = kept(v->arena, reply->content_type);
	part->reply.body = kept(v->arena, reply->body);
	if (--fanout->waiting == 0) {
		answer(v, fanout);
	}
}

static void ask_part(struct part *part, struct visit *v, const struct route_part *to)
{
	*part = (struct part){ .v = v, .service = to->service, .request = call_request(v) };
	part->request.service = to->service;
	part->request.operation = to->operation;
	part->request.timeout_ms = gateway.conf->fanout_timeout_ms;
	part->request.flags |= FRAME_LAST_WINDOW;
	struct ask_terms terms = { .may_retry = true, .exchange = v->exchange };
	part->ask = ask_send(&part->request, terms, on_answer, part);
}

static void fanout_start(struct visit *v)
{
	struct fanout *fanout = arena_alloc(v->arena, sizeof *fanout);
	v->state = fanout;
	while (v->route->fanout[fanout->n].service) {
		fanout->n++;
	}
	fanout->waiting = fanout->n;
	fanout->parts = arena_array(v->arena, fanout->n, sizeof *fanout->parts);
	for (size_t i = 0; i < fanout->n; i++) {
		ask_part(&fanout->parts[i], v, &v->route->fanout[i]);
	}
}

static void fanout_gone(struct visit *v)
{
	const struct fanout *fanout = v->state;
	for (size_t i = 0; i < fanout->n; i++) {
		ask_cancel(fanout->parts[i].ask);
	}
}

const struct way fanout_way = { .label = "fanout", .start = fanout_start, .gone = fanout_gone };
