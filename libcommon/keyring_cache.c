/* Opened tenant keys; see keyring_cache.h. */
#include "libcommon/keyring_cache.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/keyring.h"

/* 256 sets of four: 512 tenants with a key and its number each. 120 KiB, far below what a process
 * may lock; more tenants at once cost a file each time, no more. */
#define SETS 256
#define WAYS 4

struct keyring_cache {
	struct keyring_entry entries[SETS][WAYS];
};

struct keyring_cache *keyring_cache_new(void)
{
	return crypto_secret_alloc(sizeof(struct keyring_cache));
}

void keyring_cache_free(struct keyring_cache *cache)
{
	crypto_secret_free(cache);
}

/* FNV-1a: ids come from our own database, nobody chooses them to collide. */
static size_t set_of(const char *tenant_id, uint32_t version)
{
	uint32_t hash = 2166136261U ^ version;
	for (const char *at = tenant_id; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	return hash % SETS;
}

static bool is_of(const struct keyring_entry *entry, const char *tenant_id, uint32_t version)
{
	return entry->version == version && strcmp(entry->tenant_id, tenant_id) == 0;
}

struct keyring_entry *keyring_cache_slot(
	struct keyring_cache *cache, const char *tenant_id, uint32_t version)
{
	struct keyring_entry *set = cache->entries[set_of(tenant_id, version)], *oldest = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (is_of(&set[i], tenant_id, version))
			return &set[i];
		if (set[i].used_unix_ms < oldest->used_unix_ms)
			oldest = &set[i];
	}
	keyring_entry_wipe(oldest);
	snprintf(oldest->tenant_id, sizeof(oldest->tenant_id), "%s", tenant_id);
	oldest->version = version;
	return oldest;
}

bool keyring_entry_is_trusted(const struct keyring_entry *entry)
{
	int64_t age_ms = clock_unix_ms() - entry->confirmed_unix_ms;
	return age_ms >= 0 && age_ms < KEYRING_TRUST_MS;
}

void keyring_entry_confirm(struct keyring_entry *entry)
{
	entry->used_unix_ms = clock_unix_ms();
	if (!keyring_entry_is_trusted(entry))
		entry->confirmed_unix_ms = entry->used_unix_ms;
}

void keyring_entry_wipe(struct keyring_entry *entry)
{
	crypto_wipe(entry, sizeof(*entry));
}

void keyring_cache_drop(struct keyring_cache *cache, keyring_entry_is_there *is_there, void *arg)
{
	int64_t now_ms = clock_unix_ms();
	struct keyring_entry *entries = &cache->entries[0][0];
	for (size_t i = 0; i < SETS * WAYS; i++) {
		int64_t idle_ms = now_ms - entries[i].used_unix_ms;
		/* Used in the future: the clock was set back, nobody knows when it was. */
		if (idle_ms < 0 || idle_ms >= KEYRING_IDLE_MS ||
			(entries[i].opened && !is_there(arg, &entries[i])))
			keyring_entry_wipe(&entries[i]);
	}
}
