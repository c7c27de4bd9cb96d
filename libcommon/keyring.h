/*
 * Tenant keys, kept outside the database and its backups.
 *
 * A directory holds one file per tenant key version: the KEK, sealed under the root key. The root
 * key comes from a file that the operator guards. Destroying a tenant's files makes its data
 * unreadable wherever copies of it lie.
 */
#ifndef MANABIYA_KEYRING_H
#define MANABIYA_KEYRING_H

#include "libcommon/crypto.h"
#include "libcommon/err.h"

struct keyring;

/* `root` is KEY_SIZE bytes as hex. NULL with a logged reason if the directory cannot be used. */
struct keyring *keyring_open(const char *directory, const char *root_hex);
void keyring_close(struct keyring *keyring);

/* A new random KEK for a tenant; one that is there already is left alone. Durable when it returns.
 * Provisioning only. */
must_check enum err keyring_create(struct keyring *keyring, const char *tenant_id);

/* The data key of a domain ("media", …) of a tenant: derived from its KEK. ERR_NOT_FOUND when the
 * tenant has no key. Thread-safe. */
must_check enum err keyring_data_key(struct keyring *keyring, const char *tenant_id,
	const char *domain, unsigned char out[KEY_SIZE]);

#endif
