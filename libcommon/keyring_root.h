/*
 * The root key of a keyring as it lies in its file: 64 hexadecimal digits, or one line that is
 * sealed under a passphrase, so that whoever copies the file alone has nothing:
 *
 *     manabiya-root@v1 KIB PASSES SALT SEALED
 *
 * KIB of memory and PASSES are what Argon2id (RFC 9106) took, SALT its 16 bytes as hex; SEALED is
 * the root key under what came out of it, XChaCha20-Poly1305 over what stands before the last
 * space, as hex. The passphrase lies in another file, such as a credential that systemd gives.
 */
#ifndef MANABIYA_KEYRING_ROOT_H
#define MANABIYA_KEYRING_ROOT_H

#include "libcommon/crypto.h"

#define KEYRING_ROOT_TEXT_MAX 256
/* People who are told to think of one take a few words; a program takes 32 random bytes. */
#define KEYRING_PASSPHRASE_MIN 16
#define KEYRING_PASSPHRASE_MAX 1024

/*
 * What stands in the file. With a passphrase only a sealed key is taken, or a deployment that was
 * meant to have one would run without. NULL, or why not; takes a tenth of a second when it is
 * sealed.
 */
must_check const char *keyring_root_open(
	const char *text, const char *passphrase, unsigned char root[KEY_SIZE]);

/* The line for a root key, in the arena; NULL when the memory for it cannot be had. */
must_check const char *keyring_root_seal(
	struct arena *arena, const unsigned char root[KEY_SIZE], const char *passphrase);

#endif
