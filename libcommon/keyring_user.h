/*
 * Keys of single users, so that one child's data can be made unreadable in every old backup while
 * the school's stay.
 *
 * Beside the keys of a tenant lies one file with a slot for each of its users: 32 random bytes. The
 * key of a user is derived from a data key of the tenant and these, so it exists only as long as
 * both do, there is nothing to wrap anew when the tenant's key is rotated, and the file alone opens
 * nothing. Erasing overwrites the slot; with the
 * tenant's keys the file goes too (keyring_destroy()). Nothing of a slot is remembered: who erases
 * has erased for every process at once.
 */
#ifndef MANABIYA_KEYRING_USER_H
#define MANABIYA_KEYRING_USER_H

#include <stddef.h>

#include "libcommon/keyring.h"

/*
 * Slots for users, each named once, many with one fsync; those that are there already are left
 * alone. Durable when it returns. CONFLICT when one of them was erased: an id never gets a second
 * key. Provisioning only, before it commits the person.
 */
must_check enum err keyring_user_create(
	struct keyring *keyring, const char *tenant_id, const char *const *user_ids, size_t n);

/*
 * The user's key for what was or will be sealed under `which` of the tenant. NOT_FOUND when the
 * user was erased, or the tenant has no such key (any more). UNAVAILABLE when there is no slot:
 * provisioning makes it before anybody can hear of the user. Thread-safe.
 */
must_check enum err keyring_user_key(struct keyring *keyring, const char *tenant_id,
	struct data_key which, const char *user_id, unsigned char out[KEY_SIZE]);

/* By which copies of a user's key can be told: of the slot, in hex. NOT_FOUND when there is none
 * (any more). */
must_check enum err keyring_user_fingerprint(struct keyring *keyring, struct arena *arena,
	const char *tenant_id, const char *user_id, const char **out);

/* Destroy a user's key, for ever. On the disk when it returns; again is OK. NOT_FOUND when there
 * never was one. Provisioning only. */
must_check enum err keyring_user_erase(
	struct keyring *keyring, const char *tenant_id, const char *user_id);

/* ---- slots without a keyring: for who has the directory alone, and for keyring.c ---- */

struct keyring_users;

/* `directory` must outlive it. */
struct keyring_users *keyring_users_new(int directory);
void keyring_users_free(struct keyring_users *users);
/* Close the files that were not used for KEYRING_IDLE_MS. */
void keyring_users_drop_idle(struct keyring_users *users);
struct keyring_users *keyring_users_of(struct keyring *keyring);

/* The random bytes of a user's slot, for a key that shall go with the user. NOT_FOUND when the user
 * was erased, UNAVAILABLE when there is no slot or it is being erased. Thread-safe. */
must_check enum err keyring_user_salt(struct keyring_users *users, const char *tenant_id,
	const char *user_id, unsigned char out[KEY_SIZE]);

#endif
