/* Hashes and signatures: thin wrappers that fix the algorithm. Seals are crypto_aead.c's. */
#include "libcommon/crypto.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/log.h"

static_assert(KEY_SIZE == crypto_sign_SEEDBYTES, "seed size");
static_assert(HASH_SIZE == crypto_hash_sha256_BYTES, "hash size");
static_assert(HASH_SIZE == crypto_auth_hmacsha256_BYTES, "hash size");
static_assert(SIGNATURE_SIZE == crypto_sign_BYTES, "signature size");
static_assert(PUBLIC_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "public key size");
static_assert(SIGNING_KEY_SIZE == crypto_sign_SECRETKEYBYTES, "signing key size");

#define ID_BLOCK 512 /* drawn at once for identifiers: one system call for 32 UUIDs */

/* Bytes for identifiers that this thread has drawn and not yet given away. */
static _Thread_local struct {
	unsigned char bytes[ID_BLOCK];
	size_t left;
} ids;

/* A child would give away the same ones as its parent. Of the threads it has only the caller's. */
static void forget_ids(void)
{
	sodium_memzero(&ids, sizeof(ids));
}

static void start(void)
{
	if (sodium_init() < 0 || pthread_atfork(NULL, NULL, forget_ids) != 0) {
		log_error("libsodium does not start");
		abort();
	}
}

/* Each pthread_atfork() is remembered for ever, and secrets are allocated all the time. */
void crypto_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, start);
}

void crypto_random(void *out, size_t n)
{
	randombytes_buf(out, n);
}

void crypto_random_id(void *out, size_t n)
{
	assert(n <= sizeof(ids.bytes));
	if (ids.left < n) {
		randombytes_buf(ids.bytes, sizeof(ids.bytes));
		ids.left = sizeof(ids.bytes);
	}
	ids.left -= n;
	memcpy(out, ids.bytes + ids.left, n);
	sodium_memzero(ids.bytes + ids.left, n);
}

void crypto_wipe(void *secret, size_t n)
{
	sodium_memzero(secret, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void secret_guard_fini(struct secret_guard *guard)
{
	sodium_memzero(guard->data, guard->n);
}

void *crypto_secret_alloc(size_t n)
{
	crypto_start();
	void *secret = sodium_malloc(n);
	if (!secret)
		abort();
	sodium_memzero(secret, n);
	return secret;
}

void crypto_secret_free(void *secret)
{
	sodium_free(secret);
}

void crypto_sha256(const void *data, size_t n, unsigned char out[HASH_SIZE])
{
	crypto_hash_sha256(out, data, n);
}

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct sha256), "room for the state");

static crypto_hash_sha256_state *state_of(struct sha256 *hash)
{
	return (crypto_hash_sha256_state *)(void *)hash->state;
}

void crypto_sha256_begin(struct sha256 *hash)
{
	crypto_hash_sha256_init(state_of(hash));
}

void crypto_sha256_add(struct sha256 *hash, const void *data, size_t n)
{
	crypto_hash_sha256_update(state_of(hash), data, n);
}

void crypto_sha256_end(struct sha256 *hash, unsigned char out[HASH_SIZE])
{
	crypto_hash_sha256_final(state_of(hash), out);
}

void crypto_sha256_tagged(
	unsigned char tag, const void *data, size_t n, unsigned char out[HASH_SIZE])
{
	crypto_hash_sha256_state state;
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &tag, 1);
	crypto_hash_sha256_update(&state, data, n);
	crypto_hash_sha256_final(&state, out);
}

void crypto_keyed_hash(
	const unsigned char key[KEY_SIZE], const void *data, size_t n, unsigned char out[HASH_SIZE])
{
	if (crypto_generichash(out, HASH_SIZE, data, n, key, KEY_SIZE) != 0)
		abort();
}

void crypto_hmac_sha256(
	const unsigned char key[KEY_SIZE], const void *data, size_t n, unsigned char out[HASH_SIZE])
{
	crypto_auth_hmacsha256(out, data, n, key);
}

void crypto_derive(
	const unsigned char key[KEY_SIZE], const char *context, unsigned char out[KEY_SIZE])
{
	crypto_keyed_hash(key, context, strlen(context), out);
}

void crypto_sign_keys(const unsigned char seed[KEY_SIZE], unsigned char public_key[PUBLIC_KEY_SIZE],
	unsigned char signing_key[SIGNING_KEY_SIZE])
{
	if (crypto_sign_seed_keypair(public_key, signing_key, seed) != 0)
		abort();
}

void crypto_signature(const unsigned char signing_key[SIGNING_KEY_SIZE], const void *data, size_t n,
	unsigned char out[SIGNATURE_SIZE])
{
	if (crypto_sign_detached(out, NULL, data, n, signing_key) != 0)
		abort();
}

bool crypto_verify(const unsigned char public_key[PUBLIC_KEY_SIZE], const void *data, size_t n,
	const unsigned char signature[SIGNATURE_SIZE])
{
	return crypto_sign_verify_detached(signature, data, n, public_key) == 0;
}
