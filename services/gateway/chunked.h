/* The chunked coding of HTTP/1.1 (RFC 9112, 7.1), strictly, with its extensions and trailers read
 * and dropped. */
#ifndef MANABIYA_GATEWAY_CHUNKED_H
#define MANABIYA_GATEWAY_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

enum {
	CHUNKED_EXTENSION_MAX = 256, /* nobody uses them; long ones are an attack on the reader */
	CHUNKED_TRAILER_MAX = 8 * 1024, /* all together; they are dropped, so one line's length */
};

/* All zero at the start of a body. */
struct chunked {
	unsigned state;
	unsigned digits; /* of the size */
	uint64_t left; /* of the chunk */
	size_t extension_n, trailer_n;
};

enum chunked_result { CHUNKED_MORE, CHUNKED_DATA, CHUNKED_END, CHUNKED_MALFORMED };

/* Reads on. *taken bytes are used up; with CHUNKED_DATA *piece and *piece_n point into them; with
 * CHUNKED_MORE everything was taken. */
enum chunked_result chunked_read(struct chunked *chunked, const char *data, size_t n, size_t *taken,
	const char **piece, size_t *piece_n);

#endif
