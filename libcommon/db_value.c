/* Values of other types as PostgreSQL's text; see db.h. */
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/db.h"

const char *db_integer(struct call *c, int64_t value)
{
	return arena_printf(c->arena, "%lld", (long long)value);
}

const char *db_boolean(bool value)
{
	return value ? "t" : "f";
}

const char *db_bytea(struct call *c, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;
	char *text = arena_alloc(c->arena, 2 * n + 3);
	text[0] = '\\';
	text[1] = 'x';
	for (size_t i = 0; i < n; i++) {
		text[2 * i + 2] = digits[bytes[i] >> 4];
		text[2 * i + 3] = digits[bytes[i] & 15];
	}
	return text;
}

static void add_element(struct buf *out, const char *item)
{
	if (!item) {
		buf_text(out, "NULL");
		return;
	}
	buf_char(out, '"');
	while (*item) {
		size_t plain = strcspn(item, "\"\\");
		buf_add(out, item, plain);
		item += plain;
		if (*item) {
			buf_char(out, '\\');
			buf_char(out, *item++);
		}
	}
	buf_char(out, '"');
}

const char *db_text_array(struct call *c, const char *const *items, size_t n)
{
	struct buf out = { .arena = c->arena };
	buf_char(&out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(&out, ',');
		add_element(&out, items[i]);
	}
	buf_char(&out, '}');
	return out.data;
}
