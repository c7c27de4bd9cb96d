/*
 * Lists page by page: `cursor` and `limit` in, `items` and `nextCursor` out.
 *
 * A cursor holds what the last item of a page is sorted by, or its number where that is personal,
 * and its id last, so that the next page goes on behind that place even if the item is gone by
 * then. A statement asks for `rows`, one more than the page holds: whether that one comes tells
 * whether there is another page, without counting.
 */
#ifndef MANABIYA_PAGE_H
#define MANABIYA_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/call.h"

#define PAGE_DEFAULT 50 /* items when nobody says: what one screen of a tablet shows */

struct page {
	size_t limit;
	const char *rows; /* for LIMIT */
	const char *after[CURSOR_PARTS]; /* all NULL at the first page */
};

/* `parts` as in cursor_make(); the last of them is an id, or the cursor is INVALID. */
must_check enum err page_read(struct call *c, const char *cursor, bool has_limit, int64_t limit,
	size_t parts, struct page *out);

/* Whether another page follows; *n, the number of rows that came, is then cut to the page. */
bool page_goes_on(const struct page *page, size_t *n);

/* For the skeleton: `Link: <?…>; rel="next"` (RFC 8288) where an answer has a nextCursor: the same
 * query, behind that place. The path is that of the request. */
void page_link(struct call *c, const void *in, const void *out, struct buf *headers);

#endif
