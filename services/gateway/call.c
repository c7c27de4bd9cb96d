/* From HTTP to the bus and back, without looking into bodies. */
#include "services/gateway/call.h"

#include <ctype.h>
#include <string.h>

#include "libcommon/label.h"
#include "services/gateway/range.h"

struct bus_request call_request(const struct visit *v)
{
	const char *key = request_header(v->request, "idempotency-key");
	const char *type = request_header(v->request, "content-type");
	bool is_english = v->language == LANGUAGE_EN;
	int64_t timeout_ms = v->route->timeout_ms;
	return (struct bus_request){
		.service = v->route->service,
		.operation = v->route->operation,
		.capability = v->capability,
		.source = v->request->source,
		.tenant = v->actor ? v->actor->tenant_id : "",
		.idempotency_key = key && v->route->flags & ROUTE_WRITES ? key : "",
		.traceparent = v->traceparent,
		.params = { .data = (const unsigned char *)v->params, .n = strlen(v->params) },
		.content_type = type ? type : "",
		.timeout_ms = timeout_ms > 0 ? timeout_ms : gateway.conf->request_timeout_ms,
		.flags = is_english ? FRAME_ENGLISH : 0,
	};
}

bool call_may_retry(const struct visit *v)
{
	return !(v->route->flags & ROUTE_WRITES) || request_header(v->request, "idempotency-key");
}

static bool is_hop_by_hop(const char *name)
{
	static const char *const names[] = { "connection", "content-length", "content-type", "date",
		"keep-alive", "server", "te", "trailer", "transfer-encoding", "upgrade" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strcmp(name, names[i])) {
			return true;
		}
	}
	return false;
}

static bool is_header(const char *name, const char *value)
{
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && *at != '-') {
			return false;
		}
	}
	for (const char *at = value; *at; at++) {
		if ((unsigned char)*at < 0x20 && *at != '\t') {
			return false;
		}
	}
	return *name && !is_hop_by_hop(name);
}

static void add_line(struct arena *arena, const char *line, size_t n, struct reply_headers *headers)
{
	const char *colon = memchr(line, ':', n);
	/* Room is left for what the gateway adds. */
	if (!colon || headers->n + 16 > HEADERS_MAX) {
		return;
	}
	char *name = arena_strndup(arena, line, (size_t)(colon - line));
	for (char *at = name; *at; at++) {
		*at = (char)tolower((unsigned char)*at);
	}
	const char *value = colon + 1, *end = line + n;
	while (value < end && *value == ' ') {
		value++;
	}
	char *copy = arena_strndup(arena, value, (size_t)(end - value));
	if (is_header(name, copy)) {
		reply_header(headers, name, copy);
	}
}

void call_headers(struct arena *arena, const struct bus_reply *reply, struct reply_headers *headers)
{
	const char *at = (const char *)reply->headers.data;
	size_t left = reply->headers.n;
	while (at && left) {
		const char *end = memmem(at, left, "\r\n", 2);
		size_t n = end ? (size_t)(end - at) : left;
		add_line(arena, at, n, headers);
		size_t used = end ? n + 2 : n;
		at += used;
		left -= used;
	}
}

const char *reply_header_value(const struct reply_headers *headers, const char *name)
{
	for (size_t i = 0; i < headers->n; i++) {
		if (!strcmp(headers->items[i].name, name)) {
			return headers->items[i].value;
		}
	}
	return NULL;
}

bool call_was_answered(const struct bus_reply *reply)
{
	bool is_status = reply->status >= 200 && reply->status <= 599;
	return is_status && (!reply->err || reply->body.n > 0);
}

void call_label(struct visit *v, const struct bus_reply *reply)
{
	v->label = label_gravest(v->label, reply->label);
}

static bool is_not_modified(
	const struct visit *v, const struct bus_reply *reply, const struct reply_headers *headers)
{
	const char *etag = reply_header_value(headers, "etag");
	const char *wanted = request_header(v->request, "if-none-match");
	return reply->status == 200 && etag && wanted && !(v->route->flags & ROUTE_WRITES) &&
		etag_is_listed(wanted, etag);
}

void call_answer(struct visit *v, const struct bus_reply *reply)
{
	if (!call_was_answered(reply)) {
		visit_refuse(v, problem_of_status(reply->status), retry_after_s());
		return;
	}
	struct reply_headers headers = { .n = 0 };
	call_headers(v->arena, reply, &headers);
	/* Personal data: it must not stay on the disk of a computer that pupils share. */
	if (!reply_header_value(&headers, "cache-control")) {
		reply_header(&headers, "cache-control", "no-store");
	}
	if (is_not_modified(v, reply, &headers)) {
		visit_answer(v, 304, NULL, (struct bytes){ .n = 0 }, &headers);
		return;
	}
	const char *type = reply->content_type.n
		? arena_strndup(
			  v->arena, (const char *)reply->content_type.data, reply->content_type.n)
		: NULL;
	visit_answer(v, reply->status, type, reply->body, &headers);
}
