/*
 * Browsers say in Sec-Fetch-Site where a request comes from, and page scripts cannot change it. The
 * few clients that do not send it (old browsers, tools with cookies) must send the exact Origin.
 */
#include "services/gateway/csrf.h"

#include <string.h>

static bool is_safe(const char *method)
{
	return !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS");
}

static bool is_own_origin(const char *origin, const char *authority)
{
	static const char scheme[] = "https://";
	return origin && !strncmp(origin, scheme, sizeof scheme - 1) &&
		!strcmp(origin + sizeof scheme - 1, authority);
}

bool csrf_is_same_site(const struct request *request, bool is_bearer)
{
	if (is_safe(request->method) || is_bearer) {
		return true;
	}
	const char *site = request_header(request, "sec-fetch-site");
	if (site) {
		return !strcmp(site, "same-origin") || !strcmp(site, "none");
	}
	return is_own_origin(request_header(request, "origin"), request->authority);
}

/* Only `charset=utf-8`, however it is written. */
static bool is_utf8_parameter(const char *text)
{
	text += strspn(text, "; \t");
	static const char *const forms[] = { "", "charset=utf-8", "charset=\"utf-8\"" };
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (!strcasecmp(text, forms[i])) {
			return true;
		}
	}
	return false;
}

bool content_type_is(const char *header, const char *wanted)
{
	if (!header) {
		return false;
	}
	size_t n = strcspn(header, "; \t");
	if (n != strlen(wanted) || strncasecmp(header, wanted, n) != 0) {
		return false;
	}
	return strcmp(wanted, "application/json") != 0 || is_utf8_parameter(header + n);
}
