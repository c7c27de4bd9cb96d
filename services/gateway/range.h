/* Conditional and range requests (RFC 9110, 13 and 14). */
#ifndef MANABIYA_GATEWAY_RANGE_H
#define MANABIYA_GATEWAY_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum range_kind {
	RANGE_NONE, /* absent, or a form that may be ignored (several ranges, other units) */
	RANGE_FROM, /* first, and last or INT64_MAX */
	RANGE_SUFFIX, /* the last `last` bytes */
};

/* What a Range header asks for, before the length is known. */
struct range {
	enum range_kind kind;
	int64_t first, last;
};

/* `header` may be NULL. */
struct range range_parse(const char *header);

/* Which bytes of `total` that is; false: none of them (416). RANGE_NONE is all. */
bool range_resolve(struct range range, int64_t total, int64_t *first, int64_t *length);

/* Is the entity tag in a list as of If-None-Match (`*`, or tags, weak comparison)? */
bool etag_is_listed(const char *list, const char *etag);

/* May the range be served, judged by If-Range (NULL: absent; only strong tags count, dates never)?
 */
bool range_is_current(const char *if_range, const char *etag);

#endif
