/*
 * Replicas of a keyring: further directories, on other disks or shares, that hold the same files
 * and in which keys are destroyed as well.
 *
 * The keyring is written and read as if there were none; whoever writes it brings them level
 * afterwards (keyring_level.h). One that is away stops nobody but the end of a key: that is not
 * over before every replica is level.
 *
 * A line in the file `keyring.id` tells that a directory belongs to this keyring. Nothing makes
 * that by itself, only keyring_replica_join(): an empty directory may be the place of a disk that
 * is not mounted, in which keys would lie for ever that are destroyed on the disk, or the place of
 * a keyring that is lost.
 */
#ifndef MANABIYA_KEYRING_REPLICA_H
#define MANABIYA_KEYRING_REPLICA_H

#include "libcommon/keyring.h"

struct buf;
struct keyring_replicas;

/* They are brought level one after the other, and the end of a key waits for every one of them. */
#define KEYRING_REPLICAS_MAX 4
#define KEYRING_REPLICA_NAME_MAX 32 /* a label of a metric, a line of a certificate */

/*
 * `list` is NAME=DIRECTORY,…; "" for none, for which everything below is OK. NULL with a logged
 * reason when the keyring must not be written: it is not the one that a replica belongs to, it has
 * lost erasures that a replica knows of, or it is empty. One that cannot be looked at now is said,
 * and no more. `keyring` must outlive it.
 */
struct keyring_replicas *keyring_replicas_open(struct keyring *keyring, const char *list);
void keyring_replicas_close(struct keyring_replicas *replicas);

/*
 * Bring all of them level, or one tenant's files alone (NULL: all). UNAVAILABLE when one could not
 * be, with the names of those in `*behind` ("a, b"); the reason is logged when it is a new one. Any
 * thread, any process: they take turns.
 */
must_check enum err keyring_replicas_level(struct keyring_replicas *replicas, struct arena *arena,
	const char *tenant_id, const char **behind);

/* Their names, as an array in the arena. */
struct keyring_replica_names {
	const char **items;
	size_t n;
};
struct keyring_replica_names keyring_replicas_names(
	const struct keyring_replicas *replicas, struct arena *arena);

/* For /metrics: which are behind. Any thread. */
void keyring_replicas_metrics(struct keyring_replicas *replicas, struct buf *out);

/* Make empty directories replicas, and the keyring one that has some. For manabiyactl. INVALID with
 * a logged reason. */
must_check enum err keyring_replica_join(struct keyring *keyring, const char *list);

#endif
