/*
 * Tenant keys as files `<tenant>.<version>.key`: a byte that says who keeps the root, then the KEK,
 * sealed under the root key for exactly that name, or wrapped by the key management service for
 * that tenant. `root.check` is an empty text sealed under the root key, so that a wrong one is seen
 * at start rather than at the first pupil's video.
 *
 * KEKs that were opened are kept by keyring_cache.c.
 */
#include "libcommon/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/http_client.h"
#include "libcommon/keyring_cache.h"
#include "libcommon/keyring_user.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"

#define FORMAT_LOCAL 1
#define FORMAT_KMS 2
#define VERSIONS_MAX 999999 /* one a minute for two years; ends a walk over strange names */
#define CHECK_NAME "root.check"
#define SEALED_MAX (1 + KEY_SIZE + SEAL_OVERHEAD)
#define CONTENT_MAX (1 + KMS_WRAPPED_MAX)
#define NAME_SIZE 64 /* uuid, version, ".key"; temporary names add 21 */

struct keyring {
	int directory;
	struct erasure_ledger *ledger;
	unsigned char *root; /* crypto_secret_alloc(); NULL: there is none */
	const struct kms *kms; /* NULL: keys are sealed under `root` */
	pthread_mutex_t lock; /* of the cache and of `unwraps`; not held while a key is opened:
				 asking the service takes a while */
	struct keyring_cache *cache;
	uint64_t unwraps;
	struct keyring_users *users;
};

/* ---- one sealed file ---- */

static struct bytes name_bytes(const char *name)
{
	return (struct bytes){ (const unsigned char *)name, strlen(name) };
}

static enum err unseal(const struct keyring *keyring, const char *name,
	const unsigned char *content, size_t n, unsigned char *out)
{
	if (n < 1 || content[0] != FORMAT_LOCAL || !keyring->root)
		return ERR_INVALID;
	return crypto_open(keyring->root, name_bytes(name), content + 1, n - 1, out);
}

