/*
 * Codes from an authenticator app: TOTP (RFC 6238) with what every app knows, SHA-1, six digits and
 * steps of thirty seconds. Whether a code was used before is not known here (second_factor.c).
 *
 * OpenSSL is asked for its HMAC because libsodium has no SHA-1. That hash is broken for signatures,
 * not for this: HMAC needs no resistance to collisions.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "services/auth/auth.h"

#define STEPS_ASIDE 1 /* clocks of telephones are right to some seconds; and people type slowly */
#define CODES 1000000
#define SHA1_SIZE 20

int64_t totp_step(int64_t unix_ms)
{
	return unix_ms / TOTP_STEP_MS;
}

/* RFC 4226, 5.3: 31 bits of the MAC, from where its last four bits say. */
static uint32_t truncate_mac(const unsigned char mac[SHA1_SIZE])
{
	const unsigned char *at = mac + (mac[SHA1_SIZE - 1] & 15);
	return (uint32_t)(at[0] & 127) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

const char *totp_code(
	struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE], int64_t step)
{
	unsigned char counter[8], mac[EVP_MAX_MD_SIZE];
	unsigned n;
	for (unsigned i = 0; i < sizeof counter; i++)
		counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
	if (!HMAC(EVP_sha1(), secret, TOTP_SECRET_SIZE, counter, sizeof counter, mac, &n))
		abort(); /* out of memory */
	return arena_printf(arena, "%06u", truncate_mac(mac) % CODES);
}

int64_t totp_find(struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE],
	const char *code, int64_t unix_ms)
{
	int64_t found = 0, now = totp_step(unix_ms);
	if (strlen(code) != TOTP_DIGITS)
		return 0;
	/* All are looked at, so that time does not tell which it was. */
	for (int64_t step = now - STEPS_ASIDE; step <= now + STEPS_ASIDE; step++)
		if (crypto_equal(totp_code(arena, secret, step), code, TOTP_DIGITS))
			found = step;
	return found;
}

/* RFC 4648, 6; the secret's 160 bits leave no rest. */
const char *totp_secret_text(struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char *text = arena_alloc(arena, TOTP_SECRET_SIZE * 8 / 5 + 1);
	for (size_t i = 0; i < TOTP_SECRET_SIZE * 8 / 5; i++) {
		size_t bit = 5 * i, byte = bit / 8;
		unsigned next = byte + 1 < TOTP_SECRET_SIZE ? secret[byte + 1] : 0;
		unsigned pair = (unsigned)secret[byte] << 8 | next;
		text[i] = alphabet[pair >> (11 - bit % 8) & 31];
	}
	return text;
}

/* Codes of tenants and names of users have no character that would need escaping. */
const char *totp_uri(struct arena *arena, const unsigned char secret[TOTP_SECRET_SIZE],
	const char *tenant_code, const char *username)
{
	return arena_printf(arena,
		"otpauth://totp/Manabiya:%s@%s?secret=%s&issuer=Manabiya&algorithm=SHA1"
		"&digits=6&period=30",
		username, tenant_code, totp_secret_text(arena, secret));
}
