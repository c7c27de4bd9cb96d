/*
 * Destroying a tenant's keys; see keyring.h. What belongs to the tenant is every file of the
 * directory whose name begins with the tenant's id, whoever put it there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/buf.h"
#include "libcommon/clock.h"
#include "libcommon/keyring_file.h"
#include "libcommon/keyring_user.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

/* Behind the tenant's id in the name of a file of the tenant; NULL for others. Temporary files have
 * a dot in front. */
static const char *suffix_of(const char *name, const char *tenant_id)
{
	size_t n = strlen(tenant_id);
	name += *name == '.';
	return strncmp(name, tenant_id, n) == 0 && name[n] == '.' ? name + n + 1 : NULL;
}

typedef enum err on_file(void *arg, int directory, const char *name, const char *suffix);

static enum err each_file(int directory, const char *tenant_id, on_file *fn, void *arg)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	enum err e = OK;
	if (!files)
		return ERR_UNAVAILABLE;
	for (const struct dirent *file; !e && (file = readdir(files));) {
		const char *suffix = suffix_of(file->d_name, tenant_id);
		if (suffix)
			e = fn(arg, directory, file->d_name, suffix);
	}
	closedir(files);
	return e;
}

/* ---- which they are ---- */

static enum err fingerprint(struct arena *arena, int directory, const char *name, const char **out)
{
	struct stat status;
	unsigned char hash[HASH_SIZE];
	auto_descriptor fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &status))
		return ERR_UNAVAILABLE;
	size_t n = (size_t)status.st_size;
	unsigned char *content = arena_alloc(arena, n + 1);
	if (read(fd, content, n) != (ssize_t)n)
		return ERR_UNAVAILABLE;
	crypto_sha256(content, n, hash);
	*out = crypto_hex(arena, hash, KEYRING_FINGERPRINT_SIZE);
	return OK;
}

static enum err on_listed(void *arg, int directory, const char *name, const char *suffix)
{
	struct buf *list = arg;
	const char *print;
	if (*name == '.') /* never came into use */
		return OK;
	enum err e = fingerprint(list->arena, directory, name, &print);
	if (!e)
		buf_printf(list, "%s%s=%s", list->n ? "," : "", suffix, print);
	return e;
}

/* ---- away with them ---- */

static enum err on_doomed(void *arg, int directory, const char *name, const char *suffix)
{
	enum err e = keyring_file_overwrite(directory, name);
	if (!e && unlinkat(directory, name, 0) && errno != ENOENT)
		e = ERR_UNAVAILABLE;
	return e;
}

static enum err destroy_files(int directory, const char *tenant_id)
{
	enum err e = each_file(directory, tenant_id, on_doomed, NULL);
	if (!e && fsync(directory))
		e = ERR_UNAVAILABLE;
	return e;
}

/* ---- the receipt ---- */

static enum err receipt_put(struct arena *arena, int directory, const char *name, const char *text)
{
	auto_descriptor fd = openat(
		directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd))
		return ERR_UNAVAILABLE;
	return fsync(directory) == 0 ? OK : ERR_UNAVAILABLE;
}

/* Left where the keys were, for whoever looks for them. */
static enum err leave_receipt(
	struct arena *arena, int directory, const char *tenant_id, const struct erasure *erasure)
{
	return receipt_put(arena, directory, arena_printf(arena, "receipt.%s", tenant_id),
		arena_printf(arena, "erased %s\nledger %s\nkeys %s\n", erasure->at, erasure->hash,
			erasure->keys));
}

/* An attempt that was cut short has listed them already, when all were still there. */
static enum err note(
	struct keyring *keyring, struct arena *arena, const char *tenant_id, struct erasure *out)
{
	struct erasure_ledger *ledger = keyring_ledger(keyring);
	struct buf keys = { .arena = arena };
	enum err e = erasure_find(ledger, arena, tenant_id, ERASURE_ALL, out);
	if (e != ERR_NOT_FOUND)
		return e;
	e = each_file(keyring_directory(keyring), tenant_id, on_listed, &keys);
	const struct erasure erasure = { .tenant_id = tenant_id,
		.user_id = ERASURE_ALL,
		.at = clock_now_text(arena),
		.keys = keys.n ? keys.data : "-" };
	if (!e)
		e = erasure_add(ledger, &erasure);
	return e ? e : erasure_find(ledger, arena, tenant_id, ERASURE_ALL, out);
}

