/* Whatever arrives as a token: refused, unless our key signed it; and whatever our key signed is an
 * actor or refused. Text forms of bytes read only what they write. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/capability.h"
#include "libcommon/paseto.h"

#define NOW INT64_C(1775606400000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned char public_key[PUBLIC_KEY_SIZE], signing_key[SIGNING_KEY_SIZE];

static void open_keys(void)
{
	static const unsigned char seed[KEY_SIZE] = { 1 };
	crypto_start();
	crypto_sign_keys(seed, public_key, signing_key);
}

static void read_foreign(struct arena *arena, const char *text)
{
	struct actor actor;
	if (capability_verify(arena, public_key, text, NOW, &actor) == OK)
		abort();
	const char *token = arena_printf(arena, "v4.public.%s", text);
	if (capability_verify(arena, public_key, token, NOW, &actor) == OK)
		abort();
}

static void read_signed(struct arena *arena, const char *text)
{
	struct bytes payload = { (const unsigned char *)text, strlen(text) }, read;
	struct actor actor;
	const char *token = paseto_sign(arena, signing_key, payload);
	if (capability_verify(arena, public_key, token, NOW, &actor) == OK &&
		(!actor.role || !actor.tenant_id || !actor.user_id || !actor.session_id ||
			actor.expires_unix_ms <= NOW ||
			actor.expires_unix_ms > NOW + 2 * CAPABILITY_LIFETIME_MS))
		abort();
	if (paseto_verify(arena, public_key, token, &read) == OK &&
		(read.n != payload.n || memcmp(read.data, payload.data, read.n) != 0))
		abort();
}

static void read_text_forms(struct arena *arena, const char *text)
{
	struct bytes bytes;
	unsigned char half[64];
	size_t n = strlen(text) / 2;
	if (crypto_from_base64url(arena, text, &bytes) == OK &&
		strcmp(crypto_base64url(arena, bytes.data, bytes.n), text) != 0)
		abort();
	if (n <= sizeof half && crypto_from_hex(text, half, n) == OK &&
		strcmp(crypto_hex(arena, half, n), text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int is_open;
	if (!is_open++)
		open_keys();
	struct arena *arena = arena_new();
	const char *text = arena_strndup(arena, (const char *)data, n);
	read_foreign(arena, text);
	read_signed(arena, text);
	read_text_forms(arena, text);
	arena_free(arena);
	return 0;
}
