#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/crypto.h"

static struct arena *arena;

static void hex_reads_only_what_it_writes(void **state)
{
	unsigned char out[4];
	assert_string_equal(crypto_hex(arena, "\x00\x7f\xff", 3), "007fff");
	assert_string_equal(crypto_hex(arena, "", 0), "");
	assert_int_equal(crypto_from_hex("007fff", out, 3), OK);
	assert_memory_equal(out, "\x00\x7f\xff", 3);
	static const char *const broken[] = { "", "007f", "007fff00", "007fFF", "007f f", "007fxg",
		"0x7fff" };
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_int_equal(crypto_from_hex(broken[i], out, 3), ERR_INVALID);
}

/* RFC 4648, 10, without padding. */
static void base64url_of_rfc_4648(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "-__-" } };
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		size_t n = strlen(pairs[i][0]);
		struct bytes out;
		assert_string_equal(crypto_base64url(arena, pairs[i][0], n), pairs[i][1]);
		assert_int_equal(crypto_from_base64url(arena, pairs[i][1], &out), OK);
		assert_int_equal(out.n, n);
		assert_memory_equal(out.data, pairs[i][0], n);
	}
}

static void base64url_refuses_other_texts_of_the_same_bytes(void **state)
{
	static const char *const broken[] = { "Zg==", "Zh", "Zm9", "Z", "+//+", "Zm9v\n", " Zm9v",
		"Zm.v", "Zm9vY", "Zm9\xcb", "\x80\x80\xff\xff", "Zmé" };
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct bytes out;
		assert_int_equal(crypto_from_base64url(arena, broken[i], &out), ERR_INVALID);
	}
}

static void base64_has_padding_and_one_text_for_each_value(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "\xfb\xff\xfe", "+//+" } };
	static const char *const broken[] = { "Zg", "Zg=", "Zh==", "Zg===", "-__-", "Zm9v\n",
		"Zg==Zg==", "=" };
	struct bytes out;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		size_t n = strlen(pairs[i][0]);
		assert_string_equal(crypto_base64(arena, pairs[i][0], n), pairs[i][1]);
		assert_int_equal(crypto_from_base64(arena, pairs[i][1], &out), OK);
		assert_int_equal(out.n, n);
		assert_memory_equal(out.data, pairs[i][0], n);
	}
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_int_equal(crypto_from_base64(arena, broken[i], &out), ERR_INVALID);
}

static void a_key_is_read_from_its_own_letters_only(void **state)
{
	static const char letters[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}";
	static const char *const broken[] = {
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", /* bits that are left over */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\xff",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A", /* 33 bytes */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", /* 31 */
	};
	unsigned char key[KEY_SIZE];
	assert_int_equal(crypto_key_from_base64(letters, 44, key), OK);
	for (unsigned char i = 0; i < KEY_SIZE; i++)
		assert_int_equal(key[i], i);
	assert_int_equal(crypto_key_from_base64(letters, 43, key), ERR_INVALID);
	assert_int_equal(crypto_key_from_base64(letters, 45, key), ERR_INVALID);
	assert_int_equal(crypto_key_from_base64(letters, 0, key), ERR_INVALID);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_int_equal(crypto_key_from_base64(broken[i], 44, key), ERR_INVALID);
}

static void readable_secrets_differ_and_have_no_look_alikes(void **state)
{
	const char *secret = crypto_readable_secret(arena, 4);
	assert_int_equal(strlen(secret), 19);
	for (unsigned i = 0; i < 19; i++)
		assert_true(i % 5 == 4 ? secret[i] == '-' : secret[i] != '-');
	for (unsigned i = 0; i < 200; i++) {
		const char *other = crypto_readable_secret(arena, 4);
		assert_string_not_equal(secret, other);
		assert_null(strpbrk(other, "01lo"));
		assert_int_equal(strspn(other, "23456789abcdefghijkmnpqrstuvwxyz-"), strlen(other));
	}
}

static int open_arena(void **state)
{
	crypto_start();
	arena = arena_new();
	return 0;
}

static int free_arena(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_reads_only_what_it_writes),
		cmocka_unit_test(base64url_of_rfc_4648),
		cmocka_unit_test(base64url_refuses_other_texts_of_the_same_bytes),
		cmocka_unit_test(base64_has_padding_and_one_text_for_each_value),
		cmocka_unit_test(a_key_is_read_from_its_own_letters_only),
		cmocka_unit_test(readable_secrets_differ_and_have_no_look_alikes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_arena, free_arena);
}
