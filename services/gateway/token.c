/* Where the session token stands in a request. Refuses tokens that stand there twice with different
 * values: two readers could take different ones. */
#include <string.h>

#include "services/gateway/session.h"

static bool is_base64url(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_';
}

static bool is_token(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_base64url(text[i])) {
			return false;
		}
	}
	return n == SESSION_TOKEN_LENGTH;
}

/* What was found so far; `broken` once something was there that cannot be a token. */
struct found {
	const char *text;
	bool broken;
};

static void take(struct found *found, const char *text, size_t n)
{
	bool is_other = found->text && strncmp(found->text, text, n) != 0;
	if (!is_token(text, n) || is_other) {
		found->broken = true;
	}
	found->text = text;
}

static void search_cookie(struct found *found, const char *cookie)
{
	static const char name[] = "__Host-sid=";
	while (*cookie) {
		cookie += strspn(cookie, " ;");
		size_t n = strcspn(cookie, ";");
		if (!strncmp(cookie, name, sizeof name - 1)) {
			const char *value = cookie + sizeof name - 1;
			take(found, value, strcspn(value, "; "));
		}
		cookie += n;
	}
}

const char *session_token(struct arena *arena, const struct request *request, bool *is_bearer)
{
	struct found cookie = { .text = NULL }, bearer = { .text = NULL };
	for (size_t i = 0; i < request->headers_n; i++) {
		const struct header *header = &request->headers[i];
		if (!strcmp(header->name, "cookie")) {
			search_cookie(&cookie, header->value);
		} else if (!strcmp(header->name, "authorization")) {
			bool is_scheme = !strncasecmp(header->value, "Bearer ", 7);
			const char *value = header->value + (is_scheme ? 7 : 0);
			take(&bearer, value, is_scheme ? strlen(value) : 0);
		}
	}
	*is_bearer = bearer.text != NULL;
	const struct found *found = bearer.text ? &bearer : &cookie;
	if (!found->text || found->broken) {
		return NULL;
	}
	return arena_strndup(arena, found->text, SESSION_TOKEN_LENGTH);
}
