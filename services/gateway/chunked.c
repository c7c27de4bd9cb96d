/* Reads the chunked coding byte by byte, except for the data itself. */
#include "services/gateway/chunked.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	END,
	BAD,
};

enum {
	SIZE_DIGITS_MAX = 15, /* of 16: the sum of sizes stays within 63 bits */
};

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
	return at ? (int)(at - digits) : -1;
}

static bool is_text(char c)
{
	unsigned char byte = (unsigned char)c;
	return byte >= 0x20 ? byte != 0x7f : byte == '\t';
}

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static enum state size_byte(struct chunked *chunked, char c)
{
	int value = hex_value(c);
	if (value >= 0) {
		chunked->left = chunked->left << 4 | (uint64_t)value;
		return ++chunked->digits > SIZE_DIGITS_MAX ? BAD : SIZE;
	}
	if (chunked->digits == 0)
		return BAD;
	chunked->extension_n = 0;
	return c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : BAD;
}

static enum state extension_byte(struct chunked *chunked, char c)
{
	if (c == '\r')
		return SIZE_LF;
	return is_text(c) && ++chunked->extension_n <= CHUNKED_EXTENSION_MAX ? EXTENSION : BAD;
}

static enum state trailer_byte(struct chunked *chunked, char c)
{
	if (++chunked->trailer_n > CHUNKED_TRAILER_MAX)
		return BAD;
	if (chunked->state == TRAILER_VALUE)
		return c == '\r' ? TRAILER_LF : is_text(c) ? TRAILER_VALUE : BAD;
	if (chunked->state == TRAILER_NAME && c == ':')
		return TRAILER_VALUE;
	return is_token(c) ? TRAILER_NAME : BAD;
}

static enum state step(struct chunked *chunked, char c)
{
	switch ((enum state)chunked->state) {
	case SIZE:
		return size_byte(chunked, c);
	case EXTENSION:
		return extension_byte(chunked, c);
	case SIZE_LF:
		return c != '\n' ? BAD : chunked->left ? DATA : TRAILER_START;
	case DATA_CR:
		return c == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		chunked->digits = 0;
		return c == '\n' ? SIZE : BAD;
	case TRAILER_START:
		return c == '\r' ? LAST_LF : trailer_byte(chunked, c);
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return trailer_byte(chunked, c);
	case TRAILER_LF:
		return c == '\n' ? TRAILER_START : BAD;
	case LAST_LF:
		return c == '\n' ? END : BAD;
	case DATA:
	case END:
	case BAD:
		break;
	}
	return BAD;
}

static void take_data(struct chunked *chunked, size_t n, size_t *piece_n)
{
	*piece_n = n < chunked->left ? n : (size_t)chunked->left;
	chunked->left -= *piece_n;
	if (chunked->left == 0)
		chunked->state = DATA_CR;
}

enum chunked_result chunked_read(struct chunked *chunked, const char *data, size_t n, size_t *taken,
	const char **piece, size_t *piece_n)
{
	for (*taken = 0; *taken < n; (*taken)++) {
		if (chunked->state == DATA) {
			*piece = data + *taken;
			take_data(chunked, n - *taken, piece_n);
			*taken += *piece_n;
			return CHUNKED_DATA;
		}
		chunked->state = step(chunked, data[*taken]);
		if (chunked->state == BAD)
			return CHUNKED_MALFORMED;
		if (chunked->state == END) {
			(*taken)++;
			return CHUNKED_END;
		}
	}
	return CHUNKED_MORE;
}
