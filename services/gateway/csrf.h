/* Cross-site request forgery: is an unsafe request our own page's? */
#ifndef MANABIYA_GATEWAY_CSRF_H
#define MANABIYA_GATEWAY_CSRF_H

#include <stdbool.h>

#include "services/gateway/exchange.h"

/* True when the request may go on. `is_bearer`: it carries a bearer token, which no other site can
 * make a browser send. */
bool csrf_is_same_site(const struct request *request, bool is_bearer);

/* Does a Content-Type header (NULL: absent) mean `wanted`? Parameters other than charset=utf-8 are
 * refused for JSON and allowed for the rest. */
bool content_type_is(const char *header, const char *wanted);

#endif
