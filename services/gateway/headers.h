/* The headers that every reply carries, and what of the application's is let through. */
#ifndef MANABIYA_GATEWAY_HEADERS_H
#define MANABIYA_GATEWAY_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "services/gateway/exchange.h"

/* The security headers, for a protocol that encodes each of them; lower-case names. */
extern const struct header headers_security[];
extern const size_t headers_security_n;

/* The same as lines of HTTP/1. Made once; never freed. */
const char *headers_security_lines(size_t *n);

/* "Sun, 06 Nov 1994 08:49:37 GMT", of now; valid until the next call. */
const char *headers_date(void);

/* May a header of the application be sent: a lower-case token and a clean value, and none of those
 * that the protocol side makes itself? */
bool headers_is_allowed(const struct header *header);

/* What the wire says for a status: "Not Found"; "Status" for those without a name. */
const char *headers_reason(unsigned status);

#endif
