/* PASETO v4.public, after the specification's section "Version 4, Sign". */
#include "libcommon/paseto.h"

#include <string.h>

static const char HEADER[] = "v4.public.";
#define HEADER_SIZE (sizeof HEADER - 1)

/* A token longer than this is not ours; refused before any work is done on it. */
#define TOKEN_MAX 4096

static void add_number(struct buf *out, uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		buf_char(out, (char)(number >> (8 * i) & (i == 7 ? 0x7f : 0xff)));
}

static void add_piece(struct buf *out, const void *data, size_t n)
{
	add_number(out, n);
	buf_add(out, data, n);
}

/* Pre-authentication encoding of header, payload, empty footer, empty assertion: the lengths keep
 * the pieces apart. */
static struct buf encode(struct arena *arena, struct bytes payload)
{
	struct buf out = { .arena = arena };
	add_number(&out, 4);
	add_piece(&out, HEADER, HEADER_SIZE);
	add_piece(&out, payload.data, payload.n);
	add_piece(&out, "", 0);
	add_piece(&out, "", 0);
	return out;
}

const char *paseto_sign(
	struct arena *arena, const unsigned char key[SIGNING_KEY_SIZE], struct bytes payload)
{
	struct buf encoded = encode(arena, payload);
	unsigned char *body = arena_alloc(arena, payload.n + SIGNATURE_SIZE);
	memcpy(body, payload.data, payload.n);
	crypto_signature(key, encoded.data, encoded.n, body + payload.n);
	return arena_printf(
		arena, "%s%s", HEADER, crypto_base64url(arena, body, payload.n + SIGNATURE_SIZE));
}

enum err paseto_verify(struct arena *arena, const unsigned char key[PUBLIC_KEY_SIZE],
	const char *token, struct bytes *payload)
{
	if (strncmp(token, HEADER, HEADER_SIZE) != 0 || strnlen(token, TOKEN_MAX) == TOKEN_MAX)
		return ERR_UNAUTHENTICATED;
	struct bytes body;
	if (crypto_from_base64url(arena, token + HEADER_SIZE, &body) != OK ||
		body.n < SIGNATURE_SIZE)
		return ERR_UNAUTHENTICATED;
	struct bytes signed_part = { body.data, body.n - SIGNATURE_SIZE };
	struct buf encoded = encode(arena, signed_part);
	if (!crypto_verify(key, encoded.data, encoded.n, body.data + signed_part.n))
		return ERR_UNAUTHENTICATED;
	const char *copy = arena_strndup(arena, (const char *)body.data, signed_part.n);
	*payload = (struct bytes){ (const unsigned char *)copy, signed_part.n };
	return OK;
}
