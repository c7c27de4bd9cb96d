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

struct status {
	unsigned status;
	const char *reason;
	const char *problem;
};

#define PROBLEM(status_, title_, code_)                                                            \
	"{\"type\":\"about:blank\",\"title\":\"" title_ "\",\"status\":" #status_                  \
	",\"code\":\"" code_ "\"}"

static const struct status STATUSES[] = {
	{ 200, "OK", NULL },
	{ 201, "Created", NULL },
	{ 202, "Accepted", NULL },
	{ 204, "No Content", NULL },
	{ 206, "Partial Content", NULL },
	{ 301, "Moved Permanently", NULL },
	{ 302, "Found", NULL },
	{ 303, "See Other", NULL },
	{ 304, "Not Modified", NULL },
	{ 307, "Temporary Redirect", NULL },
	{ 308, "Permanent Redirect", NULL },
	{ 400, "Bad Request", PROBLEM(400, "Bad Request", "malformed_request") },
	{ 401, "Unauthorized", NULL },
	{ 403, "Forbidden", NULL },
	{ 404, "Not Found", NULL },
	{ 405, "Method Not Allowed", NULL },
	{ 406, "Not Acceptable", NULL },
	{ 408, "Request Timeout", PROBLEM(408, "Request Timeout", "request_timeout") },
	{ 409, "Conflict", NULL },
	{ 410, "Gone", NULL },
	{ 412, "Precondition Failed", NULL },
	{ 413, "Content Too Large", PROBLEM(413, "Content Too Large", "content_too_large") },
	{ 415, "Unsupported Media Type", NULL },
	{ 416, "Range Not Satisfiable", NULL },
	{ 417, "Expectation Failed", PROBLEM(417, "Expectation Failed", "expectation_failed") },
	{ 422, "Unprocessable Content", NULL },
	{ 428, "Precondition Required", NULL },
	{ 429, "Too Many Requests", NULL },
	{ 500, "Internal Server Error", NULL },
	{ 501, "Not Implemented", PROBLEM(501, "Not Implemented", "method_unknown") },
	{ 503, "Service Unavailable", NULL },
	{ 504, "Gateway Timeout", NULL },
	{ 505, "HTTP Version Not Supported",
		PROBLEM(505, "HTTP Version Not Supported", "version_unknown") },
};

static const struct status *find(unsigned status)
{
	for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
		if (STATUSES[i].status == status)
			return &STATUSES[i];
	}
	return NULL;
}

const char *headers_reason(unsigned status)
{
	const struct status *found = find(status);
	return found ? found->reason : "Status";
}

const char *headers_problem(unsigned status)
{
	const struct status *found = find(status);
	return found && found->problem ? found->problem : find(400)->problem;
}
