/*
 * Tenant keys as files `<tenant>.<version>.key` (keyring_file.h). KEKs that were opened are kept by
 * keyring_cache.c.
 */
#include "libcommon/keyring.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/keyring_cache.h"
#include "libcommon/keyring_file.h"
#include "libcommon/keyring_user.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"

#define DOMAINS_MAX 8 /* the service with the most has four */

struct keyring {
	struct keyring_files files;
	struct erasure_ledger *ledger;
	pthread_mutex_t lock; /* of the cache and of `openings`; not held while a key is opened:
				 asking the service takes a while */
	struct keyring_cache *cache;
	struct keyring_openings openings;
	struct keyring_users *users;
	char domains[DOMAINS_MAX][KEYRING_DOMAIN_SIZE]; /* none: all are allowed */
	size_t domains_n;
	bool only_reads;
};

/* ---- opening ---- */

enum err keyring_ledger_at(struct keyring *keyring, const char *path)
{
	erasure_close(keyring->ledger);
	keyring->ledger = erasure_open(path);
	return keyring->ledger ? OK : ERR_INVALID;
}

static const char *open_ledger(struct keyring *keyring, const char *directory)
{
	char path[4096];
	int n = snprintf(path, sizeof path, "%s/" KEYRING_LEDGER, directory);
	if (n < 0 || (size_t)n >= sizeof path)
		return "the directory's path is too long";
	return keyring_ledger_at(keyring, path) ? "the ledger of erasures cannot be used" : NULL;
}

struct keyring *keyring_open_rooted(const char *directory, const struct keyring_root *root)
{
	struct keyring *keyring = calloc(1, sizeof *keyring);
	if (!keyring)
		abort();
	keyring->cache = keyring_cache_new();
	pthread_mutex_init(&keyring->lock, NULL);
	const char *reason = keyring_files_open(&keyring->files, directory, root);
	if (!reason)
		reason = open_ledger(keyring, directory);
	keyring->users = keyring_users_new(keyring->files.directory);
	if (!reason)
		return keyring;
	log_event(LOG_LEVEL_ERROR, "keyring cannot be used", LOG_TEXT("directory", directory),
		LOG_TEXT("reason", reason));
	keyring_close(keyring);
	return NULL;
}

void keyring_root_name(const struct keyring *keyring, char out[KEYRING_ROOT_NAME_SIZE])
{
	const struct keyring_files *files = &keyring->files;
	struct arena *arena = arena_new();
	unsigned char print[KEY_SIZE];
	if (files->kms)
		crypto_sha256(files->kms->key_id, strlen(files->kms->key_id), print);
	else
		crypto_derive(files->root, "keyring root name", print);
	(void)snprintf(out, KEYRING_ROOT_NAME_SIZE, "%s:%s", files->kms ? "aws-kms" : "local",
		crypto_hex(arena, print, KEYRING_FINGERPRINT_SIZE));
	arena_free(arena);
}

struct keyring *keyring_open(const char *directory, const char *root_hex)
{
	const struct keyring_root root = { .text = root_hex, .before_text = "", .passphrase = "" };
	return keyring_open_rooted(directory, &root);
}

void keyring_close(struct keyring *keyring)
{
	if (!keyring)
		return;
	keyring_users_free(keyring->users);
	keyring_files_close(&keyring->files);
	erasure_close(keyring->ledger);
	keyring_cache_free(keyring->cache);
	pthread_mutex_destroy(&keyring->lock);
	free(keyring);
}

struct erasure_ledger *keyring_ledger(const struct keyring *keyring)
{
	return keyring->ledger;
}

int keyring_directory(const struct keyring *keyring)
{
	return keyring->files.directory;
}

const struct keyring_files *keyring_files_of(const struct keyring *keyring)
{
	return &keyring->files;
}

/* ---- what the handle is for ---- */

static bool is_allowed(const struct keyring *keyring, const char *domain)
{
	size_t i = 0;
	while (i < keyring->domains_n && strcmp(keyring->domains[i], domain) != 0)
		i++;
	return i < keyring->domains_n;
}

void keyring_allow(struct keyring *keyring, const char *domain)
{
	if (is_allowed(keyring, domain))
		return;
	assert(keyring->domains_n < DOMAINS_MAX && strlen(domain) < KEYRING_DOMAIN_SIZE);
	memcpy(keyring->domains[keyring->domains_n++], domain, strlen(domain) + 1);
	log_event(LOG_LEVEL_INFO, "keyring gives keys of a domain", LOG_TEXT("domain", domain));
}

