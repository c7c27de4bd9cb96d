/* Facts about the root key in its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/keyring_root.h"

#define PASSPHRASE "みかん four words of it"
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct arena *arena;
static unsigned char root[KEY_SIZE];

/* Made with Argon2id and XChaCha20-Poly1305 of libsodium, called from Python. */
#define KNOWN                                                                                      \
	"manabiya-root@v1 8192 1 00112233445566778899aabbccddeeff "                                \
	"000102030405060708090a0b0c0d0e0f1011121314151617b2775f2da072ffec132eb228"                 \
	"fb6a80474e50137d8a1876074c3f2a0f47709c98429b09631f4d82e22a0cb32face1c5a9"

static int open_arena(void **state)
{
	arena = arena_new();
	memset(root, 0, sizeof(root));
	return 0;
}

static int close_arena(void **state)
{
	arena_free(arena);
	return 0;
}

static const char *sealed(void)
{
	unsigned char key[KEY_SIZE];
	assert_int_equal(crypto_from_hex(HEX, key, KEY_SIZE), OK);
	const char *text = keyring_root_seal(arena, key, PASSPHRASE);
	assert_non_null(text);
	assert_true(strlen(text) < KEYRING_ROOT_TEXT_MAX);
	return text;
}

static void a_plain_one_is_read_as_before(void **state)
{
	assert_null(keyring_root_open(HEX, "", root));
	assert_string_equal(crypto_hex(arena, root, KEY_SIZE), HEX);
	assert_non_null(keyring_root_open("0001", "", root));
	assert_non_null(keyring_root_open("", "", root));
}

static void a_sealed_one_opens_with_its_passphrase_alone(void **state)
{
	const char *text = sealed();
	assert_null(strstr(text, "0001020304"));
	assert_null(keyring_root_open(text, PASSPHRASE, root));
	assert_string_equal(crypto_hex(arena, root, KEY_SIZE), HEX);
	assert_non_null(keyring_root_open(text, PASSPHRASE " ", root));
	assert_non_null(keyring_root_open(text, "", root));
	assert_string_not_equal(text, sealed()); /* another salt */
}

static void others_read_and_write_the_same(void **state)
{
	assert_null(keyring_root_open(KNOWN, PASSPHRASE, root));
	assert_string_equal(crypto_hex(arena, root, KEY_SIZE), HEX);
}

static void with_a_passphrase_a_plain_one_is_refused(void **state)
{
	assert_non_null(strstr(keyring_root_open(HEX, PASSPHRASE, root), "not sealed"));
}

static void every_character_counts(void **state)
{
	char text[KEYRING_ROOT_TEXT_MAX];
	size_t n = strlen(KNOWN);
	for (size_t i = 0; i < n; i++) {
		memcpy(text, KNOWN, n + 1);
		text[i] = (char)(text[i] == '1' ? '2' : '1');
		assert_non_null(keyring_root_open(text, PASSPHRASE, root));
		memcpy(text, KNOWN, i);
		text[i] = '\0';
		assert_non_null(keyring_root_open(text, PASSPHRASE, root));
	}
}

static void what_costs_too_much_is_refused(void **state)
{
	static const char *const heads[] = { "1048577 1", "8192 17", "0 1", "8192 0", "-1 1",
		"99999999999999999999999 1", "8192  1", "8192" };
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		const char *text = arena_printf(
			arena, "manabiya-root@v1 %s%s", heads[i], strstr(KNOWN, " 1 ") + 2);
		assert_non_null(strstr(keyring_root_open(text, PASSPHRASE, root), "damaged"));
	}
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, open_arena, close_arena)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(a_plain_one_is_read_as_before),
		FACT(a_sealed_one_opens_with_its_passphrase_alone),
		FACT(others_read_and_write_the_same),
		FACT(with_a_passphrase_a_plain_one_is_refused),
		FACT(every_character_counts),
		FACT(what_costs_too_much_is_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
