/*
 * A hash table with open addressing. The hash is keyed: the choice of addresses is an attacker's,
 * where they fall is not.
 */
#include "services/gateway/source.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct slot {
	struct source source;
	unsigned count; /* 0: free */
};

struct sources {
	struct slot *slots;
	size_t size, used; /* size is a power of two, and at least twice `used` */
	uint64_t key;
};

enum { FIRST_SIZE = 64 };

struct source source_of(const struct sockaddr_storage *address, char text[INET6_ADDRSTRLEN])
{
	struct source source = { 0 };
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const void *bytes = &((const struct sockaddr_in *)address)->sin_addr;
	source.is_v4 = address->ss_family == AF_INET;
	if (!source.is_v4 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		source.is_v4 = true;
		bytes = &v6->sin6_addr.s6_addr[12];
	} else if (!source.is_v4) {
		bytes = &v6->sin6_addr;
	}
	memcpy(&source.prefix, bytes, source.is_v4 ? 4 : 8);
	if (!inet_ntop(source.is_v4 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN))
		text[0] = 0;
	return source;
}

const char *source_prefix(struct arena *arena, const char *text)
{
	struct in6_addr address;
	if (!strchr(text, ':') || inet_pton(AF_INET6, text, &address) != 1)
		return text;
	const unsigned char *bytes = address.s6_addr;
	return arena_printf(arena, "%02x%02x:%02x%02x:%02x%02x:%02x%02x", bytes[0], bytes[1],
		bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]);
}

static struct slot *slots_new(size_t n)
{
	struct slot *slots = calloc(n, sizeof *slots);
	if (!slots)
		abort(); /* out of memory is never handled by callers */
	return slots;
}

struct sources *sources_new(void)
{
	struct sources *sources = calloc(1, sizeof *sources);
	if (!sources || getrandom(&sources->key, sizeof sources->key, 0) != sizeof sources->key)
		abort();
	sources->size = FIRST_SIZE;
	sources->slots = slots_new(FIRST_SIZE);
	sources->key |= 1; /* a multiplier must be odd */
	return sources;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	free(sources->slots);
	free(sources);
}

static size_t home_of(const struct sources *sources, struct source source)
{
	uint64_t hash = (source.prefix ^ (uint64_t)source.is_v4 << 63) * sources->key;
	hash ^= hash >> 32;
	hash *= sources->key;
	return (size_t)(hash >> 32) & (sources->size - 1);
}

/* The source's slot, or the free one where it would be. */
static struct slot *find(const struct sources *sources, struct source source)
{
	size_t at = home_of(sources, source);
	for (;; at = (at + 1) & (sources->size - 1)) {
		struct slot *slot = &sources->slots[at];
		if (!slot->count ||
			(slot->source.prefix == source.prefix &&
				slot->source.is_v4 == source.is_v4))
			return slot;
	}
}

static void grow(struct sources *sources)
{
	struct slot *old = sources->slots;
	size_t n = sources->size;
	sources->size *= 2;
	sources->slots = slots_new(sources->size);
	for (size_t i = 0; i < n; i++) {
		if (old[i].count)
			*find(sources, old[i].source) = old[i];
	}
	free(old);
}

unsigned sources_join(struct sources *sources, struct source source)
{
	if ((sources->used + 1) * 2 > sources->size)
		grow(sources);
	struct slot *slot = find(sources, source);
	if (!slot->count)
		sources->used++;
	slot->source = source;
	return ++slot->count;
}

/* What stood behind a freed slot may belong into it. */
static void close_gap(struct sources *sources, size_t gap)
{
	size_t mask = sources->size - 1;
	for (size_t at = (gap + 1) & mask; sources->slots[at].count; at = (at + 1) & mask) {
		size_t home = home_of(sources, sources->slots[at].source);
		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		sources->slots[gap] = sources->slots[at];
		sources->slots[at].count = 0;
		gap = at;
	}
}

void sources_leave(struct sources *sources, struct source source)
{
	struct slot *slot = find(sources, source);
	if (!slot->count || --slot->count > 0)
		return;
	sources->used--;
	close_gap(sources, (size_t)(slot - sources->slots));
}
