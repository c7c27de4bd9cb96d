/*
 * The slots in one tenant's file of user keys (keyring_user.h), and where in it a user's is.
 *
 * The file only ever grows, by whole slots, under an exclusive lock (flock). So what is known of it
 * stays true, and only its new end has to be read. A slot that does not fit its check is what a
 * crash left of one that nobody was told of: it is passed over for good. In memory lie places, no
 * secrets: eight bytes a user, twice as many free. Not thread-safe.
 */
#ifndef MANABIYA_KEYRING_SLOTS_H
#define MANABIYA_KEYRING_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/err.h"
#include "libcommon/uuid.h"

#define USER_SALT_SIZE 32
#define SLOT_CHECK_SIZE 16

struct keyring_slot {
	unsigned char user[UUID_BYTES];
	unsigned char salt[USER_SALT_SIZE]; /* zeros: erased */
	unsigned char check[SLOT_CHECK_SIZE]; /* of the two */
};

void keyring_slot_seal(struct keyring_slot *slot); /* sets the check */
bool keyring_slot_is_whole(const struct keyring_slot *slot);
bool keyring_slot_is_erased(const struct keyring_slot *slot);

struct keyring_slots {
	uint32_t seen; /* slots of the file that were read */
	uint32_t users, room; /* users found; places in `places`, a power of two */
	struct keyring_place *places;
};

/* What `file` has more than was seen. The caller holds a lock on it (flock), shared or exclusive,
 * unless there is nothing more. UNAVAILABLE when it cannot be read. */
must_check enum err keyring_slots_read(struct keyring_slots *slots, int file);
bool keyring_slots_is_behind(const struct keyring_slots *slots, int file);

/* The user's slot as it is now, and its place in the file; while it is being erased it may not be
 * whole. NOT_FOUND, UNAVAILABLE. */
must_check enum err keyring_slots_find(const struct keyring_slots *slots, int file,
	const unsigned char user[UUID_BYTES], struct keyring_slot *slot, int64_t *offset);

void keyring_slots_fini(struct keyring_slots *slots);

#endif
