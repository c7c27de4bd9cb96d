/*
 * Bringing a replica of a keyring level with it: every file of the keyring is there as it is here,
 * and what is there alone is overwritten and removed.
 *
 * A replica is also what is left when the keyring is lost, so nothing in it is changed for the sole
 * reason that the keyring looks otherwise. What is there alone goes when the ledger of erasures, or
 * the receipt of a version, says that it was destroyed; one key takes another's place when it opens
 * under the root of today. Everything else is left as it is, named, and for a person to look at.
 * And nothing of whom the ledger names is ever written there.
 */
#ifndef MANABIYA_KEYRING_LEVEL_H
#define MANABIYA_KEYRING_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/err.h"
#include "libcommon/keyring.h"

#define KEYRING_REASON_SIZE 256
#define KEYRING_ID "keyring.id" /* in every directory of one keyring (keyring_replica.h) */

struct keyring_level {
	struct keyring *keyring;
	struct arena *arena; /* for the length of one pass */
	int to; /* the replica's directory */
	const char *tenant_id; /* whose files alone; NULL: all */
	/* Prints of files that were level before, sorted: they are not read again. */
	const uint64_t *known;
	size_t known_n;
	bool was_level; /* all of them were, and nothing else was there */
	/* Of those that are level now, in any order. */
	uint64_t *prints;
	size_t prints_n, prints_room;
	char reason[KEYRING_REASON_SIZE]; /* what the first thing is that could not be done */

	/* keyring_level.c's own */
	struct bytes ledger;
	struct gone *gone;
	size_t gone_n, gone_room, touched;
	bool is_wrong, is_full;
};

/* Durable when it is OK. CONFLICT when something was left for a person; UNAVAILABLE when the
 * replica cannot be written. Both with a reason. One at a time (keyring_replica.c). */
must_check enum err keyring_level(struct keyring_level *level);

/* Whether the replica's ledger is the beginning of ours: one that knows of more erasures would be
 * undone by ours. CONFLICT, UNAVAILABLE, with a reason. */
must_check enum err keyring_level_ledger_fits(struct keyring_level *level);

/* Whether there is any file of a keyring in the directory. */
must_check enum err keyring_level_is_empty(int directory, bool *is_empty);

/* A file under a name of its own first, on the disk before it takes its name; what had the name is
 * overwritten. `made` NULL: now. */
must_check enum err keyring_level_put(
	int directory, const char *name, struct bytes content, const struct timespec *made);

#endif
