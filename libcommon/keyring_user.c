/*
 * Files `<tenant>.users` of slots (keyring_slots.h). A file is kept open while its tenant is in
 * use, and once in KEYRING_TRUST_MS it is asked whether the name still means it. Slots themselves
 * are read every time: a salt that nobody remembers is gone when it is overwritten.
 */
#include "libcommon/keyring_user.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/keyring_slots.h"
#include "libcommon/log.h"

/* 256 tenants with an open file each; more at once read theirs anew each time. */
#define SETS 64
#define WAYS 4
#define NAME_SIZE 48 /* uuid and ".users" */
#define SLOT_SIZE (sizeof(struct keyring_slot))

struct tenant {
	char id[UUID_SIZE]; /* "": nobody's */
	int file;
	ino_t inode;
	int64_t confirmed_ms, used_ms;
	struct keyring_slots slots;
};

struct keyring_users {
	int directory;
	pthread_mutex_t lock; /* of everything; held while slots are written, some milliseconds */
	struct tenant tenants[SETS][WAYS];
};

struct keyring_users *keyring_users_new(int directory)
{
	struct keyring_users *users = calloc(1, sizeof(*users));
	if (!users)
		abort();
	users->directory = directory;
	pthread_mutex_init(&users->lock, NULL);
	return users;
}

static void forget(struct tenant *tenant)
{
	if (tenant->id[0])
		close(tenant->file);
	keyring_slots_fini(&tenant->slots);
	*tenant = (struct tenant){ 0 };
}

void keyring_users_free(struct keyring_users *users)
{
	if (!users)
		return;
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
		forget(&users->tenants[0][0] + i);
	pthread_mutex_destroy(&users->lock);
	free(users);
}

void keyring_users_drop_idle(struct keyring_users *users)
{
	pthread_mutex_lock(&users->lock);
	int64_t now_ms = clock_unix_ms();
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++) {
		struct tenant *tenant = &users->tenants[0][0] + i;
		int64_t idle_ms = now_ms - tenant->used_ms;
		if (idle_ms < 0 || idle_ms >= KEYRING_IDLE_MS) /* set back, as in the cache */
			forget(tenant);
	}
	pthread_mutex_unlock(&users->lock);
}

/* ---- which file ---- */

static void name_of(const char *tenant_id, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, "%s.users", tenant_id);
}

