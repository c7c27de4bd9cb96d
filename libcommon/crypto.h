/*
 * Cryptography, the only code that calls libsodium, and OpenSSL's ciphers. Keys are byte arrays of
 * the sizes below.
 *
 * What is refused: nonces chosen by callers, comparisons that leak time, algorithms by name.
 */
#ifndef MANABIYA_CRYPTO_H
#define MANABIYA_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/err.h"

#define KEY_SIZE 32
#define HASH_SIZE 32
#define SIGNATURE_SIZE 64
#define PUBLIC_KEY_SIZE 32
#define SIGNING_KEY_SIZE 64
#define SEAL_OVERHEAD 40 /* XChaCha20-Poly1305: 24 nonce + 16 tag */

/* Before anything else here; more than once does no harm. */
void crypto_start(void);

void crypto_random(void *out, size_t n);

/*
 * For identifiers, which need to be different and not secret: drawn from the system in blocks, so
 * that most calls make no system call. Bytes that were given away are not kept, and a forked child
 * draws its own.
 */
void crypto_random_id(void *out, size_t n);

void crypto_wipe(void *secret, size_t n);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */

/* Memory for secrets that live long: locked, kept out of core dumps, between guard pages, zeroed;
 * wiped when freed. Never NULL. */
void *crypto_secret_alloc(size_t n);
void crypto_secret_free(void *secret);

/* A stack buffer that is wiped at scope exit: `auto_secret(key, KEY_SIZE);` declares `unsigned char
 * key[KEY_SIZE]`. */
struct secret_guard {
	void *data;
	size_t n;
};
void secret_guard_fini(struct secret_guard *guard);
#define auto_secret(name_, size_)                                                                  \
	unsigned char name_[size_] = { 0 };                                                        \
	__attribute__((cleanup(secret_guard_fini),                                                 \
		unused)) struct secret_guard name_##_guard = { name_, size_ }

/* SHA-256, BLAKE2b-256 with a key, HMAC-SHA-256. */
void crypto_sha256(const void *data, size_t n, unsigned char out[HASH_SIZE]);
/* SHA-256 of the byte `tag` and the data behind it. */
void crypto_sha256_tagged(
	unsigned char tag, const void *data, size_t n, unsigned char out[HASH_SIZE]);
/* SHA-256 of what comes piece by piece. */
struct sha256 {
	_Alignas(8) unsigned char state[128]; /* libsodium's */
};
void crypto_sha256_begin(struct sha256 *hash);
void crypto_sha256_add(struct sha256 *hash, const void *data, size_t n);
void crypto_sha256_end(struct sha256 *hash, unsigned char out[HASH_SIZE]);
void crypto_keyed_hash(const unsigned char key[KEY_SIZE], const void *data, size_t n,
	unsigned char out[HASH_SIZE]);
void crypto_hmac_sha256(const unsigned char key[KEY_SIZE], const void *data, size_t n,
	unsigned char out[HASH_SIZE]);

/* A key of its own for each purpose: BLAKE2b keyed with `key` over `context`. */
void crypto_derive(
	const unsigned char key[KEY_SIZE], const char *context, unsigned char out[KEY_SIZE]);

/* XChaCha20-Poly1305: out = nonce ‖ ciphertext ‖ tag, n + SEAL_OVERHEAD bytes. Opening garbage is
 * ERR_INVALID and leaves nothing of it in `out`. */
void crypto_seal(const unsigned char key[KEY_SIZE], struct bytes associated, const void *plain,
	size_t n, unsigned char *out);
must_check enum err crypto_open(const unsigned char key[KEY_SIZE], struct bytes associated,
	const void *sealed, size_t n, unsigned char *out /* n - SEAL_OVERHEAD */);

/* ChaCha20-Poly1305 (RFC 8439) with a counter as nonce, for ordered links; out is n + 16. The key
 * must be used for one direction. A text may be sealed and opened in its place. */
#define STREAM_SEAL_OVERHEAD 16
void crypto_stream_seal(const unsigned char key[KEY_SIZE], uint64_t counter,
	struct bytes associated, const void *plain, size_t n, unsigned char *out);
must_check enum err crypto_stream_open(const unsigned char key[KEY_SIZE], uint64_t counter,
	struct bytes associated, const void *sealed, size_t n,
	unsigned char *out /* n - STREAM_SEAL_OVERHEAD */);

/* Ed25519. The seed is KEY_SIZE bytes. (The name crypto_sign is libsodium's.) */
void crypto_sign_keys(const unsigned char seed[KEY_SIZE], unsigned char public_key[PUBLIC_KEY_SIZE],
	unsigned char signing_key[SIGNING_KEY_SIZE]);
void crypto_signature(const unsigned char signing_key[SIGNING_KEY_SIZE], const void *data, size_t n,
	unsigned char out[SIGNATURE_SIZE]);
bool crypto_verify(const unsigned char public_key[PUBLIC_KEY_SIZE], const void *data, size_t n,
	const unsigned char signature[SIGNATURE_SIZE]);

/* Argon2id, PHC string (RFC 9106). Costs tens of milliseconds of a core: only auth's pool calls
 * these, and whoever opens a keyring. */
#define PASSWORD_HASH_SIZE 128
must_check enum err crypto_password_hash(
	const char *password, unsigned passes, size_t memory_bytes, char out[PASSWORD_HASH_SIZE]);
bool crypto_password_verify(const char *hash, const char *password);
/* A key from a passphrase; UNAVAILABLE when the memory cannot be had. */
#define CRYPTO_PASSWORD_SALT_SIZE 16
must_check enum err crypto_password_key(const char *passphrase,
	const unsigned char salt[CRYPTO_PASSWORD_SALT_SIZE], unsigned passes, size_t memory_bytes,
	unsigned char out[KEY_SIZE]);
bool crypto_password_is_stale(const char *hash, unsigned passes, size_t memory_bytes);

/* Text forms. Decoding refuses anything not canonical with ERR_INVALID. */
const char *crypto_hex(struct arena *arena, const void *data, size_t n);
must_check enum err crypto_from_hex(const char *hex, unsigned char *out, size_t n);
const char *crypto_base64url(struct arena *arena, const void *data, size_t n); /* without padding */
must_check enum err crypto_from_base64url(struct arena *arena, const char *text, struct bytes *out);
const char *crypto_base64(struct arena *arena, const void *data, size_t n); /* RFC 4648, 4 */
must_check enum err crypto_from_base64(struct arena *arena, const char *text, struct bytes *out);
/* The same of `n` letters that are a key, which is then in `key` and nowhere else. */
must_check enum err crypto_key_from_base64(const char *text, size_t n, unsigned char key[KEY_SIZE]);

/* A random secret that people copy by hand: `groups` of four from an alphabet without look-alikes,
 * joined by `-` (20 bit a group). */
const char *crypto_readable_secret(struct arena *arena, unsigned groups);

#endif