/* Who asks for another has a bug, or is no longer himself. */
static enum err check_domain(struct keyring *keyring, const char *tenant_id, const char *domain)
{
	if (!keyring->domains_n || is_allowed(keyring, domain))
		return OK;
	pthread_mutex_lock(&keyring->lock);
	keyring->openings.foreign++;
	(void)snprintf(keyring->openings.foreign_domain, KEYRING_DOMAIN_SIZE, "%s", domain);
	pthread_mutex_unlock(&keyring->lock);
	log_event(LOG_LEVEL_ERROR, "key of a domain that is not this service's",
		LOG_TEXT("domain", domain), LOG_TEXT("tenant", tenant_id));
	return ERR_FORBIDDEN;
}

void keyring_only_reads(struct keyring *keyring)
{
	keyring->only_reads = true;
}

enum err keyring_check_writes(const struct keyring *keyring)
{
	if (!keyring->only_reads)
		return OK;
	log_error("this service does not change the keyring");
	return ERR_FORBIDDEN;
}

/* ---- versions ---- */

static bool is_there(const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	char name[KEYRING_NAME_SIZE];
	keyring_file_name(tenant_id, version, name);
	return faccessat(keyring->files.directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Versions may be missing in between: those that nothing is sealed under any more are destroyed. */
static enum err look_for_newest(
	const struct keyring *keyring, const char *tenant_id, uint32_t *version)
{
	int copy = openat(keyring->files.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	if (!files)
		return ERR_UNAVAILABLE;
	*version = 0;
	for (const struct dirent *file; (file = readdir(files));) {
		char owner[UUID_SIZE];
		uint32_t found;
		if (keyring_file_parse(file->d_name, owner, &found) &&
			strcmp(owner, tenant_id) == 0 && found != KEYRING_INDEX && found > *version)
			*version = found;
	}
	closedir(files);
	return *version ? OK : ERR_NOT_FOUND;
}

/* Two looks instead of a walk through the directory, for what was right a second ago. */
static bool is_still_newest(const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	return is_there(keyring, tenant_id, version) && !is_there(keyring, tenant_id, version + 1);
}

static enum err newest(struct keyring *keyring, const char *tenant_id, uint32_t *version)
{
	struct keyring_entry *entry = keyring_cache_slot(keyring->cache, tenant_id, 0);
	if (!keyring_entry_is_trusted(entry) &&
		(!entry->newest || !is_still_newest(keyring, tenant_id, entry->newest))) {
		enum err e = look_for_newest(keyring, tenant_id, &entry->newest);
		if (e) {
			keyring_entry_wipe(entry);
			return e;
		}
	}
	keyring_entry_confirm(entry);
	*version = entry->newest;
	return OK;
}

static bool is_file(const struct keyring *keyring, const char *name, ino_t file)
{
	struct stat status;
	return fstatat(keyring->files.directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		status.st_ino == file;
}

/* From memory, if its file was there a second ago. */
static bool recall(struct keyring *keyring, const char *tenant_id, uint32_t version,
	unsigned char out[KEY_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	struct keyring_entry *entry = keyring_cache_slot(keyring->cache, tenant_id, version);
	char name[KEYRING_NAME_SIZE];
	keyring_file_name(tenant_id, version, name);
	bool known = entry->opened;
	if (known && !keyring_entry_is_trusted(entry)) {
		known = is_file(keyring, name, entry->file);
		if (known)
			keyring_entry_confirm(entry);
		else
			keyring_entry_wipe(entry);
	}
	if (known)
		memcpy(out, entry->kek, KEY_SIZE);
	pthread_mutex_unlock(&keyring->lock);
	return known;
}

static void remember(struct keyring *keyring, const char *tenant_id, uint32_t version, ino_t file,
	const unsigned char kek[KEY_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	struct keyring_entry *entry = keyring_cache_slot(keyring->cache, tenant_id, version);
	memcpy(entry->kek, kek, KEY_SIZE);
	entry->opened = true;
	entry->file = file;
	keyring_entry_confirm(entry);
	keyring->openings.opened++;
	pthread_mutex_unlock(&keyring->lock);
}

static bool has_receipt(const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	char receipt[sizeof("receipt.") + KEYRING_NAME_SIZE];
	snprintf(receipt, sizeof(receipt), "receipt.%s.%u", tenant_id, (unsigned)version);
	return faccessat(keyring->files.directory, receipt, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool keyring_version_has_ended(const struct keyring *keyring, const struct keyring_version *which)
{
	return has_receipt(keyring, which->tenant_id, which->version) &&
		!is_there(keyring, which->tenant_id, which->version);
}

/* What is being destroyed is noise before it is gone (keyring_destroy.c). */
static bool is_ending(const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	struct erasure erasure;
	struct arena *arena = arena_new();
	bool is_ending = has_receipt(keyring, tenant_id, version) ||
		erasure_find(keyring->ledger, arena, tenant_id, ERASURE_ALL, &erasure) !=
			ERR_NOT_FOUND;
	arena_free(arena);
	return is_ending;
}

/* Of more tenants than have room the one that came first is forgotten. */
static struct keyring_refused *refused_place(struct keyring_openings *all, const char *tenant_id)
{
	for (size_t i = 0; i < KEYRING_REFUSED_MAX; i++) {
		if (strcmp(all->tenants[i].tenant_id, tenant_id) == 0)
			return &all->tenants[i];
	}
	struct keyring_refused *place = &all->tenants[all->tenants_n++ % KEYRING_REFUSED_MAX];
	*place = (struct keyring_refused){ .n = 0 };
	memcpy(place->tenant_id, tenant_id, UUID_SIZE);
	return place;
}

static void note_refused(struct keyring *keyring, const char *tenant_id)
{
	pthread_mutex_lock(&keyring->lock);
	keyring->openings.refused++;
	refused_place(&keyring->openings, tenant_id)->n++;
	pthread_mutex_unlock(&keyring->lock);
}

static enum err kek_of(struct keyring *keyring, const char *tenant_id, uint32_t version,
	unsigned char out[KEY_SIZE])
{
	char name[KEYRING_NAME_SIZE];
	struct stat status;
	if (recall(keyring, tenant_id, version, out))
		return OK;
	keyring_file_name(tenant_id, version, name);
	if (fstatat(keyring->files.directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	enum err e = keyring_file_load(&keyring->files, tenant_id, name, out);
	if (!e)
		remember(keyring, tenant_id, version, status.st_ino, out);
	else if (e == ERR_INTERNAL && is_file(keyring, name, status.st_ino) &&
		!is_ending(keyring, tenant_id, version))
		note_refused(keyring, tenant_id);
	return e;
}

enum err keyring_newest(struct keyring *keyring, const char *tenant_id, uint32_t *version)
{
	if (!is_uuid(tenant_id))
		return ERR_INVALID;
	pthread_mutex_lock(&keyring->lock);
	enum err e = newest(keyring, tenant_id, version);
	pthread_mutex_unlock(&keyring->lock);
	return e;
}

enum err keyring_data_key(struct keyring *keyring, const char *tenant_id, struct data_key which,
	unsigned char out[KEY_SIZE])
{
	if (!is_uuid(tenant_id) || which.version < 1)
		return ERR_INVALID;
	auto_secret(kek, KEY_SIZE);
	enum err e = check_domain(keyring, tenant_id, which.domain);
	if (!e)
		e = kek_of(keyring, tenant_id, which.version, kek);
	if (!e)
		crypto_derive(kek, which.domain, out);
	return e;
}

static void list_add(struct arena *arena, struct keyring_list *list, size_t *room,
	const struct keyring_version *item)
{
	if (list->n == *room) {
		struct keyring_version *wider = arena_array(arena, *room * 2, sizeof(*wider));
		if (list->n)
			memcpy(wider, list->items, list->n * sizeof(*wider));
		list->items = wider;
		*room *= 2;
	}
	list->items[list->n++] = *item;
}

static int by_tenant_and_version(const void *a, const void *b)
{
	const struct keyring_version *left = a, *right = b;
	int order = strcmp(left->tenant_id, right->tenant_id);
	return order ? order : (left->version > right->version) - (left->version < right->version);
}

enum err keyring_list(struct keyring *keyring, struct arena *arena, struct keyring_list *out)
{
	size_t room = 256;
	int copy = openat(keyring->files.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	if (!files)
		return ERR_UNAVAILABLE;
	*out = (struct keyring_list){ .items = arena_array(arena, room, sizeof(*out->items)) };
	for (const struct dirent *file; (file = readdir(files));) {
		struct keyring_version item;
		if (keyring_file_parse(file->d_name, item.tenant_id, &item.version) &&
			item.version != KEYRING_INDEX)
			list_add(arena, out, &room, &item);
	}
	closedir(files);
	qsort(out->items, out->n, sizeof(*out->items), by_tenant_and_version);
	return OK;
}

/* keyring_reseal() leaves a file the time that it had. */
enum err keyring_made(
	struct keyring *keyring, const char *tenant_id, uint32_t version, int64_t *unix_ms)
{
	struct stat status;
	char name[KEYRING_NAME_SIZE];
	keyring_file_name(tenant_id, version, name);
	if (fstatat(keyring->files.directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	*unix_ms = status.st_mtim.tv_sec * 1000LL + status.st_mtim.tv_nsec / 1000000;
	return OK;
}

static bool is_entry_there(void *arg, const struct keyring_entry *entry)
{
	char name[KEYRING_NAME_SIZE];
	keyring_file_name(entry->tenant_id, entry->version, name);
	return is_file(arg, name, entry->file);
}

void keyring_drop(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->lock);
	keyring_cache_drop(keyring->cache, is_entry_there, keyring);
	pthread_mutex_unlock(&keyring->lock);
	keyring_users_drop_idle(keyring->users);
}

struct keyring_users *keyring_users_of(struct keyring *keyring)
{
	return keyring->users;
}

struct keyring_openings keyring_openings(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->lock);
	struct keyring_openings all = keyring->openings;
	pthread_mutex_unlock(&keyring->lock);
	return all;
}

/* ---- writing ---- */

static enum err create_version(
	const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	char name[KEYRING_NAME_SIZE];
	keyring_file_name(tenant_id, version, name);
	auto_secret(kek, KEY_SIZE);
	enum err e = keyring_file_load(&keyring->files, tenant_id, name, kek);
	/* Who made it may have died before its name was on the disk. */
	if (!e && fsync(keyring->files.directory) != 0)
		e = ERR_UNAVAILABLE;
	if (e != ERR_NOT_FOUND)
		return e;
	e = keyring_file_make(&keyring->files, tenant_id, name);
	return e ? e : keyring_file_load(&keyring->files, tenant_id, name, kek);
}

/* A tenant that was erased never has a key again. */
static enum err check_alive(const struct keyring *keyring, const char *tenant_id)
{
	struct arena *arena = arena_new();
	struct erasure erasure;
	enum err e = erasure_find(keyring->ledger, arena, tenant_id, ERASURE_ALL, &erasure);
	arena_free(arena);
	return e == ERR_NOT_FOUND ? OK : e ? e : ERR_CONFLICT;
}

enum err keyring_create(struct keyring *keyring, const char *tenant_id)
{
	if (!is_uuid(tenant_id))
		return ERR_INVALID;
	uint32_t version = 1;
	enum err e = keyring_check_writes(keyring);
	if (!e)
		e = check_alive(keyring, tenant_id);
	if (!e && keyring->files.root)
		e = keyring_file_fix_root(&keyring->files);
	if (!e)
		e = look_for_newest(keyring, tenant_id, &version);
	if (e == ERR_NOT_FOUND)
		version = 1;
	else if (e)
		return e;
	e = keyring_file_make_salt(&keyring->files, tenant_id);
	if (!e)
		e = create_version(keyring, tenant_id, KEYRING_INDEX);
	/* Last, because whoever finds a version takes the tenant for whole. */
	return e ? e : create_version(keyring, tenant_id, version);
}

enum err keyring_rotate(struct keyring *keyring, const char *tenant_id)
{
	uint32_t version;
	if (!is_uuid(tenant_id))
		return ERR_INVALID;
	enum err e = keyring_check_writes(keyring);
	if (!e)
		e = check_alive(keyring, tenant_id);
	if (!e)
		e = look_for_newest(keyring, tenant_id, &version);
	if (!e && version == KEYRING_VERSIONS_MAX)
		e = ERR_LIMITED;
	return e ? e : create_version(keyring, tenant_id, version + 1);
}

/* ---- another root ---- */

static enum err reseal_one(struct keyring *keyring, const char *tenant_id, const char *name,
	struct keyring_tally *tally)
{
	bool changed;
	enum err e = keyring_file_reseal(&keyring->files, tenant_id, name, &changed);
	if (e == ERR_NOT_FOUND) /* destroyed meanwhile */
		return OK;
	if (!e)
		++*(changed ? &tally->resealed : &tally->unchanged);
	return e;
}

/* The check last: as long as it is under the old root, so may be others. */
enum err keyring_reseal(struct keyring *keyring, struct keyring_tally *tally)
{
	*tally = (struct keyring_tally){ 0 };
	if (keyring_check_writes(keyring))
		return ERR_FORBIDDEN;
	int copy = openat(keyring->files.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	if (!files)
		return ERR_UNAVAILABLE;
	enum err e = OK;
	for (const struct dirent *file; !e && (file = readdir(files));) {
		char tenant_id[UUID_SIZE];
		uint32_t version;
		if (keyring_file_parse(file->d_name, tenant_id, &version))
			e = reseal_one(keyring, tenant_id, file->d_name, tally);
	}
	closedir(files);
	struct keyring_tally check = { 0 };
	return e || !keyring->files.root ? e : reseal_one(keyring, NULL, KEYRING_CHECK, &check);
}
