/*
 * A sink: OTLP/HTTP with JSON (OpenTelemetry's protocol, the JSON mapping of its version 1), one
 * request a batch. The stored line is the body of a log record, byte for byte.
 *
 * The protocol says that a request which is refused for good must not be sent again. Ours is: an
 * audit log does not lose events because a token has run out. Only what a collector has taken and
 * then, record by record, turned down counts as delivered, and is told in the log.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/http_client.h"
#include "libcommon/json.h"
#include "libcommon/log.h"
#include "services/audit/sink.h"

#define SEVERITY_INFO 9
#define SEVERITY_WARN 13
/* An answer holds a count and a sentence. */
#define ANSWER_MAX ((size_t)64 * 1024)
#define HEADERS_MAX 2

/* ---- what is sent ---- */

static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
	json_quote(out, value);
	buf_text(out, "}}");
}

/* 64-bit numbers are texts in protobuf's JSON. */
static void add_record(struct buf *out, const struct sink_event *event)
{
	buf_printf(out,
		"{\"timeUnixNano\":\"%" PRId64 "000000\",\"observedTimeUnixNano\":\"%" PRId64
		"000000\","
		"\"severityNumber\":%d,\"severityText\":\"%s\",\"body\":{\"stringValue\":",
		event->unix_ms, clock_unix_ms(), event->has_failed ? SEVERITY_WARN : SEVERITY_INFO,
		event->has_failed ? "WARN" : "INFO");
	json_quote(out, event->line);
	buf_text(out, "},\"attributes\":[");
	add_text(out, "log.record.uid", event->id);
	buf_char(out, ',');
	add_text(out, "manabiya.operation", event->operation);
	buf_char(out, ',');
	add_text(out, "manabiya.tenant", event->tenant_id);
	buf_printf(out, ",{\"key\":\"manabiya.sequence\",\"value\":{\"intValue\":\"%s\"}}]}",
		event->sequence);
}

void otlp_body(const struct batch *batch, struct buf *out)
{
	buf_text(out, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
	add_text(out, "service.name", "manabiya");
	buf_char(out, ',');
	add_text(out, "host.name", sink_conf.host_name);
	buf_text(
		out, "]},\"scopeLogs\":[{\"scope\":{\"name\":\"manabiya.audit\"},\"logRecords\":[");
	for (size_t i = 0; i < batch->n; i++) {
		if (i)
			buf_char(out, ',');
		add_record(out, &batch->events[i]);
	}
	buf_text(out, "]}]}]}");
}

/* ---- what is answered ---- */

/* Collectors write the count as protobuf's JSON says, or as a plain number. */
static int64_t count_of(const struct json *value)
{
	const char *text = json_text(value);
	return text ? strtoll(text, NULL, 10) : json_integer(value, 0);
}

static void tell_of_rejected(struct call *c, const struct http_client_reply *reply)
{
	const struct json *answer;
	if (!reply->body_n || json_parse(c->arena, reply->body, reply->body_n, &answer))
		return;
	const struct json *partial = json_member(answer, "partialSuccess");
	int64_t n = count_of(json_member(partial, "rejectedLogRecords"));
	if (n > 0)
		log_event(LOG_LEVEL_WARNING, "the collector turned down log records",
			LOG_INT("records", n),
			LOG_TEXT("reason", json_text(json_member(partial, "errorMessage"))));
}

static enum err send_batch(struct call *c, const struct batch *batch)
{
	struct buf body = { .arena = c->arena };
	struct http_client_reply reply;
	const char *headers[HEADERS_MAX + 1] = { "Content-Type: application/json" };
	if (*sink_conf.otlp_header)
		headers[1] = sink_conf.otlp_header;
	otlp_body(batch, &body);
	const struct http_client_request request = {
		.method = "POST",
		.url = sink_conf.otlp_url,
		.headers = headers,
		.body = { (const unsigned char *)body.data, body.n },
		.ca_file = sink_conf.otlp_ca,
		.timeout_ms = SINK_SEND_MS,
		.answer_max = ANSWER_MAX,
	};
	if (http_client_send(c->arena, &request, &reply))
		return fail(c, ERR_UNAVAILABLE, "the collector does not answer");
	if (reply.status < 200 || reply.status >= 300)
		return fail(c, ERR_UNAVAILABLE, "the collector answers %u", reply.status);
	tell_of_rejected(c, &reply);
	return OK;
}

struct sink sink_otlp = { .name = "otlp", .send = send_batch };

enum err sink_otlp_run(struct call *c, bool *more)
{
	return *sink_conf.otlp_url ? pipeline_run(c, &sink_otlp, more) : OK;
}
