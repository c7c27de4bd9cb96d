/* Verified capabilities of one thread, found by a hash of their text; see capability_cache.h. */
#include "libcommon/capability_cache.h"

#include <string.h>

/* Sessions that one worker meets within a minute; a collision costs one verification. */
#define ENTRIES 512

struct entry {
	struct arena *arena;
	const char *text;
	struct actor actor;
};

static _Thread_local struct entry entries[ENTRIES];

/* FNV-1a over the signature's end: it is random, and nobody can choose it without auth's key. */
static unsigned slot_of(const char *text, size_t n)
{
	uint32_t hash = 2166136261u;
	for (size_t i = n > 16 ? n - 16 : 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash % ENTRIES;
}

enum err capability_check(const unsigned char key[PUBLIC_KEY_SIZE], const char *text,
	int64_t now_unix_ms, const struct actor **out)
{
	struct entry *entry = &entries[slot_of(text, strlen(text))];
	*out = &entry->actor;
	if (entry->text && strcmp(entry->text, text) == 0)
		return now_unix_ms < entry->actor.expires_unix_ms ? OK : ERR_UNAUTHENTICATED;
	if (!entry->arena)
		entry->arena = arena_new();
	arena_reset(entry->arena);
	entry->text = NULL;
	enum err e = capability_verify(entry->arena, key, text, now_unix_ms, &entry->actor);
	if (!e)
		entry->text = arena_strdup(entry->arena, text);
	return e;
}

void capability_cache_free(void)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		arena_free(entries[i].arena);
		entries[i] = (struct entry){ 0 };
	}
}
