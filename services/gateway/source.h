/* How many connections each source address has: one source must not take them all. */
#ifndef MANABIYA_GATEWAY_SOURCE_H
#define MANABIYA_GATEWAY_SOURCE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/arena.h"

/* An IPv4 address, or the /64 of an IPv6 one: what one customer of a provider gets. */
struct source {
	uint64_t prefix;
	bool is_v4;
};

/* The address as text without a port; IPv4 inside IPv6 is written as IPv4. */
struct source source_of(const struct sockaddr_storage *address, char text[INET6_ADDRSTRLEN]);

/* What stands for that source where it is counted by name: the address, or the /64 of an IPv6 one.
 */
const char *source_prefix(struct arena *arena, const char *text);

struct sources;
struct sources *sources_new(void);
void sources_free(struct sources *sources);

/* One more connection of it; returns how many it has now. */
unsigned sources_join(struct sources *sources, struct source source);
void sources_leave(struct sources *sources, struct source source);

#endif
