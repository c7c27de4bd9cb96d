/*
 * Whatever stands in a request that the protocol side let through: the gateway's readers of paths,
 * queries, ranges, tokens, languages and traces. Paths that are found sound must decode to text
 * that stays inside the tree, and a query beside them must not name what the path names.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "services/gateway/csrf.h"
#include "services/gateway/path.h"
#include "services/gateway/problem.h"
#include "services/gateway/range.h"
#include "services/gateway/route.h"
#include "services/gateway/samples.h"
#include "services/gateway/session.h"
#include "services/gateway/trace.h"

#define CALL "01900000-1111-7222-8333-444444444444"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void read_path(struct arena *arena, const char *text)
{
	if (!path_is_sound(text))
		return;
	const char *decoded = path_decode(arena, text, strlen(text), false);
	must(decoded && decoded[0] == '/' && !strstr(decoded, "/../") && !strstr(decoded, "//"));
	struct route_match match = route_find(arena, "GET", text);
	if (match.route)
		must(query_is_sound(arena, match.params, ""));
}

static void read_query(struct arena *arena, const char *text)
{
	static const char taken[] = "userId=1&classId=2";
	if (query_is_sound(arena, text, taken))
		must(!strstr(text, "&userId=") && strncmp(text, "classId=", 8) != 0);
}

static void read_range(const char *text)
{
	int64_t first, length;
	struct range range = range_parse(text);
	if (range_resolve(range, 1000, &first, &length))
		must(first >= 0 && length > 0 && first + length <= 1000);
	(void)etag_is_listed(text, "\"tag\"");
	(void)range_is_current(text, "\"tag\"");
}

static void read_headers(struct arena *arena, const char *text)
{
	struct request request = { .method = "POST", .authority = "school.example" };
	bool is_bearer;
	request.headers[request.headers_n++] = (struct header){ "cookie", text };
	const char *token = session_token(arena, &request, &is_bearer);
	must(!token || strlen(token) == SESSION_TOKEN_LENGTH);
	request.headers[0].name = "origin";
	must(!csrf_is_same_site(&request, false) || !strcmp(text, "https://school.example"));
	(void)content_type_is(text, "application/json");
	(void)language_of(text);
	must(trace_is_valid(trace_parent(arena, text, CALL)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* A copy without slack, so that reading past the end is seen. */
	char *text = malloc(n + 1);
	if (!text)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	struct arena *arena = arena_new();
	static bool has_routes;
	if (!has_routes)
		route_start(gateway_routes, gateway_routes_n);
	has_routes = true;
	read_path(arena, text);
	read_query(arena, text);
	read_range(text);
	read_headers(arena, text);
	if (n > 0 && text[n - 1] == '\n') /* the table is large, so not for every text */
		samples_add(samples_new(arena), text, n);
	arena_free(arena);
	free(text);
	return 0;
}
