/*
 * What the algorithms that we wrap must refuse, by the families of Project Wycheproof: each bit of
 * each input changed, borders moved, lengths around a block, and signatures that only a verifier
 * without the checks of RFC 8032, 5.1.7, takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/crypto.h"

#define PLAIN_MAX 130 /* two blocks of ChaCha20 and a rest */
#define ASSOCIATED_N 17 /* a block of Poly1305 and a rest */

/* The two AEADs alike. */
struct aead {
	const char *name;
	size_t overhead;
	void (*seal)(const unsigned char *key, struct bytes associated, const void *plain, size_t n,
		unsigned char *out);
	enum err (*open)(const unsigned char *key, struct bytes associated, const void *sealed,
		size_t n, unsigned char *out);
};

static void seal_stream(const unsigned char *key, struct bytes associated, const void *plain,
	size_t n, unsigned char *out)
{
	crypto_stream_seal(key, 7, associated, plain, n, out);
}

static enum err open_stream(const unsigned char *key, struct bytes associated, const void *sealed,
	size_t n, unsigned char *out)
{
	return crypto_stream_open(key, 7, associated, sealed, n, out);
}

static const struct aead AEADS[] = {
	{ "XChaCha20-Poly1305", SEAL_OVERHEAD, crypto_seal, crypto_open },
	{ "ChaCha20-Poly1305", STREAM_SEAL_OVERHEAD, seal_stream, open_stream },
};
#define AEADS_N (sizeof AEADS / sizeof *AEADS)

/* One sealed text and all that it was sealed with. */
struct sealed {
	const struct aead *aead;
	unsigned char key[KEY_SIZE], associated[ASSOCIATED_N], data[PLAIN_MAX + SEAL_OVERHEAD + 1];
	size_t n;
};

static enum err open_it(const struct sealed *sealed, size_t associated_n, size_t n)
{
	unsigned char out[PLAIN_MAX + SEAL_OVERHEAD];
	return sealed->aead->open(sealed->key, (struct bytes){ sealed->associated, associated_n },
		sealed->data, n, out);
}

static struct sealed seal_it(const struct aead *aead, size_t plain_n)
{
	static const unsigned char plain[PLAIN_MAX];
	struct sealed sealed = { .aead = aead, .n = plain_n + aead->overhead };
	memset(sealed.key, 0x5a, sizeof sealed.key);
	aead->seal(sealed.key, (struct bytes){ sealed.associated, ASSOCIATED_N }, plain, plain_n,
		sealed.data);
	assert_int_equal(open_it(&sealed, ASSOCIATED_N, sealed.n), OK);
	return sealed;
}