static enum err read_file(const struct keyring *keyring, const char *name,
	unsigned char content[CONTENT_MAX + 1], size_t *n)
{
	int file = openat(keyring->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	ssize_t got = read(file, content, CONTENT_MAX + 1);
	close(file);
	*n = got < 0 ? 0 : (size_t)got;
	return got < 0 ? ERR_UNAVAILABLE : OK;
}

static enum err is_foreign(const char *name)
{
	log_event(LOG_LEVEL_ERROR, "keyring file does not open with this root",
		LOG_TEXT("file", name));
	return ERR_INTERNAL;
}

/* The secret of `n` bytes in the file. NOT_FOUND, INTERNAL when it is not sealed by our root. */
static enum err load(const struct keyring *keyring, const char *name, unsigned char *out, size_t n)
{
	unsigned char content[CONTENT_MAX + 1];
	size_t got;
	enum err e = read_file(keyring, name, content, &got);
	if (e)
		return e;
	if (got != 1 + n + SEAL_OVERHEAD || unseal(keyring, name, content, got, out) != OK)
		return is_foreign(name);
	return OK;
}

static enum err unwrap(const struct keyring *keyring, const char *tenant_id, struct bytes wrapped,
	unsigned char out[KEY_SIZE])
{
	struct arena *arena = arena_new();
	enum err e = kms_open(keyring->kms, arena, tenant_id, wrapped, out);
	arena_free(arena);
	return e;
}

/* The KEK in the file, whoever keeps its root. */
static enum err load_kek(const struct keyring *keyring, const char *tenant_id, const char *name,
	unsigned char out[KEY_SIZE])
{
	unsigned char content[CONTENT_MAX + 1];
	size_t n;
	enum err e = read_file(keyring, name, content, &n);
	if (e)
		return e;
	if (n < 1 || content[0] != FORMAT_KMS)
		return load(keyring, name, out, KEY_SIZE);
	if (!keyring->kms || n > CONTENT_MAX)
		return is_foreign(name);
	e = unwrap(keyring, tenant_id, (struct bytes){ content + 1, n - 1 }, out);
	if (e == ERR_INVALID)
		return is_foreign(name);
	return e ? ERR_UNAVAILABLE : OK;
}

static enum err write_synced(int file, const unsigned char *content, size_t n)
{
	if (write(file, content, n) != (ssize_t)n || fsync(file) != 0)
		return ERR_UNAVAILABLE;
	return OK;
}

/*
 * A file with the content, on the disk before it gets its name. Its group may read it: learning may
 * run as another user than provisioning, who writes it.
 */
static enum err write_temporary(
	const struct keyring *keyring, const char *name, const unsigned char *content, size_t n)
{
	int file = openat(keyring->directory, name,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (file < 0)
		return ERR_UNAVAILABLE;
	enum err e = write_synced(file, content, n);
	if (close(file) != 0 && !e)
		e = ERR_UNAVAILABLE;
	return e;
}

/* Name the file unless the name is taken: link(2) decides between two creators. */
static enum err publish(const struct keyring *keyring, const char *temporary, const char *name)
{
	if (linkat(keyring->directory, temporary, keyring->directory, name, 0) != 0 &&
		errno != EEXIST)
		return ERR_UNAVAILABLE;
	/* Also when another was first: its directory entry may not be on the disk yet. */
	return fsync(keyring->directory) == 0 ? OK : ERR_UNAVAILABLE;
}

static enum err store(
	const struct keyring *keyring, const char *name, const unsigned char *content, size_t n)
{
	uint64_t random;
	crypto_random(&random, sizeof random);
	char temporary[NAME_SIZE + 24];
	snprintf(temporary, sizeof temporary, ".%s.%016llx", name, (unsigned long long)random);
	enum err e = write_temporary(keyring, temporary, content, n);
	if (!e)
		e = publish(keyring, temporary, name);
	if (e)
		log_event(LOG_LEVEL_ERROR, "keyring file cannot be written", LOG_TEXT("file", name),
			LOG_INT("errno", errno));
	unlinkat(keyring->directory, temporary, 0);
	return e;
}

static enum err store_sealed(
	const struct keyring *keyring, const char *name, const unsigned char *secret, size_t n)
{
	unsigned char content[SEALED_MAX] = { FORMAT_LOCAL };
	crypto_seal(keyring->root, name_bytes(name), secret, n, content + 1);
	return store(keyring, name, content, 1 + n + SEAL_OVERHEAD);
}

/* The service makes the key too: what it wrapped is what it knows. */
static enum err store_wrapped(
	const struct keyring *keyring, const char *tenant_id, const char *name)
{
	auto_secret(kek, KEY_SIZE);
	unsigned char content[CONTENT_MAX] = { FORMAT_KMS };
	struct arena *arena = arena_new();
	struct bytes wrapped;
	enum err e = kms_generate(keyring->kms, arena, tenant_id, kek, &wrapped);
	if (!e && wrapped.n > KMS_WRAPPED_MAX)
		e = ERR_INTERNAL;
	if (!e) {
		memcpy(content + 1, wrapped.data, wrapped.n);
		e = store(keyring, name, content, 1 + wrapped.n);
	}
	arena_free(arena);
	return e;
}

/* ---- opening ---- */

static enum err root_from_hex(struct keyring *keyring, const char *root_hex)
{
	keyring->root = crypto_secret_alloc(KEY_SIZE);
	return crypto_from_hex(root_hex, keyring->root, KEY_SIZE);
}

/* A keyring that nobody has written to yet has no check; every root is right then. */
static enum err check_root(const struct keyring *keyring)
{
	unsigned char nothing[1];
	enum err e = load(keyring, CHECK_NAME, nothing, 0);
	return e == ERR_NOT_FOUND ? OK : e;
}

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

static const char *open_all(struct keyring *keyring, const char *directory, const char *root_hex)
{
	bool needs_root = !keyring->kms || *root_hex;
	if (needs_root && root_from_hex(keyring, root_hex) != OK)
		return "the root key is not 64 hexadecimal digits";
	if (keyring->kms && (kms_check(keyring->kms) != OK || http_client_start() != OK))
		return "the key management service cannot be used";
	keyring->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keyring->directory < 0)
		return "the directory cannot be opened";
	if (needs_root && check_root(keyring) != OK)
		return "the directory was made with another root key";
	return open_ledger(keyring, directory);
}

struct keyring *keyring_open_kms(const char *directory, const char *root_hex, const struct kms *kms)
{
	struct keyring *keyring = calloc(1, sizeof *keyring);
	if (!keyring)
		abort();
	keyring->directory = -1;
	keyring->kms = kms;
	keyring->cache = keyring_cache_new();
	pthread_mutex_init(&keyring->lock, NULL);
	const char *reason = open_all(keyring, directory, root_hex);
	keyring->users = keyring_users_new(keyring->directory);
	if (!reason)
		return keyring;
	log_event(LOG_LEVEL_ERROR, "keyring cannot be used", LOG_TEXT("directory", directory),
		LOG_TEXT("reason", reason));
	keyring_close(keyring);
	return NULL;
}

struct keyring *keyring_open(const char *directory, const char *root_hex)
{
	return keyring_open_kms(directory, root_hex, NULL);
}

void keyring_close(struct keyring *keyring)
{
	if (!keyring)
		return;
	keyring_users_free(keyring->users);
	if (keyring->directory >= 0)
		close(keyring->directory);
	erasure_close(keyring->ledger);
	crypto_secret_free(keyring->root);
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
	return keyring->directory;
}

/* ---- versions ---- */

static void key_name(const char *tenant_id, uint32_t version, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, "%s.%u.key", tenant_id, (unsigned)version);
}