enum err keyring_destroy(struct keyring *keyring, struct arena *arena, const char *tenant_id,
	struct erasure *receipt)
{
	int directory = keyring_directory(keyring);
	if (!is_uuid(tenant_id))
		return ERR_INVALID;
	enum err e = keyring_check_writes(keyring);
	if (!e)
		e = note(keyring, arena, tenant_id, receipt);
	if (!e)
		e = destroy_files(directory, tenant_id);
	if (!e)
		e = leave_receipt(arena, directory, tenant_id, receipt);
	log_event(e ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "keys of a tenant destroyed",
		LOG_TEXT("tenant", tenant_id), LOG_TEXT("err", err_name(e)));
	return e;
}

/* ---- one version ---- */

/* The files of a version: its key, and what a change of the root left half written. */
struct doomed_version {
	char key[KEYRING_NAME_SIZE]; /* what their names go on with behind the tenant's id */
};

static enum err on_doomed_version(void *arg, int directory, const char *name, const char *suffix)
{
	const struct doomed_version *doomed = arg;
	bool is_it = strncmp(suffix, doomed->key, strlen(doomed->key)) == 0;
	return is_it ? on_doomed(NULL, directory, name, suffix) : OK;
}

/* What stands behind a word of the receipt, up to the end of its line; NULL when it is not whole.
 */
static const char *told(struct arena *arena, const char *text, const char *word)
{
	const char *from = strstr(text, word);
	const char *end = from ? strchr(from, '\n') : NULL;
	if (!end)
		return NULL;
	from += strlen(word);
	return arena_strndup(arena, from, (size_t)(end - from));
}

static enum err receipt_read(
	struct arena *arena, int directory, const char *name, struct keyring_receipt *out)
{
	char text[256] = "";
	auto_descriptor fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	if (read(fd, text, sizeof(text) - 1) < 0)
		return ERR_UNAVAILABLE;
	*out = (struct keyring_receipt){ told(arena, text, "destroyed "),
		told(arena, text, "key ") };
	return out->at && out->key ? OK : ERR_NOT_FOUND;
}

/* Before the key goes: which it was cannot be told afterwards. */
static enum err receipt_write(
	struct arena *arena, int directory, const char *name, const struct keyring_receipt *receipt)
{
	return receipt_put(arena, directory, name,
		arena_printf(arena, "destroyed %s\nkey %s\n", receipt->at, receipt->key));
}

static enum err receipt_make(struct arena *arena, int directory,
	const struct keyring_version *which, struct keyring_receipt *out)
{
	char key[KEYRING_NAME_SIZE];
	const char *print;
	const char *name =
		arena_printf(arena, "receipt.%s.%u", which->tenant_id, (unsigned)which->version);
	enum err e = receipt_read(arena, directory, name, out);
	if (e != ERR_NOT_FOUND)
		return e;
	keyring_file_name(which->tenant_id, which->version, key);
	if (faccessat(directory, key, F_OK, AT_SYMLINK_NOFOLLOW))
		return ERR_NOT_FOUND;
	e = fingerprint(arena, directory, key, &print);
	if (e)
		return e;
	*out = (struct keyring_receipt){ clock_now_text(arena),
		arena_printf(arena, "%u.key=%s", (unsigned)which->version, print) };
	return receipt_write(arena, directory, name, out);
}

enum err keyring_version_destroy(struct keyring *keyring, struct arena *arena,
	const struct keyring_version *which, struct keyring_receipt *out)
{
	int directory = keyring_directory(keyring);
	uint32_t newest;
	struct doomed_version doomed;
	enum err e = keyring_check_writes(keyring);
	if (!e)
		e = keyring_newest(keyring, which->tenant_id, &newest);
	if (e || which->version >= newest)
		return e ? e : ERR_CONFLICT;
	(void)snprintf(doomed.key, sizeof(doomed.key), "%u.key", (unsigned)which->version);
	e = receipt_make(arena, directory, which, out);
	if (!e)
		e = each_file(directory, which->tenant_id, on_doomed_version, &doomed);
	if (!e && fsync(directory))
		e = ERR_UNAVAILABLE;
	log_event(e ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "version of a key destroyed",
		LOG_TEXT("tenant", which->tenant_id), LOG_INT("version", which->version),
		LOG_TEXT("err", err_name(e)));
	return e;
}

/* A backup of the store may have brought keys back. */
static enum err on_erased(void *arg, const struct erasure *erasure)
{
	if (strcmp(erasure->user_id, ERASURE_ALL) == 0)
		return destroy_files(keyring_directory(arg), erasure->tenant_id);
	enum err e = keyring_user_erase(arg, erasure->tenant_id, erasure->user_id);
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err keyring_destroy_again(struct keyring *keyring)
{
	if (keyring_check_writes(keyring))
		return ERR_FORBIDDEN;
	struct arena *arena = arena_new();
	enum err e = erasure_each(keyring_ledger(keyring), arena, on_erased, keyring);
	arena_free(arena);
	return e;
}
