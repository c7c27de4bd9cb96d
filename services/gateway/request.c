/*
 * Checks that do not depend on how a request travelled. Whatever two readers could understand in
 * two ways is refused here, so that no later part has to choose.
 */
#include "services/gateway/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *request_method(const char *name)
{
	static const char *const METHODS[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD",
		"OPTIONS" };
	for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
		if (strcmp(name, METHODS[i]) == 0)
			return METHODS[i];
	}
	return NULL;
}

bool request_add(struct request *request, const char *name, const char *value)
{
	if (request->headers_n == HEADERS_MAX)
		return false;
	request->headers[request->headers_n++] = (struct header){ name, value };
	return true;
}

const char *request_header(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->headers_n; i++) {
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return NULL;
}

static bool is_unreserved_or_delimiter(char c)
{
	return isalnum((unsigned char)c) || (c != 0 && strchr("-._~!$&'()*+,;=", c));
}

/* Percent signs must be followed by two digits, and not spell NUL. */
static bool is_escape(const char *at)
{
	return isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]) &&
		!(at[1] == '0' && at[2] == '0');
}

/* RFC 3986's path and query, byte by byte: `extra` are the delimiters allowed besides. */
static bool is_text(const char *text, const char *extra)
{
	for (const char *at = text; *at; at++) {
		if (*at == '%') {
			if (!is_escape(at))
				return false;
		} else if (!is_unreserved_or_delimiter(*at) && !strchr(extra, *at)) {
			return false;
		}
	}
	return true;
}

static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");
	return n >= 1 && n <= 5 && text[n] == 0;
}

bool request_is_authority(const char *text)
{
	const char *end;
	if (*text == '[') {
		size_t n = strspn(text + 1, "0123456789abcdefABCDEF:.");
		if (n < 2 || text[n + 1] != ']')
			return false;
		end = text + n + 2;
	} else {
		/* Names, addresses, nothing escaped: no browser sends anything else. */
		end = text;
		while (isalnum((unsigned char)*end) || (*end && strchr("-._~", *end)))
			end++;
		if (end == text || end - text > 255)
			return false;
	}
	return *end == 0 || (*end == ':' && is_port(end + 1));
}

/* `https://authority` in front of the path; NULL when it is another scheme or another host. */
static char *skip_origin(const struct request *request, char *target)
{
	static const char scheme[] = "https://";
	if (strncasecmp(target, scheme, sizeof scheme - 1) != 0)
		return NULL;
	char *authority = target + sizeof scheme - 1;
	size_t n = strcspn(authority, "/?#");
	if (n != strlen(request->authority) || strncasecmp(authority, request->authority, n) != 0)
		return NULL;
	return authority + n;
}

bool request_set_target(struct request *request, char *target)
{
	if (*target != '/') {
		target = skip_origin(request, target);
		if (!target)
			return false;
	}
	char *query = strchr(target, '?');
	if (query)
		*query++ = 0;
	request->path = *target ? target : "/";
	request->query = query ? query : "";
	return *request->path == '/' && is_text(request->path, "/:@") &&
		is_text(request->query, "/?:@");
}

int64_t request_length(const char *text)
{
	size_t n = strspn(text, "0123456789");
	if (n == 0 || n > 18 || text[n] != 0)
		return -1;
	int64_t length = 0;
	for (const char *at = text; *at; at++)
		length = length * 10 + (*at - '0');
	return length;
}
