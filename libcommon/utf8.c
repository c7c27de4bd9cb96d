/* Decoding after the table of RFC 3629, section 4. */
#include "libcommon/utf8.h"

/* Lead bytes lo..hi begin sequences of `length`, whose second byte lies within
 * second_lo..second_hi.
 */
struct lead {
	unsigned char lo, hi, length, second_lo, second_hi;
};

static const struct lead leads[] = {
	{ 0x00, 0x7f, 1, 0, 0 },
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct lead *lead_of(unsigned char first)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (first >= leads[i].lo && first <= leads[i].hi)
			return &leads[i];
	return NULL;
}

size_t utf8_next(const char *at, size_t n, uint32_t *code)
{
	const unsigned char *bytes = (const unsigned char *)at;
	const struct lead *lead = n == 0 ? NULL : lead_of(bytes[0]);
	if (lead == NULL || lead->length > n)
		return 0;
	static const unsigned char payload[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	*code = bytes[0] & payload[lead->length];
	for (size_t i = 1; i < lead->length; i++) {
		unsigned char lo = i == 1 ? lead->second_lo : 0x80;
		unsigned char hi = i == 1 ? lead->second_hi : 0xbf;
		if (bytes[i] < lo || bytes[i] > hi)
			return 0;
		*code = *code << 6 | (bytes[i] & 0x3f);
	}
	return lead->length;
}

int64_t utf8_count(const char *text, size_t n)
{
	int64_t count = 0;
	uint32_t code;
	for (size_t at = 0; at < n; count++) {
		if ((unsigned char)text[at] < 0x80) { /* most of most texts */
			at++;
			continue;
		}
		size_t length = utf8_next(text + at, n - at, &code);
		if (length == 0)
			return -1;
		at += length;
	}
	return count;
}