static void refuse_each_bit(struct sealed *sealed, unsigned char *at, size_t n)
{
	for (size_t bit = 0; bit < n * 8; bit++) {
		at[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_equal(open_it(sealed, ASSOCIATED_N, sealed->n), ERR_INVALID);
		at[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
}

static void every_bit_of_every_input_counts(void **state)
{
	static const size_t lengths[] = { 0, 1, 15, 16, 17, 63, 64, 65, PLAIN_MAX };
	for (size_t i = 0; i < AEADS_N * sizeof lengths / sizeof *lengths; i++) {
		struct sealed sealed = seal_it(&AEADS[i % AEADS_N], lengths[i / AEADS_N]);
		refuse_each_bit(&sealed, sealed.data, sealed.n);
		refuse_each_bit(&sealed, sealed.key, sizeof sealed.key);
		refuse_each_bit(&sealed, sealed.associated, sizeof sealed.associated);
	}
}

static void no_other_length_opens(void **state)
{
	for (size_t i = 0; i < AEADS_N; i++) {
		struct sealed sealed = seal_it(&AEADS[i], 20);
		for (size_t n = 0; n <= sealed.n + 1; n++) {
			bool is_whole = n == sealed.n;
			assert_int_equal(
				open_it(&sealed, ASSOCIATED_N, n), is_whole ? OK : ERR_INVALID);
		}
		for (size_t n = 0; n < ASSOCIATED_N; n++) /* zeros: the padding is the same */
			assert_int_equal(open_it(&sealed, n, sealed.n), ERR_INVALID);
	}
}

/* Tags that a broken comparison or a key of zeros lets through. */
static void made_up_tags_are_refused(void **state)
{
	static const unsigned char fillings[] = { 0x00, 0xff, 0x80, 0x01 };
	for (size_t i = 0; i < AEADS_N * sizeof fillings; i++) {
		struct sealed sealed = seal_it(&AEADS[i % AEADS_N], 16);
		memset(sealed.data + sealed.n - 16, fillings[i / AEADS_N], 16);
		assert_int_equal(open_it(&sealed, ASSOCIATED_N, sealed.n), ERR_INVALID);
	}
}

/* ---- Ed25519 ---- */

struct signature {
	unsigned char public_key[PUBLIC_KEY_SIZE], text[8], bytes[SIGNATURE_SIZE];
};

static bool verifies(const struct signature *s)
{
	return crypto_verify(s->public_key, s->text, sizeof s->text, s->bytes);
}

static struct signature sign_it(unsigned char seed_byte)
{
	struct signature s = { .text = "Manabiya" };
	unsigned char seed[KEY_SIZE], key[SIGNING_KEY_SIZE];
	memset(seed, seed_byte, sizeof seed);
	crypto_sign_keys(seed, s.public_key, key);
	crypto_signature(key, s.text, sizeof s.text, s.bytes);
	assert_true(verifies(&s));
	return s;
}

static void every_bit_of_a_signature_counts(void **state)
{
	struct signature s = sign_it(1);
	unsigned char *all = (unsigned char *)&s;
	for (size_t bit = 0; bit < sizeof s * 8; bit++) {
		all[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_false(verifies(&s));
		all[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
}

/* S and S plus the order of the group satisfy the same equation: only the smaller is a signature.
 */
static void a_signature_has_one_form(void **state)
{
	static const unsigned char order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
		0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
	for (unsigned char seed = 1; seed < 50; seed++) {
		struct signature s = sign_it(seed);
		unsigned carry = 0;
		for (size_t i = 0; i < sizeof order; i++) {
			carry += s.bytes[32 + i] + (unsigned)order[i];
			s.bytes[32 + i] = (unsigned char)carry;
			carry >>= 8;
		}
		assert_false(verifies(&s));
	}
}

/* The points of edwards25519 whose order divides 8, in each encoding. With one as key, one as R and
 * S = 0, the equation holds for every text, or for every second, fourth or eighth. */
static void keys_of_small_order_sign_nothing(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	enum { POINTS_N = sizeof points / sizeof *points };
	for (size_t i = 0; i < (size_t)POINTS_N * POINTS_N; i++) {
		struct signature s = { .text = "Manabiya" };
		assert_int_equal(crypto_from_hex(points[i % POINTS_N], s.public_key, 32), OK);
		assert_int_equal(crypto_from_hex(points[i / POINTS_N], s.bytes, 32), OK);
		for (unsigned text = 0; text < 64; text++) {
			s.text[0] = (unsigned char)text;
			assert_false(verifies(&s));
		}
	}
}

static void empty_signatures_are_refused(void **state)
{
	struct signature s = sign_it(1);
	memset(s.bytes + 32, 0, 32); /* S = 0 */
	assert_false(verifies(&s));
	memset(s.bytes, 0, sizeof s.bytes);
	assert_false(verifies(&s));
	memset(s.bytes, 0xff, sizeof s.bytes);
	assert_false(verifies(&s));
}

static int start(void **state)
{
	crypto_start();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit_of_every_input_counts),
		cmocka_unit_test(no_other_length_opens),
		cmocka_unit_test(made_up_tags_are_refused),
		cmocka_unit_test(every_bit_of_a_signature_counts),
		cmocka_unit_test(a_signature_has_one_form),
		cmocka_unit_test(keys_of_small_order_sign_nothing),
		cmocka_unit_test(empty_signatures_are_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, NULL);
}
