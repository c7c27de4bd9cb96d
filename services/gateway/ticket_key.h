/*
 * Keys that seal session tickets: made by this process, kept in its memory alone, and replaced by
 * time, so that a stolen memory opens no ticket of yesterday.
 */
#ifndef MANABIYA_GATEWAY_TICKET_KEY_H
#define MANABIYA_GATEWAY_TICKET_KEY_H

#include <stdbool.h>
#include <stdint.h>

enum { TICKET_NAME_SIZE = 16, TICKET_SECRET_SIZE = 32 };

struct ticket_key {
	unsigned char name[TICKET_NAME_SIZE]; /* travels with the ticket */
	unsigned char cipher[TICKET_SECRET_SIZE], mac[TICKET_SECRET_SIZE];
	int64_t made_ms;
};

/* Two keys: the one that seals, for `lifetime_ms`, and the one before it, which opens only, and
 * only until it has twice that age. */
struct ticket_keys {
	struct ticket_key current, previous;
	int64_t lifetime_ms;
};

struct ticket_keys *ticket_keys_new(int64_t lifetime_ms, int64_t now_ms); /* guarded memory */
void ticket_keys_free(struct ticket_keys *keys);

/* The key to seal with; a new one when the old is due. */
const struct ticket_key *ticket_keys_current(struct ticket_keys *keys, int64_t now_ms);

/* The key of that name if it still opens tickets, or NULL. */
const struct ticket_key *ticket_keys_find(
	struct ticket_keys *keys, const unsigned char name[TICKET_NAME_SIZE], int64_t now_ms);

#endif
