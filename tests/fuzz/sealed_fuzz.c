/* Whatever lies in a sealed column: nobody who lacks the key can put something there that opens. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/call.h"
#include "libcommon/keyring.h"
#include "libcommon/personal.h"

#define TENANT "01920000-0000-7000-8000-00000000000a"
#define ROW "01920000-0000-7000-8000-000000000001:"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct personal_kind kind = { .domain = "text", .column = "note.text" };
static const struct actor actor = { .tenant_id = TENANT, .user_id = "" };

/* Left behind in /tmp: a fuzz run ends without telling. */
static struct keyring *make_keyring(void)
{
	static const char root[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	char directory[] = "/tmp/sealed-fuzz-XXXXXX";
	crypto_start();
	struct keyring *keyring = mkdtemp(directory) ? keyring_open(directory, root) : NULL;
	if (keyring == NULL || keyring_create(keyring, TENANT) != OK)
		abort();
	return keyring;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct keyring *keyring;
	if (keyring == NULL)
		keyring = make_keyring();
	struct arena *arena = arena_new();
	struct call c = { .arena = arena, .actor = &actor, .keyring = keyring };
	const char *text = arena_strndup(arena, (const char *)data, n), *opened = NULL;
	/* As it comes, and as what a row holds: the second gets past the text form. */
	if (personal_open(&c, &kind, text, &opened) == OK)
		abort();
	text = arena_printf(arena, ROW "%s", crypto_base64url(arena, data, n));
	if (personal_open(&c, &kind, text, &opened) == OK)
		abort();
	arena_free(arena);
	return 0;
}
