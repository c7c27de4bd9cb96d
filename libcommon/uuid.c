/* UUIDv7: 48 bits of milliseconds, 12 bits that count within one, 62 random bits. */
#include "libcommon/uuid.h"

#include <stdatomic.h>
#include <stdint.h>

#include "libcommon/clock.h"
#include "libcommon/crypto.h"

/* Milliseconds and counter as one number that only ever rises, whatever the clock does. */
static uint64_t next_stamp(uint16_t random)
{
	static _Atomic uint64_t last;
	/* A random start in the lower half of the counter leaves room for 2048 more in this
	 * millisecond; past that the stamp runs into the next one. */
	uint64_t fresh = ((uint64_t)clock_unix_ms() << 12) | (random & 0x7ff);
	uint64_t seen = atomic_load(&last), next;
	do
		next = fresh > seen ? fresh : seen + 1;
	while (!atomic_compare_exchange_weak(&last, &seen, next));
	return next;
}

static char *hex(char *out, uint64_t value, int n)
{
	static const char digits[] = "0123456789abcdef";
	while (n-- > 0)
		*out++ = digits[(value >> (4 * n)) & 15];
	return out;
}

void uuid_new(char out[UUID_SIZE])
{
	uint64_t random[2];
	crypto_random_id(random, sizeof(random));
	uint64_t stamp = next_stamp((uint16_t)random[1]);
	char *at = hex(out, stamp >> 28, 8);
	*at++ = '-';
	at = hex(at, stamp >> 12, 4);
	*at++ = '-';
	at = hex(at, 0x7000 | (stamp & 0xfff), 4);
	*at++ = '-';
	at = hex(at, 0x8000 | ((random[0] >> 48) & 0x3fff), 4);
	*at++ = '-';
	at = hex(at, random[0], 12);
	*at = '\0';
}

const char *uuid_make(struct arena *arena)
{
	char *out = arena_alloc(arena, UUID_SIZE);
	uuid_new(out);
	return out;
}

bool is_uuid(const char *text)
{
	for (int i = 0; i < UUID_SIZE - 1; i++) {
		char c = text[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool fits = dash ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
		if (!fits)
			return false;
	}
	return text[UUID_SIZE - 1] == '\0';
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void uuid_to_bytes(const char *text, unsigned char out[UUID_BYTES])
{
	for (int i = 0; i < UUID_BYTES; i++, text += 2) {
		if (*text == '-')
			text++;
		out[i] = (unsigned char)(digit(text[0]) << 4 | digit(text[1]));
	}
}

void uuid_from_bytes(const unsigned char bytes[UUID_BYTES], char out[UUID_SIZE])
{
	char *at = out;
	for (int i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		at = hex(at, bytes[i], 2);
	}
	*at = '\0';
}
