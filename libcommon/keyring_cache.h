/*
 * The tenant keys that keyring.c has opened, in guarded memory: a fixed number of slots, found by
 * hash. Knows nothing of files. Not thread-safe.
 */
#ifndef MANABIYA_KEYRING_CACHE_H
#define MANABIYA_KEYRING_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "libcommon/crypto.h"

#define TENANT_ID_SIZE 37

struct keyring_entry {
	char tenant_id[TENANT_ID_SIZE];
	uint32_t version; /* 0: this entry is about the newest */
	uint32_t newest; /* of an entry of version 0; 0 not known */
	int64_t confirmed_unix_ms, used_unix_ms;
	ino_t file; /* what the KEK was read from */
	bool opened; /* there is a KEK */
	unsigned char kek[KEY_SIZE];
};

struct keyring_cache;

struct keyring_cache *keyring_cache_new(void);
void keyring_cache_free(struct keyring_cache *cache);

/* The entry of a version; one that is new has neither KEK nor newest. Good until the next call. */
struct keyring_entry *keyring_cache_slot(
	struct keyring_cache *cache, const char *tenant_id, uint32_t version);

/* Its file was seen within KEYRING_TRUST_MS. A clock that was set back trusts nothing. */
bool keyring_entry_is_trusted(const struct keyring_entry *entry);
void keyring_entry_confirm(struct keyring_entry *entry);
void keyring_entry_wipe(struct keyring_entry *entry);

/* Whether what the entry was read from still lies under its name. */
typedef bool keyring_entry_is_there(void *arg, const struct keyring_entry *entry);

/* Wipe what was not used for KEYRING_IDLE_MS, and the KEKs whose file is gone. */
void keyring_cache_drop(struct keyring_cache *cache, keyring_entry_is_there *is_there, void *arg);

#endif
