/* Argon2id behind PHC strings (RFC 9106). Slow on purpose; crypto.h says who may call it. */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "libcommon/crypto.h"

static_assert(CRYPTO_PASSWORD_SALT_SIZE == crypto_pwhash_SALTBYTES, "salt size");
static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "PHC string size");

enum err crypto_password_hash(
	const char *password, unsigned passes, size_t memory_bytes, char out[PASSWORD_HASH_SIZE])
{
	int failed = crypto_pwhash_str_alg(out, password, strlen(password), passes, memory_bytes,
		crypto_pwhash_ALG_ARGON2ID13);
	/* It fails only when the memory cannot be had. */
	return failed ? ERR_UNAVAILABLE : OK;
}

bool crypto_password_verify(const char *hash, const char *password)
{
	return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

bool crypto_password_is_stale(const char *hash, unsigned passes, size_t memory_bytes)
{
	return crypto_pwhash_str_needs_rehash(hash, passes, memory_bytes) != 0;
}

enum err crypto_password_key(const char *passphrase,
	const unsigned char salt[CRYPTO_PASSWORD_SALT_SIZE], unsigned passes, size_t memory_bytes,
	unsigned char out[KEY_SIZE])
{
	int failed = crypto_pwhash(out, KEY_SIZE, passphrase, strlen(passphrase), salt, passes,
		memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
	return failed ? ERR_UNAVAILABLE : OK;
}
