/* The head of an HTTP/2 request, read into an exchange field by field. */
#ifndef MANABIYA_GATEWAY_HTTP2_H
#define MANABIYA_GATEWAY_HTTP2_H

#include <stdbool.h>
#include <stddef.h>

struct exchange;

/* One field as it came out of HPACK; what is wrong with it is remembered. */
void http2_take_header(struct exchange *exchange, const char *name, size_t name_n,
	const char *value, size_t value_n);

/* The list is complete: 0, or the status to refuse with. */
unsigned http2_read_request(struct exchange *exchange, bool is_bodiless);

#endif
