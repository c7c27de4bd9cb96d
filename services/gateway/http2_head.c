/*
 * From header fields to a request. nghttp2 has refused what RFC 9113 calls malformed; here are the
 * limits, and the rules that HTTP/1 has too.
 */
#include "services/gateway/http2.h"

#include <string.h>
#include <strings.h>

#include "libcommon/buf.h"
#include "services/gateway/connection.h"
#include "services/gateway/head.h"
#include "services/gateway/request.h"

/* Cookies may come in crumbs (RFC 9113, 8.2.3); the application sees one. */
static void join_cookies(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	struct header *cookie = NULL;
	struct buf joined = { .arena = exchange->arena };
	size_t kept = 0;
	for (size_t i = 0; i < request->headers_n; i++) {
		struct header header = request->headers[i];
		bool is_cookie = strcmp(header.name, "cookie") == 0;
		if (is_cookie)
			buf_printf(&joined, "%s%s", cookie ? "; " : "", header.value);
		if (is_cookie && cookie)
			continue;
		request->headers[kept] = header;
		if (is_cookie)
			cookie = &request->headers[kept];
		kept++;
	}
	request->headers_n = kept;
	if (cookie)
		cookie->value = joined.data;
}

static bool take_pseudo_header(struct request *request, const char *name, const char *value)
{
	if (strcmp(name, ":method") == 0)
		request->method = value;
	else if (strcmp(name, ":path") == 0)
		request->path = value;
	else if (strcmp(name, ":authority") == 0)
		request->authority = value;
	else if (strcmp(name, ":scheme") == 0)
		return strcmp(value, "https") == 0;
	else
		return false;
	return true;
}

static bool take_header(struct exchange *exchange, const char *name, const char *value)
{
	if (*name == ':')
		return take_pseudo_header(&exchange->request, name, value);
	return exchange->request.headers_n < exchange->connection->head_limits.fields &&
		request_add(&exchange->request, name, value);
}

void http2_take_header(struct exchange *exchange, const char *name, size_t name_n,
	const char *value, size_t value_n)
{
	if (exchange->is_malformed)
		return; /* is refused already: nothing more is kept of it */
	exchange->head_n += name_n + value_n + 32; /* as RFC 9113 counts, 6.5.2 */
	exchange->is_malformed = exchange->head_n > exchange->connection->head_limits.bytes ||
		value_n > HEAD_LINE_MAX ||
		!take_header(exchange, arena_strndup(exchange->arena, name, name_n),
			arena_strndup(exchange->arena, value, value_n));
}

/* `:authority` may be missing when there is a Host; both must say the same. */
static bool has_one_authority(struct request *request)
{
	for (size_t i = 0; i < request->headers_n; i++) {
		if (strcmp(request->headers[i].name, "host") != 0)
			continue;
		if (!request->authority)
			request->authority = request->headers[i].value;
		else if (strcasecmp(request->authority, request->headers[i].value) != 0)
			return false;
	}
	return request->authority && request_is_authority(request->authority);
}

unsigned http2_read_request(struct exchange *exchange, bool is_bodiless)
{
	struct request *request = &exchange->request;
	if (exchange->is_malformed || !request->method || !request->path ||
		!has_one_authority(request) || *request->path != '/' ||
		strcmp(request->method, "TRACE") == 0 || strcmp(request->method, "CONNECT") == 0 ||
		!request_set_target(request, arena_strdup(exchange->arena, request->path)))
		return 400;
	join_cookies(exchange);
	request->method = request_method(request->method);
	if (!request->method)
		return 501;
	const char *length = request_header(request, "content-length");
	const char *expect = request_header(request, "expect");
	request->content_length = is_bodiless ? 0 : length ? request_length(length) : -1;
	if (length && request_length(length) < 0)
		return 400;
	return expect && strcasecmp(expect, "100-continue") != 0 ? 417 : 0;
}
