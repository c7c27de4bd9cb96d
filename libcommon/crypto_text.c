/* Text forms of bytes: hex, base64url, secrets that people copy by hand. */
#include <sodium.h>
#include <string.h>

#include "libcommon/crypto.h"

const char *crypto_hex(struct arena *arena, const void *data, size_t n)
{
	char *text = arena_alloc(arena, 2 * n + 1);
	return sodium_bin2hex(text, 2 * n + 1, data, n);
}

enum err crypto_from_hex(const char *hex, unsigned char *out, size_t n)
{
	size_t length = strlen(hex);
	/* libsodium takes upper case too; one value has one text here. */
	if (length != 2 * n || strpbrk(hex, "ABCDEF"))
		return ERR_INVALID;
	size_t written = 0;
	if (sodium_hex2bin(out, n, hex, length, NULL, &written, NULL) != 0 || written != n)
		return ERR_INVALID;
	return OK;
}

static const char *to_base64(struct arena *arena, const void *data, size_t n, int variant)
{
	size_t size = sodium_base64_encoded_len(n, variant);
	char *text = arena_alloc(arena, size);
	return sodium_bin2base64(text, size, data, n, variant);
}

static bool is_ascii(const char *text, size_t n)
{
	size_t i = 0;
	while (i < n && !(text[i] & 0x80))
		i++;
	return i == n;
}

/* libsodium refuses wrong padding, foreign characters and left-over bits that are not 0; but 1.0.18
 * reads every byte from 0x80 up as `_` where char is signed. */
static enum err from_base64(struct arena *arena, const char *text, int variant, struct bytes *out)
{
	size_t length = strlen(text);
	if (!is_ascii(text, length))
		return ERR_INVALID;
	unsigned char *data = arena_alloc(arena, length / 4 * 3 + 3);
	size_t n = 0;
	if (sodium_base642bin(data, length / 4 * 3 + 3, text, length, NULL, &n, NULL, variant) != 0)
		return ERR_INVALID;
	*out = (struct bytes){ data, n };
	return OK;
}

const char *crypto_base64url(struct arena *arena, const void *data, size_t n)
{
	return to_base64(arena, data, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum err crypto_from_base64url(struct arena *arena, const char *text, struct bytes *out)
{
	return from_base64(arena, text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, out);
}

const char *crypto_base64(struct arena *arena, const void *data, size_t n)
{
	return to_base64(arena, data, n, sodium_base64_VARIANT_ORIGINAL);
}

enum err crypto_from_base64(struct arena *arena, const char *text, struct bytes *out)
{
	return from_base64(arena, text, sodium_base64_VARIANT_ORIGINAL, out);
}

enum err crypto_key_from_base64(const char *text, size_t n, unsigned char key[KEY_SIZE])
{
	size_t got = 0;
	if (!is_ascii(text, n) ||
		sodium_base642bin(key, KEY_SIZE, text, n, NULL, &got, NULL,
			sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_INVALID;
	return got == KEY_SIZE ? OK : ERR_INVALID;
}

#define GROUP_SIZE 4

/* 32 signs are 5 bits each. Left out: 0 and o, 1 and l. */
static const char READABLE[] = "23456789abcdefghijkmnpqrstuvwxyz";

const char *crypto_readable_secret(struct arena *arena, unsigned groups)
{
	char *text = arena_alloc(arena, (size_t)groups * (GROUP_SIZE + 1) + 1);
	char *next = text;
	for (unsigned i = 0; i < groups * GROUP_SIZE; i++) {
		if (i > 0 && i % GROUP_SIZE == 0)
			*next++ = '-';
		*next++ = READABLE[randombytes_uniform(sizeof READABLE - 1)];
	}
	return text;
}
