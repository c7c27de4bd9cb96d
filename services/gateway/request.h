/* What HTTP/1 and HTTP/2 ask of a request alike, and how both fill `struct request`. */
#ifndef MANABIYA_GATEWAY_REQUEST_H
#define MANABIYA_GATEWAY_REQUEST_H

#include <stdbool.h>

#include "services/gateway/exchange.h"

/* The name of a method that we serve (static), or NULL. TRACE and CONNECT never are. */
const char *request_method(const char *name);

/* Adds one header; the texts must live as long as the request. False: more than HEADERS_MAX. */
bool request_add(struct request *request, const char *name, const char *value);

/* Takes a target apart, in place: `/path?query` or `https://authority/path?query`, of which the
 * authority must be the request's own. False: not a target that RFC 3986 knows. */
bool request_set_target(struct request *request, char *target);

/* `host` or `host:port`, without user information. */
bool request_is_authority(const char *text);

/* The digits of a Content-Length: at most 18 of them, nothing else. -1: no number. */
int64_t request_length(const char *text);

#endif
