/* The generated table of routes (gateway_routes.c, from proto/) and the search in it. */
#ifndef MANABIYA_GATEWAY_ROUTE_H
#define MANABIYA_GATEWAY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/shape.h"

enum route_flag {
	ROUTE_ANONYMOUS = 1 << 0, /* no session needed */
	ROUTE_STREAM_REQUEST = 1 << 1,
	ROUTE_STREAM_RESPONSE = 1 << 2,
	ROUTE_EVENTS = 1 << 3, /* server-sent events */
	ROUTE_IDEMPOTENCY_KEY = 1 << 4, /* refuse without Idempotency-Key */
	ROUTE_IF_MATCH = 1 << 5, /* refuse without If-Match (428) */
	ROUTE_WRITES = 1 << 6,
	ROUTE_INITIAL = 1 << 7, /* also before the one-time secret was changed */
	ROUTE_CLOSED = 1 << 8, /* also when the contract is closed */
};

/* A request header that travels as a parameter: { "upload-offset", "uploadOffset" }. */
struct route_header {
	const char *header, *param;
};

struct route_part {
	const char *service, *operation;
};

struct route {
	const char *method;
	const char *path; /* template: "/v1/users/{userId}/features" */
	const char *service, *operation; /* service "gateway" for its own */
	unsigned flags;
	enum label label; /* the class of what the operation touches */
	unsigned allow; /* a mask of enum role, from x-allow */
	int64_t body_max; /* bytes; 0: no body */
	const char *content_type; /* the one that the request body must have; NULL: no body */
	int64_t timeout_ms; /* from x-timeout-ms; 0: --request-timeout-ms */
	const struct route_header *headers; /* NULL-name terminated */
	const struct route_part *fanout; /* NULL-service terminated, or NULL */
	const char *const
		*subjects; /* NULL terminated, or NULL: the query's ids, of what a list is */
};

extern const struct route gateway_routes[];
extern const size_t gateway_routes_n;

struct route_match {
	const struct route *route; /* NULL: none */
	const char
		*params; /* the path's parameters as `name=value&…`, percent-encoded as they came */
	const char *allowed; /* when the path exists with other methods: "GET, POST" for 405 */
};

/* Build the search tree over a table that outlives it; route_stop() frees it. Once, before
 * route_find(). */
void route_start(const struct route *routes, size_t n);
void route_stop(void);

/* Append `name=value` to parameters. `is_encoded`: the value is percent-encoded already and keeps
 * that; everything else that is not unreserved (RFC 3986) becomes encoded. */
void route_param_add(
	struct buf *out, const char *name, const char *value, size_t n, bool is_encoded);

/* `path` is percent-encoded and sound (path.h). HEAD finds GET where no HEAD route exists. */
struct route_match route_find(struct arena *arena, const char *method, const char *path);

#endif
