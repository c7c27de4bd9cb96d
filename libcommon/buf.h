/* A growing run of bytes in an arena. `data` is always NUL-terminated, and NULL only while empty.
 */
#ifndef MANABIYA_BUF_H
#define MANABIYA_BUF_H

#include <stddef.h>

struct arena;

struct buf {
	struct arena *arena;
	char *data;
	size_t n;
	size_t capacity;
};

/* Bytes that somebody else owns. */
struct bytes {
	const unsigned char *data;
	size_t n;
};

void buf_add(struct buf *buf, const void *bytes, size_t n);
void buf_text(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
