/*
 * The headers of an upload (tus 1.0; there is no multipart here): lines of `name: value` as a
 * request carries them, through the gateway's length, content type, Range and declared parameters,
 * into learning's readers. What passes must lie within the contract.
 */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "learning_proto.h"
#include "libcommon/call.h"
#include "services/gateway/csrf.h"
#include "services/gateway/range.h"
#include "services/gateway/request.h"
#include "services/gateway/route.h"

#define UPLOAD_MAX INT64_C(268435456) /* proto/learning.yaml */
#define MEDIA "/v1/media/01900000-1111-7222-8333-444444444444"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void read_lines(struct request *request, char *text)
{
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		char *colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = 0;
		for (char *at = line; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		(void)request_add(request, line, colon + 1 + strspn(colon + 1, " "));
	}
}

/* As params_step() of app.c does it. */
static struct buf params_of(
	struct arena *arena, const struct request *request, const struct route_match *match)
{
	struct buf out = { .arena = arena };
	buf_text(&out, match->params);
	for (const struct route_header *h = match->route->headers; h && h->header; h++) {
		const char *value = request_header(request, h->header);
		if (value)
			route_param_add(&out, h->param, value, strlen(value), false);
	}
	return out;
}

static void play(struct call *c, const struct request *request, const char *method,
	const char *path, const struct shape *shape, void *in)
{
	struct route_match match = route_find(c->arena, method, path);
	must(match.route != NULL);
	struct buf params = params_of(c->arena, request, &match);
	if (shape_read_params(c, shape, params.n ? params.data : "", params.n, in))
		must(c->failure.problem && failure_json(c));
}

static void read_uploads(struct call *c, const struct request *request)
{
	struct learning_media_create_in create = { .upload_length = 1 };
	struct learning_media_append_in append = { .upload_offset = 0 };
	play(c, request, "POST", "/v1/media", &learning_media_create_in_shape, &create);
	play(c, request, "PATCH", MEDIA, &learning_media_append_in_shape, &append);
	must(create.upload_length >= 0 && create.upload_length <= UPLOAD_MAX);
	must(append.upload_offset >= 0 && append.upload_offset <= UPLOAD_MAX);
}

static void read_body_headers(const struct request *request)
{
	const char *length = request_header(request, "content-length");
	const char *type = request_header(request, "content-type");
	must(!length || request_length(length) >= -1);
	if (type && content_type_is(type, "application/offset+octet-stream"))
		must(!strncasecmp(type, "application/offset+octet-stream", 31));
	int64_t first, n;
	struct range range = range_parse(request_header(request, "range"));
	if (range_resolve(range, UPLOAD_MAX, &first, &n))
		must(first >= 0 && n > 0 && first + n <= UPLOAD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool has_routes;
	if (!has_routes)
		route_start(gateway_routes, gateway_routes_n);
	has_routes = true;
	struct call c = { .arena = arena_new(), .call_id = "fuzz" };
	struct request request = { .method = "POST", .authority = "school.example" };
	read_lines(&request, arena_strndup(c.arena, (const char *)data, n));
	read_body_headers(&request);
	read_uploads(&c, &request);
	arena_free(c.arena);
	return 0;
}
