/*
 * Login salts: 32 random bytes of each tenant in the keyring's directory, `<tenant>.login`. auth
 * makes the key by which login names are found from them and from a secret of its own, so that
 * people get in while whoever keeps the root is away. They open nothing by themselves, so they lie
 * as they are; like keys they are in no backup of the database, and go when the tenant goes.
 */
#ifndef MANABIYA_KEYRING_SALT_H
#define MANABIYA_KEYRING_SALT_H

#include "libcommon/crypto.h"
#include "libcommon/err.h"
#include "libcommon/keyring_file.h"

void keyring_salt_name(const char *tenant_id, char out[KEYRING_NAME_SIZE]);

/* From the open directory. NOT_FOUND for a tenant that never was or is erased; UNAVAILABLE. */
must_check enum err keyring_salt_read(
	int directory, const char *tenant_id, unsigned char out[KEY_SIZE]);

#endif
