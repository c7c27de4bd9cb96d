/* Lists page by page; see page.h. */
#include "libcommon/page.h"

#include <assert.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

enum err page_read(struct call *c, const char *cursor, bool has_limit, int64_t limit, size_t parts,
	struct page *out)
{
	assert(parts > 0);
	*out = (struct page){ .limit = has_limit ? (size_t)limit : PAGE_DEFAULT };
	out->rows = db_integer(c, (int64_t)out->limit + 1);
	enum err e = cursor_read(c, cursor, out->after, parts);
	if (e || cursor == NULL)
		return e;
	const char *id = out->after[parts - 1];
	if (id != NULL && is_uuid(id))
		return OK;
	return fail_field(c, "/cursor", "続きの位置が正しくありません。",
		"is not the nextCursor of a page before");
}

bool page_goes_on(const struct page *page, size_t *n)
{
	if (*n <= page->limit)
		return false;
	*n = page->limit;
	return true;
}

void page_link(struct call *c, const void *in, const void *out, struct buf *headers)
{
	const struct shape *asked = c->op->in, *answered = c->op->out;
	const struct field *next = answered ? shape_find(answered, PLACE_BODY, "nextCursor") : NULL;
	const struct field *cursor = asked ? shape_find(asked, PLACE_PARAM, "cursor") : NULL;
	const char *place = NULL;
	if (next && cursor)
		memcpy(&place, (const char *)out + next->offset, sizeof(place));
	if (!place)
		return;
	char *again = arena_alloc(c->arena, asked->size);
	memcpy(again, in, asked->size);
	memcpy(again + cursor->offset, &place, sizeof(place));
	buf_text(headers, "Link: <?");
	shape_write_query(asked, again, headers);
	buf_text(headers, ">; rel=\"next\"\r\n");
}
