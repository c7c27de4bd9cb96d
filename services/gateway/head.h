/*
 * The head of an HTTP/1 message, byte by byte: lines, their ends, their number and length.
 *
 * llhttp reads what a head means, but with more patience than a gateway may have (lone LF, folded
 * lines). This comes before it, finds the head's end, and lets through only lines that every reader
 * splits at the same places.
 */
#ifndef MANABIYA_GATEWAY_HEAD_H
#define MANABIYA_GATEWAY_HEAD_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HEAD_LINE_MAX = 8 * 1024, /* the longest target that others in the path let through */
};

/* From --head-max-bytes and --head-fields-max; the same for HTTP/2. */
struct head_limits {
	size_t bytes, fields;
};

/* All zero at the start of a message. */
struct head {
	unsigned state;
	size_t n; /* bytes looked at; with HEAD_COMPLETE the size of the head */
	size_t line_n, lines;
	bool is_blank_skipped;
};

enum head_result { HEAD_INCOMPLETE, HEAD_COMPLETE, HEAD_MALFORMED };

/* `data` holds the message from its first byte; only what is new since the last call is read. */
enum head_result head_scan(
	struct head *head, const struct head_limits *limits, const char *data, size_t n);

#endif
