/* Doubles when full; the old copy stays in the arena until it is reset. */
#include "libcommon/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/arena.h"

#define FIRST_CAPACITY 256

/* Room for `more` bytes and the NUL; a size that overflows is a bug of ours and aborts. */
static void reserve(struct buf *buf, size_t more)
{
	if (more > SIZE_MAX / 4 - buf->n)
		abort();
	size_t wanted = buf->n + more + 1;
	if (wanted <= buf->capacity)
		return;
	size_t capacity = buf->capacity == 0 ? FIRST_CAPACITY : buf->capacity;
	while (capacity < wanted)
		capacity *= 2;
	char *data = arena_alloc(buf->arena, capacity);
	if (buf->n > 0)
		memcpy(data, buf->data, buf->n);
	buf->data = data;
	buf->capacity = capacity;
}

void buf_add(struct buf *buf, const void *bytes, size_t n)
{
	reserve(buf, n);
	if (n > 0)
		memcpy(buf->data + buf->n, bytes, n);
	buf->n += n;
	buf->data[buf->n] = '\0';
}

void buf_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		abort(); /* only a broken format string does this */
	reserve(buf, (size_t)n);
	(void)vsnprintf(buf->data + buf->n, (size_t)n + 1, format, again);
	va_end(again);
	buf->n += (size_t)n;
}