static bool is_there(const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	char name[NAME_SIZE];
	key_name(tenant_id, version, name);
	return faccessat(keyring->directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The version in a file's name, 0 if it is none of this tenant's. */
static uint32_t version_of(const char *file, const char *tenant_id)
{
	size_t n = strlen(tenant_id);
	if (strncmp(file, tenant_id, n) != 0 || file[n] != '.')
		return 0;
	char *end;
	unsigned long version = strtoul(file + n + 1, &end, 10);
	return version <= VERSIONS_MAX && strcmp(end, ".key") == 0 ? (uint32_t)version : 0;
}

/* Versions may be missing in between: those that nothing is sealed under any more are destroyed. */
static enum err look_for_newest(
	const struct keyring *keyring, const char *tenant_id, uint32_t *version)
{
	int copy = openat(keyring->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	if (!files)
		return ERR_UNAVAILABLE;
	*version = 0;
	for (const struct dirent *file; (file = readdir(files));) {
		uint32_t found = version_of(file->d_name, tenant_id);
		if (found > *version)
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

/* From memory, if its file was there a second ago. */
static bool recall(struct keyring *keyring, const char *tenant_id, uint32_t version,
	unsigned char out[KEY_SIZE])
{
	pthread_mutex_lock(&keyring->lock);
	struct keyring_entry *entry = keyring_cache_slot(keyring->cache, tenant_id, version);
	struct stat status;
	char name[NAME_SIZE];
	key_name(tenant_id, version, name);
	bool known = entry->opened;
	if (known && !keyring_entry_is_trusted(entry)) {
		known = fstatat(keyring->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			status.st_ino == entry->file;
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
	keyring->unwraps++;
	pthread_mutex_unlock(&keyring->lock);
}

static enum err kek_of(struct keyring *keyring, const char *tenant_id, uint32_t version,
	unsigned char out[KEY_SIZE])
{
	char name[NAME_SIZE];
	struct stat status;
	if (recall(keyring, tenant_id, version, out))
		return OK;
	key_name(tenant_id, version, name);
	if (fstatat(keyring->directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	enum err e = load_kek(keyring, tenant_id, name, out);
	if (!e)
		remember(keyring, tenant_id, version, status.st_ino, out);
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
	enum err e = kek_of(keyring, tenant_id, which.version, kek);
	if (!e)
		crypto_derive(kek, which.domain, out);
	return e;
}

void keyring_drop_idle(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->lock);
	keyring_cache_drop_idle(keyring->cache);
	pthread_mutex_unlock(&keyring->lock);
	keyring_users_drop_idle(keyring->users);
}

struct keyring_users *keyring_users_of(struct keyring *keyring)
{
	return keyring->users;
}

uint64_t keyring_unwraps(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->lock);
	uint64_t n = keyring->unwraps;
	pthread_mutex_unlock(&keyring->lock);
	return n;
}

/* ---- writing ---- */

/* The first key of a keyring fixes its root. */
static enum err fix_root(const struct keyring *keyring)
{
	unsigned char nothing[1] = { 0 };
	enum err e = load(keyring, CHECK_NAME, nothing, 0);
	if (e != ERR_NOT_FOUND)
		return e;
	e = store_sealed(keyring, CHECK_NAME, nothing, 0);
	return e ? e : load(keyring, CHECK_NAME, nothing, 0);
}

static enum err create_version(
	const struct keyring *keyring, const char *tenant_id, uint32_t version)
{
	char name[NAME_SIZE];
	key_name(tenant_id, version, name);
	auto_secret(kek, KEY_SIZE);
	enum err e = load_kek(keyring, tenant_id, name, kek);
	/* Who made it may have died before its name was on the disk. */
	if (!e && fsync(keyring->directory) != 0)
		e = ERR_UNAVAILABLE;
	if (e != ERR_NOT_FOUND)
		return e;
	crypto_random(kek, KEY_SIZE);
	e = keyring->kms ? store_wrapped(keyring, tenant_id, name)
			 : store_sealed(keyring, name, kek, KEY_SIZE);
	return e ? e : load_kek(keyring, tenant_id, name, kek);
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
	enum err e = check_alive(keyring, tenant_id);
	if (!e && keyring->root)
		e = fix_root(keyring);
	if (!e)
		e = look_for_newest(keyring, tenant_id, &version);
	if (e == ERR_NOT_FOUND)
		version = 1;
	else if (e)
		return e;
	return create_version(keyring, tenant_id, version);
}

enum err keyring_rotate(struct keyring *keyring, const char *tenant_id)
{
	uint32_t version;
	if (!is_uuid(tenant_id))
		return ERR_INVALID;
	enum err e = check_alive(keyring, tenant_id);
	if (!e)
		e = look_for_newest(keyring, tenant_id, &version);
	if (!e && version == VERSIONS_MAX)
		e = ERR_LIMITED;
	return e ? e : create_version(keyring, tenant_id, version + 1);
}
