#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "libcommon/crypto.h"

static struct arena *arena;

static const unsigned char *bytes_of(const char *hex)
{
	unsigned char *out = arena_alloc(arena, strlen(hex) / 2 + 1);
	assert_int_equal(crypto_from_hex(hex, out, strlen(hex) / 2), OK);
	return out;
}

static struct bytes text_bytes(const char *text)
{
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

#define assert_hex(data_, n_, hex_) assert_string_equal(crypto_hex(arena, (data_), (n_)), (hex_))

/* FIPS 180-4 example. */
static void sha256_of_abc(void **state)
{
	unsigned char out[HASH_SIZE];
	crypto_sha256("abc", 3, out);
	assert_hex(out, sizeof out,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void sha256_does_not_depend_on_the_pieces(void **state)
{
	unsigned char data[1000], whole[HASH_SIZE], out[HASH_SIZE];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7);
	crypto_sha256(data, sizeof(data), whole);
	for (size_t piece = 1; piece <= sizeof(data); piece = piece * 3 + 1) {
		struct sha256 hash;
		crypto_sha256_begin(&hash);
		for (size_t at = 0; at < sizeof(data); at += piece) {
			size_t left = sizeof(data) - at;
			crypto_sha256_add(&hash, data + at, left < piece ? left : piece);
		}
		crypto_sha256_end(&hash, out);
		assert_memory_equal(out, whole, HASH_SIZE);
	}
}

/* RFC 4231, test case 1; HMAC fills a short key with zeros. */
static void hmac_of_rfc_4231(void **state)
{
	unsigned char key[KEY_SIZE] = { 0 }, out[HASH_SIZE];
	memset(key, 0x0b, 20);
	crypto_hmac_sha256(key, "Hi There", 8, out);
	assert_hex(out, sizeof out,
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

/* From an independent BLAKE2b (Python's hashlib). */
static void keyed_hash_is_blake2b(void **state)
{
	unsigned char key[KEY_SIZE], out[HASH_SIZE];
	for (unsigned i = 0; i < sizeof key; i++)
		key[i] = (unsigned char)i;
	crypto_keyed_hash(key, "Manabiya", 8, out);
	assert_hex(out, sizeof out,
		"557c59f306acad692a3532dd73975fee749e551edaf7a1f1bc16e644ee9f2a6b");
	crypto_derive(key, "media", out);
	assert_hex(out, sizeof out,
		"20d16475f853a78b8d80d796348d66115ea811d961ff08de07adbcb6e0d6177f");
}

/* RFC 8032, 7.1, test 1. */
static void signature_of_rfc_8032(void **state)
{
	unsigned char public_key[PUBLIC_KEY_SIZE], key[SIGNING_KEY_SIZE], out[SIGNATURE_SIZE];
	crypto_sign_keys(
		bytes_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
		public_key, key);
	assert_hex(public_key, sizeof public_key,
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	crypto_signature(key, "", 0, out);
	assert_hex(out, sizeof out,
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		"5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
	assert_true(crypto_verify(public_key, "", 0, out));
	assert_false(crypto_verify(public_key, "x", 1, out));
	out[63] ^= 1;
	assert_false(crypto_verify(public_key, "", 0, out));
}

/* RFC 8439, A.5: its nonce begins with four zero bytes, as ours do. */
static void stream_of_rfc_8439(void **state)
{
	static const char plain[] =
		"Internet-Drafts are draft documents valid for a maximum of six months and may be "
		"updated, replaced, or obsoleted by other documents at any time. It is "
		"inappropriate to use Internet-Drafts as reference material or to cite them other "
		"than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
	const unsigned char *key =
		bytes_of("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
	struct bytes associated = { bytes_of("f33388860000000000004e91"), 12 };
	unsigned char sealed[sizeof plain - 1 + STREAM_SEAL_OVERHEAD], opened[sizeof plain - 1];
	crypto_stream_seal(key, 0x0807060504030201, associated, plain, sizeof plain - 1, sealed);
	assert_hex(sealed, 16, "64a0861575861af460f062c79be643bd");
	assert_hex(sealed + sizeof plain - 1, STREAM_SEAL_OVERHEAD,
		"eead9d67890cbb22392336fea1851f38");
	assert_int_equal(crypto_stream_open(key, 0x0807060504030201, associated, sealed,
				 sizeof sealed, opened),
		OK);
	assert_memory_equal(opened, plain, sizeof opened);
}

static void stream_counter_is_checked(void **state)
{
	unsigned char key[KEY_SIZE] = { 1 }, sealed[5 + STREAM_SEAL_OVERHEAD], opened[5];
	crypto_stream_seal(key, 7, text_bytes("a"), "hello", 5, sealed);
	assert_int_equal(crypto_stream_open(key, 8, text_bytes("a"), sealed, sizeof sealed, opened),
		ERR_INVALID);
	assert_int_equal(crypto_stream_open(key, 7, text_bytes("b"), sealed, sizeof sealed, opened),
		ERR_INVALID);
	assert_int_equal(
		crypto_stream_open(key, 7, text_bytes("a"), sealed, 3, opened), ERR_INVALID);
	sealed[0] ^= 1;
	assert_int_equal(crypto_stream_open(key, 7, text_bytes("a"), sealed, sizeof sealed, opened),
		ERR_INVALID);
}

/* draft-irtf-cfrg-xchacha-03, A.3.1. */
static void seal_of_the_xchacha_draft_opens(void **state)
{
	static const char plain[] =
		"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "
		"the future, sunscreen would be it.";
	static const char sealed[] =
		"404142434445464748494a4b4c4d4e4f5051525354555657"
		"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
		"731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
		"2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
		"21f9664c97637da9768812f615c68b13b52e"
		"c0875924c1c7987947deafd8780acf49";
	const unsigned char *key =
		bytes_of("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
	struct bytes associated = { bytes_of("50515253c0c1c2c3c4c5c6c7"), 12 };
	unsigned char opened[sizeof plain - 1];
	assert_int_equal(
		crypto_open(key, associated, bytes_of(sealed), (sizeof sealed - 1) / 2, opened),
		OK);
	assert_memory_equal(opened, plain, sizeof opened);
}

/* Lengths around the one from which another library does it, and around its blocks. */
static const size_t LONG[] = { 1023, 1024, 1025, 4095, 4096, 65535, 65536, 262145 };
#define LONG_N (sizeof LONG / sizeof *LONG)
#define LONG_MAX_N 262145

static unsigned char *long_text(size_t n)
{
	unsigned char *text = arena_alloc(arena, n + SEAL_OVERHEAD);
	for (size_t i = 0; i < n; i++)
		text[i] = (unsigned char)(i * 31 >> 3);
	return text;
}

static void long_texts_are_those_of_libsodium(void **state)
{
	static const unsigned char nonce[12] = { 0, 0, 0, 0, 5 };
	unsigned char key[KEY_SIZE] = { 9 };
	struct bytes associated = text_bytes("tenant|media");
	const unsigned char *plain = long_text(LONG_MAX_N);
	unsigned char *ours = long_text(LONG_MAX_N), *theirs = long_text(LONG_MAX_N);
	for (size_t i = 0; i < LONG_N; i++) {
		size_t n = LONG[i];
		crypto_stream_seal(key, 5, associated, plain, n, ours);
		crypto_aead_chacha20poly1305_ietf_encrypt(
			theirs, NULL, plain, n, associated.data, associated.n, NULL, nonce, key);
		assert_memory_equal(ours, theirs, n + STREAM_SEAL_OVERHEAD);
		crypto_seal(key, associated, plain, n, ours);
		assert_int_equal(
			crypto_aead_xchacha20poly1305_ietf_decrypt(theirs, NULL, NULL, ours + 24,
				n + 16, associated.data, associated.n, ours, key),
			0);
		assert_memory_equal(theirs, plain, n);
		crypto_aead_xchacha20poly1305_ietf_encrypt(
			ours + 24, NULL, plain, n, associated.data, associated.n, NULL, ours, key);
		assert_int_equal(crypto_open(key, associated, ours, n + SEAL_OVERHEAD, theirs), OK);
		assert_memory_equal(theirs, plain, n);
	}
}

static void a_long_text_is_opened_in_its_place(void **state)
{
	unsigned char key[KEY_SIZE] = { 3 };
	unsigned char *text = long_text(65536);
	crypto_stream_seal(key, 1, text_bytes("a"), long_text(65536), 65536, text);
	assert_int_equal(crypto_stream_open(
				 key, 1, text_bytes("a"), text, 65536 + STREAM_SEAL_OVERHEAD, text),
		OK);
	assert_memory_equal(text, long_text(65536), 65536);
}

/* Bits here and there, and all of the nonce and the tag. */
static void a_changed_long_text_gives_nothing(void **state)
{
	static const unsigned char zeros[4096] = { 0 };
	unsigned char key[KEY_SIZE] = { 2 }, opened[4096];
	size_t n = sizeof opened + SEAL_OVERHEAD;
	unsigned char *sealed = long_text(sizeof opened);
	crypto_seal(key, text_bytes("a"), long_text(sizeof opened), sizeof opened, sealed);
	for (size_t i = 0; i < n; i += i < 24 || i >= n - 17 ? 1 : 61) {
		memset(opened, 1, sizeof opened);
		sealed[i] ^= 4;
		assert_int_equal(crypto_open(key, text_bytes("a"), sealed, n, opened), ERR_INVALID);
		assert_memory_equal(opened, zeros, sizeof opened);
		sealed[i] ^= 4;
	}
	assert_int_equal(crypto_open(key, text_bytes("b"), sealed, n, opened), ERR_INVALID);
	assert_int_equal(crypto_open(key, text_bytes("a"), sealed, n - 1, opened), ERR_INVALID);
	assert_int_equal(crypto_open(key, text_bytes("a"), sealed, n, opened), OK);
}

static void sealed_bytes_open_only_unchanged(void **state)
{
	unsigned char key[KEY_SIZE] = { 1 }, sealed[5 + SEAL_OVERHEAD], opened[5 + SEAL_OVERHEAD];
	struct bytes associated = text_bytes("tenant|user");
	crypto_seal(key, associated, "hello", 5, sealed);
	assert_int_equal(crypto_open(key, associated, sealed, sizeof sealed, opened), OK);
	assert_memory_equal(opened, "hello", 5);
	for (size_t i = 0; i < sizeof sealed; i++) {
		sealed[i] ^= 0x80;
		assert_int_equal(
			crypto_open(key, associated, sealed, sizeof sealed, opened), ERR_INVALID);
		sealed[i] ^= 0x80;
	}
	for (size_t n = 0; n < sizeof sealed; n++)
		assert_int_equal(crypto_open(key, associated, sealed, n, opened), ERR_INVALID);
	assert_int_equal(
		crypto_open(key, text_bytes("tenant|other"), sealed, sizeof sealed, opened),
		ERR_INVALID);
	key[31] = 1;
	assert_int_equal(crypto_open(key, associated, sealed, sizeof sealed, opened), ERR_INVALID);
}

static void two_seals_of_one_text_differ(void **state)
{
	unsigned char key[KEY_SIZE] = { 1 }, a[5 + SEAL_OVERHEAD], b[5 + SEAL_OVERHEAD];
	crypto_seal(key, text_bytes(""), "hello", 5, a);
	crypto_seal(key, text_bytes(""), "hello", 5, b);
	assert_memory_not_equal(a, b, sizeof a);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

/* More than one block, in a size that does not divide it. */
static void identifiers_differ(void **state)
{
	enum { IDS = 1000 };
	static unsigned char ids[IDS][8];
	for (unsigned i = 0; i < IDS; i++) {
		unsigned char id[24];
		crypto_random_id(id, sizeof id);
		memcpy(ids[i], id + 16, 8);
	}
	qsort(ids, IDS, 8, compare_ids);
	for (unsigned i = 1; i < IDS; i++)
		assert_memory_not_equal(ids[i - 1], ids[i], 8);
}

static void a_child_draws_other_identifiers(void **state)
{
	unsigned char before[8], own[8], childs[8];
	int ends[2], status = -1;
	crypto_random_id(before, sizeof before);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		crypto_random_id(childs, sizeof childs);
		_exit(write(ends[1], childs, sizeof childs) == sizeof childs ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], childs, sizeof childs), sizeof childs);
	crypto_random_id(own, sizeof own);
	assert_memory_not_equal(own, childs, sizeof own);
	close(ends[0]);
	close(ends[1]);
}

static void secret_memory_is_zeroed_and_writable(void **state)
{
	unsigned char *secret = crypto_secret_alloc(KEY_SIZE);
	for (unsigned i = 0; i < KEY_SIZE; i++)
		assert_int_equal(secret[i], 0);
	crypto_random(secret, KEY_SIZE);
	crypto_secret_free(secret);
	crypto_secret_free(NULL);
}

/* Whether the mapping that holds the address has these flags (proc(5), VmFlags). */
static bool is_mapped_with(const void *address, const char *flag)
{
	char line[512];
	bool inside = false, has = false;
	FILE *maps = fopen("/proc/self/smaps", "re");
	assert_non_null(maps);
	while (!has && fgets(line, sizeof line, maps)) {
		char *rest;
		uintptr_t begin = strtoull(line, &rest, 16);
		if (*rest == '-')
			inside = begin <= (uintptr_t)address &&
				(uintptr_t)address < strtoull(rest + 1, NULL, 16);
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has;
}

/* dd: left out of core dumps; lo: never swapped. What malloc(3) gives is neither. */
static void secret_memory_is_in_no_core_dump_and_no_swap(void **state)
{
	unsigned char *secret = crypto_secret_alloc(120000);
	unsigned char *usual = malloc(120000);
	assert_true(is_mapped_with(secret, " dd"));
#ifndef __SANITIZE_ADDRESS__ /* it answers mlock(2) itself, and locks nothing */
	assert_true(is_mapped_with(secret, " lo"));
#endif
	assert_true(is_mapped_with(secret + 119999, " dd"));
	assert_false(is_mapped_with(usual, " dd"));
	free(usual);
	crypto_secret_free(secret);
}

static void guard_wipes(void **state)
{
	unsigned char data[4] = { 1, 2, 3, 4 };
	struct secret_guard guard = { data, sizeof data };
	secret_guard_fini(&guard);
	assert_true(crypto_equal(data, "\0\0\0\0", 4));
	assert_false(crypto_equal(data, "\0\0\0\1", 4));
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
		cmocka_unit_test(sha256_of_abc),
		cmocka_unit_test(sha256_does_not_depend_on_the_pieces),
		cmocka_unit_test(hmac_of_rfc_4231),
		cmocka_unit_test(keyed_hash_is_blake2b),
		cmocka_unit_test(signature_of_rfc_8032),
		cmocka_unit_test(stream_of_rfc_8439),
		cmocka_unit_test(stream_counter_is_checked),
		cmocka_unit_test(seal_of_the_xchacha_draft_opens),
		cmocka_unit_test(sealed_bytes_open_only_unchanged),
		cmocka_unit_test(long_texts_are_those_of_libsodium),
		cmocka_unit_test(a_long_text_is_opened_in_its_place),
		cmocka_unit_test(a_changed_long_text_gives_nothing),
		cmocka_unit_test(two_seals_of_one_text_differ),
		cmocka_unit_test(identifiers_differ),
		cmocka_unit_test(a_child_draws_other_identifiers),
		cmocka_unit_test(secret_memory_is_zeroed_and_writable),
		cmocka_unit_test(secret_memory_is_in_no_core_dump_and_no_swap),
		cmocka_unit_test(guard_wipes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_arena, free_arena);
}
