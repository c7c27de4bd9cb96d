/* Bus frames as bytes; see frame.h. Refuses whatever does not fit to the byte. */
#include "libcommon/frame.h"

#include <string.h>

#define FIXED_SIZE 32 /* after the size: kind, flags, status, id, time left, offset, length */

static unsigned char *put(unsigned char *at, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		at[i] = (unsigned char)(value >> (8 * i));
	return at + size;
}

static uint64_t get(const unsigned char *at, unsigned size)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

struct bytes frame_text(const char *text)
{
	return (struct bytes){ (const unsigned char *)text, text ? strlen(text) : 0 };
}

size_t frame_size(const struct frame *frame)
{
	size_t size = 4 + FIXED_SIZE;
	for (unsigned i = 0; i < FRAME_TEXTS; i++)
		size += 4 + frame->texts[i].n;
	return size;
}

void frame_write(const struct frame *frame, unsigned char *out)
{
	out = put(out, frame_size(frame) - 4, 4);
	out = put(out, frame->kind, 1);
	out = put(out, frame->flags, 1);
	out = put(out, frame->status, 2);
	out = put(out, frame->id, 8);
	out = put(out, frame->time_left_ms, 4);
	out = put(out, (uint64_t)frame->window_offset, 8);
	out = put(out, (uint64_t)frame->window_length, 8);
	for (unsigned i = 0; i < FRAME_TEXTS; i++) {
		out = put(out, frame->texts[i].n, 4);
		if (frame->texts[i].n)
			memcpy(out, frame->texts[i].data, frame->texts[i].n);
		out += frame->texts[i].n;
	}
}

static void read_fixed(const unsigned char *at, struct frame *out)
{
	out->kind = at[0];
	out->flags = at[1];
	out->status = (uint16_t)get(at + 2, 2);
	out->id = get(at + 4, 8);
	out->time_left_ms = (uint32_t)get(at + 12, 4);
	out->window_offset = (int64_t)get(at + 16, 8);
	out->window_length = (int64_t)get(at + 24, 8);
}

enum err frame_read(struct bytes message, size_t *at, struct frame *out)
{
	if (*at == message.n)
		return ERR_NOT_FOUND;
	if (message.n - *at < 4 + FIXED_SIZE)
		return ERR_INVALID;
	size_t size = (size_t)get(message.data + *at, 4);
	if (size > FRAME_MAX || size < FIXED_SIZE || size > message.n - *at - 4)
		return ERR_INVALID;
	const unsigned char *p = message.data + *at + 4;
	const unsigned char *end = p + size;
	read_fixed(p, out);
	if (out->kind < FRAME_REQUEST)
		return ERR_INVALID;
	p += FIXED_SIZE;
	for (unsigned i = 0; i < FRAME_TEXTS; i++) {
		if (end - p < 4)
			return ERR_INVALID;
		size_t n = (size_t)get(p, 4);
		p += 4;
		if (n > (size_t)(end - p))
			return ERR_INVALID;
		out->texts[i] = (struct bytes){ p, n };
		p += n;
	}
	if (p != end)
		return ERR_INVALID;
	*at += 4 + size;
	return OK;
}