static int open_file(const struct keyring_users *users, const char *tenant_id, int flags)
{
	char name[NAME_SIZE];
	name_of(tenant_id, name);
	return openat(users->directory, name, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
}

/* Whether the tenant's name still means this file. */
static bool is_named(const struct keyring_users *users, const char *tenant_id, ino_t inode)
{
	char name[NAME_SIZE];
	struct stat status;
	name_of(tenant_id, name);
	return fstatat(users->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		status.st_ino == inode;
}

static size_t set_of(const char *tenant_id)
{
	uint32_t hash = 2166136261U;
	for (const char *at = tenant_id; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	return hash % SETS;
}

static bool is_of(const struct tenant *tenant, const char *tenant_id)
{
	return strcmp(tenant->id, tenant_id) == 0;
}

/* The tenant's own, or the one that it may have. */
static struct tenant *place_of(struct keyring_users *users, const char *tenant_id)
{
	struct tenant *set = users->tenants[set_of(tenant_id)], *oldest = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (is_of(&set[i], tenant_id))
			return &set[i];
		if (set[i].used_ms < oldest->used_ms)
			oldest = &set[i];
	}
	return oldest;
}

static enum err open_tenant(
	const struct keyring_users *users, const char *tenant_id, struct tenant *tenant)
{
	struct stat status;
	int file = open_file(users, tenant_id, O_RDONLY);
	if (file < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	if (fstat(file, &status) != 0) {
		close(file);
		return ERR_UNAVAILABLE;
	}
	*tenant = (struct tenant){ .file = file, .inode = status.st_ino };
	memcpy(tenant->id, tenant_id, UUID_SIZE);
	return OK;
}

/* A clock that was set back trusts nothing. */
static bool is_trusted(const struct tenant *tenant, int64_t now_ms)
{
	int64_t age_ms = now_ms - tenant->confirmed_ms;
	return age_ms >= 0 && age_ms < KEYRING_TRUST_MS;
}

/* A tenant that does not exist, which anybody may ask for, takes no other's place. */
static enum err take_place(
	const struct keyring_users *users, const char *tenant_id, struct tenant *place)
{
	struct tenant opened;
	enum err e = open_tenant(users, tenant_id, &opened);
	if (e)
		return e;
	forget(place);
	*place = opened;
	return OK;
}

/* The tenant with its file open. NOT_FOUND when there is none. */
static enum err tenant_of(struct keyring_users *users, const char *tenant_id, struct tenant **out)
{
	int64_t now_ms = clock_unix_ms();
	struct tenant *tenant = place_of(users, tenant_id);
	if (is_of(tenant, tenant_id) && !is_trusted(tenant, now_ms) &&
		!is_named(users, tenant_id, tenant->inode))
		forget(tenant);
	enum err e = is_of(tenant, tenant_id) ? OK : take_place(users, tenant_id, tenant);
	if (e)
		return e;
	if (!is_trusted(tenant, now_ms))
		tenant->confirmed_ms = now_ms;
	tenant->used_ms = now_ms;
	*out = tenant;
	return OK;
}

/* ---- reading ---- */

/* What others have added; not while somebody writes, because half of a slot would count as none. */
static enum err catch_up(struct tenant *tenant)
{
	if (flock(tenant->file, LOCK_SH) != 0)
		return ERR_UNAVAILABLE;
	enum err e = keyring_slots_read(&tenant->slots, tenant->file);
	(void)flock(tenant->file, LOCK_UN);
	return e;
}

static enum err find(struct keyring_users *users, const char *tenant_id,
	const unsigned char user[UUID_BYTES], struct keyring_slot *slot)
{
	int64_t offset;
	struct tenant *tenant;
	enum err e = tenant_of(users, tenant_id, &tenant);
	if (e)
		return ERR_UNAVAILABLE;
	e = keyring_slots_find(&tenant->slots, tenant->file, user, slot, &offset);
	if (e != ERR_NOT_FOUND)
		return e;
	if (!keyring_slots_is_behind(&tenant->slots, tenant->file) || catch_up(tenant) != OK)
		return ERR_UNAVAILABLE;
	e = keyring_slots_find(&tenant->slots, tenant->file, user, slot, &offset);
	return e ? ERR_UNAVAILABLE : OK;
}

/* A slot that there is something in. */
static enum err read_slot(struct keyring_users *users, const char *tenant_id, const char *user_id,
	struct keyring_slot *slot)
{
	unsigned char user[UUID_BYTES];
	if (!is_uuid(user_id))
		return ERR_INVALID;
	uuid_to_bytes(user_id, user);
	pthread_mutex_lock(&users->lock);
	enum err e = find(users, tenant_id, user, slot);
	pthread_mutex_unlock(&users->lock);
	if (!e && !keyring_slot_is_whole(slot))
		e = ERR_UNAVAILABLE; /* it is being erased right now */
	if (!e && keyring_slot_is_erased(slot))
		e = ERR_NOT_FOUND;
	return e;
}

enum err keyring_user_key(struct keyring *keyring, const char *tenant_id, struct data_key which,
	const char *user_id, unsigned char out[KEY_SIZE])
{
	struct keyring_slot slot;
	auto_secret(tenant_key, KEY_SIZE);
	if (!is_uuid(user_id))
		return ERR_INVALID;
	enum err e = keyring_data_key(keyring, tenant_id, which, tenant_key);
	if (e)
		return e;
	e = read_slot(keyring_users_of(keyring), tenant_id, user_id, &slot);
	if (!e)
		crypto_keyed_hash(tenant_key, &slot, offsetof(struct keyring_slot, check), out);
	crypto_wipe(&slot, sizeof(slot));
	return e;
}

static_assert(USER_SALT_SIZE == KEY_SIZE, "as the header says");

enum err keyring_user_salt(struct keyring_users *users, const char *tenant_id, const char *user_id,
	unsigned char out[KEY_SIZE])
{
	struct keyring_slot slot;
	if (!is_uuid(tenant_id))
		return ERR_INVALID;
	enum err e = read_slot(users, tenant_id, user_id, &slot);
	if (!e)
		memcpy(out, slot.salt, KEY_SIZE);
	crypto_wipe(&slot, sizeof(slot));
	return e;
}

enum err keyring_user_fingerprint(struct keyring *keyring, struct arena *arena,
	const char *tenant_id, const char *user_id, const char **out)
{
	struct keyring_users *users = keyring_users_of(keyring);
	struct keyring_slot slot;
	struct tenant *tenant;
	unsigned char user[UUID_BYTES], hash[HASH_SIZE];
	int64_t offset;
	if (!is_uuid(user_id))
		return ERR_INVALID;
	uuid_to_bytes(user_id, user);
	pthread_mutex_lock(&users->lock);
	enum err e = tenant_of(users, tenant_id, &tenant);
	if (!e)
		e = catch_up(tenant);
	if (!e)
		e = keyring_slots_find(&tenant->slots, tenant->file, user, &slot, &offset);
	pthread_mutex_unlock(&users->lock);
	if (!e && keyring_slot_is_erased(&slot))
		e = ERR_NOT_FOUND;
	if (!e)
		crypto_sha256((const unsigned char *)&slot, sizeof(slot), hash);
	crypto_wipe(&slot, sizeof(slot));
	if (!e)
		*out = crypto_hex(arena, hash, KEYRING_FINGERPRINT_SIZE);
	return e;
}

/* ---- writing ---- */

/* A file open for writing, locked against all other writers and those who look for new slots. */
struct writing {
	struct tenant *tenant;
	int file;
};

static enum err cannot_write(const char *tenant_id)
{
	log_event(LOG_LEVEL_ERROR, "user keys cannot be written", LOG_TEXT("tenant", tenant_id),
		LOG_INT("errno", errno));
	return ERR_UNAVAILABLE;
}

/* What others wrote is read first. A file that was replaced while we waited is not the one. */
static enum err write_begin(
	struct keyring_users *users, const char *tenant_id, int create, struct writing *writing)
{
	writing->file = open_file(users, tenant_id, O_RDWR | create);
	if (writing->file < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : cannot_write(tenant_id);
	enum err e = flock(writing->file, LOCK_EX) == 0 ? OK : cannot_write(tenant_id);
	if (!e)
		e = tenant_of(users, tenant_id, &writing->tenant);
	if (!e &&
		(!is_named(users, tenant_id, writing->tenant->inode) ||
			(create && fsync(users->directory) != 0)))
		e = cannot_write(tenant_id);
	return e ? e : keyring_slots_read(&writing->tenant->slots, writing->file);
}

static enum err write_at(
	const struct writing *writing, const struct keyring_slot *slots, size_t n, int64_t offset)
{
	ssize_t size = (ssize_t)(n * SLOT_SIZE);
	if (n > 0 && pwrite(writing->file, slots, (size_t)size, offset) != size)
		return cannot_write(writing->tenant->id);
	/* Also when nothing is new: who wrote it may have died before it was on the disk. */
	return fsync(writing->file) == 0 ? OK : cannot_write(writing->tenant->id);
}

static void write_end(struct writing *writing)
{
	if (writing->file >= 0)
		close(writing->file);
}

/* The slots of those who have none. */
static enum err make_slots(const struct writing *writing, const char *const *user_ids, size_t n,
	struct keyring_slot *out, size_t *made)
{
	*made = 0;
	for (size_t i = 0; i < n; i++) {
		struct keyring_slot *slot = &out[*made];
		unsigned char user[UUID_BYTES];
		int64_t offset;
		if (!is_uuid(user_ids[i]))
			return ERR_INVALID;
		uuid_to_bytes(user_ids[i], user);
		enum err e = keyring_slots_find(
			&writing->tenant->slots, writing->file, user, slot, &offset);
		if (!e && (!keyring_slot_is_whole(slot) || keyring_slot_is_erased(slot)))
			return ERR_CONFLICT;
		if (!e)
			continue;
		if (e != ERR_NOT_FOUND)
			return e;
		memcpy(slot->user, user, UUID_BYTES);
		crypto_random(slot->salt, USER_SALT_SIZE);
		keyring_slot_seal(slot);
		(*made)++;
	}
	return OK;
}

/* At the end of the last whole slot: what lies behind it is what a crash left. */
static enum err append(const struct writing *writing, const struct keyring_slot *slots, size_t n)
{
	struct tenant *tenant = writing->tenant;
	int64_t end = (int64_t)tenant->slots.seen * (int64_t)SLOT_SIZE;
	if (n > 0 && ftruncate(writing->file, end) != 0)
		return cannot_write(tenant->id);
	enum err e = write_at(writing, slots, n, end);
	return e ? e : keyring_slots_read(&tenant->slots, writing->file);
}

enum err keyring_user_create(
	struct keyring *keyring, const char *tenant_id, const char *const *user_ids, size_t n)
{
	struct keyring_users *users = keyring_users_of(keyring);
	struct writing writing = { .file = -1 };
	size_t made;
	if (!is_uuid(tenant_id) || n > SIZE_MAX / SLOT_SIZE - 1)
		return ERR_INVALID;
	if (keyring_check_writes(keyring))
		return ERR_FORBIDDEN;
	struct keyring_slot *slots = crypto_secret_alloc((n + 1) * SLOT_SIZE);
	pthread_mutex_lock(&users->lock);
	enum err e = write_begin(users, tenant_id, O_CREAT, &writing);
	if (!e)
		e = make_slots(&writing, user_ids, n, slots, &made);
	if (!e)
		e = append(&writing, slots, made);
	write_end(&writing);
	pthread_mutex_unlock(&users->lock);
	crypto_secret_free(slots);
	return e;
}

/* The id stays, so that it never gets another key. */
static enum err erase(const struct writing *writing, const char *user_id)
{
	struct keyring_slot slot, erased = { .salt = { 0 } };
	int64_t offset;
	uuid_to_bytes(user_id, erased.user);
	keyring_slot_seal(&erased);
	enum err e = keyring_slots_find(
		&writing->tenant->slots, writing->file, erased.user, &slot, &offset);
	crypto_wipe(&slot, sizeof(slot));
	return e ? e : write_at(writing, &erased, 1, offset);
}

enum err keyring_user_erase(struct keyring *keyring, const char *tenant_id, const char *user_id)
{
	struct keyring_users *users = keyring_users_of(keyring);
	struct writing writing = { .file = -1 };
	if (!is_uuid(tenant_id) || !is_uuid(user_id))
		return ERR_INVALID;
	if (keyring_check_writes(keyring))
		return ERR_FORBIDDEN;
	pthread_mutex_lock(&users->lock);
	enum err e = write_begin(users, tenant_id, 0, &writing);
	if (!e)
		e = erase(&writing, user_id);
	write_end(&writing);
	pthread_mutex_unlock(&users->lock);
	return e;
}
