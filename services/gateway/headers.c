/*
 * The headers that every reply carries, whoever made it: an answer without them would be a hole in
 * the browser's defences, so neither the application nor a service can leave them out.
 */
#include "services/gateway/headers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcommon/clock.h"
#include "services/gateway/queue.h"

const struct header headers_security[] = {
	{ "content-security-policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: "
		"blob:; "
		"media-src 'self' blob:; connect-src 'self'; font-src 'self'; form-action 'self'; "
		"frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
		"require-trusted-types-for 'script'" },
	{ "strict-transport-security", "max-age=63072000" }, /* two years */
	{ "cross-origin-opener-policy", "same-origin" },
	{ "cross-origin-resource-policy", "same-origin" },
	{ "x-content-type-options", "nosniff" },
	{ "referrer-policy", "no-referrer" },
	{ "permissions-policy", "camera=(self)" },
};
const size_t headers_security_n = sizeof headers_security / sizeof *headers_security;

/* Made by the protocol side: framing, the connection, and the date. */
static const char *const RESERVED[] = { "connection", "content-length", "date", "keep-alive",
	"proxy-connection", "server", "te", "trailer", "transfer-encoding", "upgrade" };

const char *headers_security_lines(size_t *n)
{
	static struct queue lines;
	if (!queue_n(&lines)) {
		for (size_t i = 0; i < headers_security_n; i++) {
			queue_text(&lines, headers_security[i].name);
			queue_text(&lines, ": ");
			queue_text(&lines, headers_security[i].value);
			queue_text(&lines, "\r\n");
		}
	}
	*n = queue_n(&lines);
	return queue_data(&lines);
}

const char *headers_date(void)
{
	static char text[64];
	static time_t of;
	time_t now = (time_t)(clock_unix_ms() / 1000);
	if (now != of) {
		struct tm tm;
		gmtime_r(&now, &tm);
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		of = now;
	}
	return text;
}

static bool is_name(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-' ||
			    *at == '_'))
			return false;
	}
	return *name != 0;
}

static bool is_value(const char *value)
{
	for (const char *at = value; *at; at++) {
		if ((unsigned char)*at < 0x20 ? *at != '\t' : *at == 0x7f)
			return false;
	}
	return true;
}

bool headers_is_allowed(const struct header *header)
{
	for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++) {
		if (strcmp(header->name, RESERVED[i]) == 0)
			return false;
	}
	for (size_t i = 0; i < headers_security_n; i++) {
		if (strcmp(header->name, headers_security[i].name) == 0)
			return false;
	}
	return is_name(header->name) && is_value(header->value);
}

static const struct {
	unsigned status;
	const char *reason;
} STATUSES[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *headers_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
		if (STATUSES[i].status == status)
			return STATUSES[i].reason;
	}
	return "Status";
}
