/* The root key of a keyring, in the clear or under a passphrase; see keyring_root.h. */
#include "libcommon/keyring_root.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "manabiya-root@v1 "
/* A guess costs a tenth of a second and 64 MiB, and so does each start of a service. */
#define MEMORY_KIB 65536
#define PASSES 3
/* Of a file: what a start may cost. */
#define MEMORY_KIB_MAX 1048576
#define PASSES_MAX 16

#define SALT_SIZE CRYPTO_PASSWORD_SALT_SIZE
#define SEALED_SIZE (KEY_SIZE + SEAL_OVERHEAD)
#define HEAD_MAX 96 /* FORMAT, two numbers, the salt */

/* What stands before the last space. */
struct head {
	unsigned long memory_kib, passes;
	unsigned char salt[SALT_SIZE];
	char text[HEAD_MAX];
};

static bool derive(const struct head *head, const char *passphrase, unsigned char key[KEY_SIZE])
{
	return crypto_password_key(passphrase, head->salt, (unsigned)head->passes,
		       head->memory_kib * 1024, key) == OK;
}

static struct bytes head_bytes(const struct head *head)
{
	return (struct bytes){ (const unsigned char *)head->text, strlen(head->text) };
}

/* A number and the space behind it. */
static bool take_number(const char **at, unsigned long max, unsigned long *out)
{
	char *end;
	if (**at < '1' || **at > '9')
		return false;
	*out = strtoul(*at, &end, 10);
	*at = end + 1;
	return *end == ' ' && *out <= max;
}

static bool read_head(const char *text, struct head *head, const char **sealed)
{
	char salt[2 * SALT_SIZE + 1] = "";
	const char *at = text + strlen(FORMAT), *last = strrchr(text, ' ');
	if (!take_number(&at, MEMORY_KIB_MAX, &head->memory_kib) ||
		!take_number(&at, PASSES_MAX, &head->passes) || at + 2 * SALT_SIZE != last)
		return false;
	memcpy(salt, at, 2 * SALT_SIZE);
	(void)snprintf(head->text, sizeof(head->text), "%.*s", (int)(last - text), text);
	*sealed = last + 1;
	return crypto_from_hex(salt, head->salt, SALT_SIZE) == OK;
}

static const char *unseal(const char *text, const char *passphrase, unsigned char root[KEY_SIZE])
{
	struct head head;
	const char *hex = NULL;
	unsigned char sealed[SEALED_SIZE];
	auto_secret(key, KEY_SIZE);
	if (!read_head(text, &head, &hex) || crypto_from_hex(hex, sealed, sizeof(sealed)) != OK)
		return "the root key is sealed, but its file is damaged";
	if (!*passphrase)
		return "the root key is sealed, and there is no passphrase";
	if (!derive(&head, passphrase, key))
		return "the memory to open the root key cannot be had";
	return crypto_open(key, head_bytes(&head), sealed, sizeof(sealed), root) == OK
		? NULL
		: "the root key does not open with this passphrase";
}

const char *keyring_root_open(
	const char *text, const char *passphrase, unsigned char root[KEY_SIZE])
{
	if (strncmp(text, FORMAT, strlen(FORMAT)) == 0)
		return unseal(text, passphrase, root);
	if (*passphrase)
		return "there is a passphrase, and the root key is not sealed under it";
	return crypto_from_hex(text, root, KEY_SIZE) == OK
		? NULL
		: "the root key is not 64 hexadecimal digits";
}

const char *keyring_root_seal(
	struct arena *arena, const unsigned char root[KEY_SIZE], const char *passphrase)
{
	struct head head = { .memory_kib = MEMORY_KIB, .passes = PASSES };
	unsigned char sealed[SEALED_SIZE];
	auto_secret(key, KEY_SIZE);
	crypto_random(head.salt, SALT_SIZE);
	(void)snprintf(head.text, sizeof(head.text), FORMAT "%lu %lu %s", head.memory_kib,
		head.passes, crypto_hex(arena, head.salt, SALT_SIZE));
	if (!derive(&head, passphrase, key))
		return NULL;
	crypto_seal(key, head_bytes(&head), root, KEY_SIZE, sealed);
	return arena_printf(arena, "%s %s", head.text, crypto_hex(arena, sealed, sizeof(sealed)));
}
