/* Files of a keyring; the header states what lies in them. */
#include "libcommon/keyring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/http_client.h"
#include "libcommon/keyring_root.h"
#include "libcommon/keyring_salt.h"
#include "libcommon/kms.h"
#include "libcommon/log.h"

#define FORMAT_LOCAL 1
#define FORMAT_KMS 2
#define INDEX_NAME "index.key"

#define SEALED_MAX (1 + KEY_SIZE + SEAL_OVERHEAD)
#define CONTENT_MAX (1 + KMS_WRAPPED_MAX)
#define BLOCK_SIZE 4096
#define TEMPORARY_SIZE (KEYRING_NAME_SIZE + 24)

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

/* ---- names ---- */

void keyring_file_name(const char *tenant_id, uint32_t version, char out[KEYRING_NAME_SIZE])
{
	if (version == KEYRING_INDEX)
		snprintf(out, KEYRING_NAME_SIZE, "%s." INDEX_NAME, tenant_id);
	else
		snprintf(out, KEYRING_NAME_SIZE, "%s.%u.key", tenant_id, (unsigned)version);
}

bool keyring_file_parse(const char *name, char tenant_id[UUID_SIZE], uint32_t *version)
{
	if (strlen(name) < UUID_SIZE || name[UUID_SIZE - 1] != '.')
		return false;
	memcpy(tenant_id, name, UUID_SIZE - 1);
	tenant_id[UUID_SIZE - 1] = 0;
	if (strcmp(name + UUID_SIZE, INDEX_NAME) == 0) {
		*version = KEYRING_INDEX;
		return is_uuid(tenant_id);
	}
	char *end;
	unsigned long number = strtoul(name + UUID_SIZE, &end, 10);
	*version = (uint32_t)number;
	return is_uuid(tenant_id) && number > 0 && number <= KEYRING_VERSIONS_MAX &&
		strcmp(end, ".key") == 0;
}

/* ---- reading ---- */

static struct bytes name_bytes(const char *name)
{
	return (struct bytes){ (const unsigned char *)name, strlen(name) };
}

/* What a file holds. */
struct content {
	size_t n;
	unsigned char data[CONTENT_MAX + 1];
};

static enum err read_content(
	const struct keyring_files *files, const char *name, struct content *content)
{
	auto_descriptor file = openat(files->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	ssize_t got = read(file, content->data, sizeof content->data);
	content->n = got < 0 ? 0 : (size_t)got;
	return got < 0 ? ERR_UNAVAILABLE : OK;
}

static enum err is_foreign(const char *name)
{
	log_event(LOG_LEVEL_ERROR, "keyring file does not open with this root",
		LOG_TEXT("file", name));
	return ERR_INTERNAL;
}

static bool is_local(const struct content *content, size_t n)
{
	return content->n == 1 + n + SEAL_OVERHEAD && content->data[0] == FORMAT_LOCAL;
}

static bool opens(const unsigned char *root, const char *name, const struct content *content,
	unsigned char *out)
{
	return root &&
		crypto_open(root, name_bytes(name), content->data + 1, content->n - 1, out) == OK;
}

/* The secret of `n` bytes in what was read. INTERNAL when no root of ours sealed it. */
static enum err unseal(const struct keyring_files *files, const char *name,
	const struct content *content, unsigned char *out, size_t n)
{
	if (is_local(content, n) &&
		(opens(files->root, name, content, out) ||
			opens(files->root_before, name, content, out)))
		return OK;
	return is_foreign(name);
}

static enum err load(
	const struct keyring_files *files, const char *name, unsigned char *out, size_t n)
{
	struct content content;
	enum err e = read_content(files, name, &content);
	return e ? e : unseal(files, name, &content, out, n);
}

static enum err unwrap(const struct keyring_files *files, const char *tenant_id,
	const struct content *content, unsigned char out[KEY_SIZE])
{
	struct arena *arena = arena_new();
	enum err e = kms_open(files->kms, arena, tenant_id,
		(struct bytes){ content->data + 1, content->n - 1 }, out);
	arena_free(arena);
	return e;
}

static bool is_wrapped(const struct content *content)
{
	return content->n > 1 && content->n <= CONTENT_MAX && content->data[0] == FORMAT_KMS;
}

enum err keyring_file_load(const struct keyring_files *files, const char *tenant_id,
	const char *name, unsigned char kek[KEY_SIZE])
{
	struct content content;
	enum err e = read_content(files, name, &content);
	if (e)
		return e;
	if (!is_wrapped(&content))
		return unseal(files, name, &content, kek, KEY_SIZE);
	if (!files->kms)
		return is_foreign(name);
	e = unwrap(files, tenant_id, &content, kek);
	if (e == ERR_INVALID)
		return is_foreign(name);
	return e ? ERR_UNAVAILABLE : OK;
}

/* ---- writing ---- */

static enum err write_synced(int file, const struct content *content)
{
	if (write(file, content->data, content->n) != (ssize_t)content->n || fsync(file) != 0)
		return ERR_UNAVAILABLE;
	return OK;
}

/*
 * A file with the content, on the disk before it gets its name. Its group may read it: learning may
 * run as another user than provisioning, who writes it.
 */
static enum err write_temporary(const struct keyring_files *files, const char *name,
	const struct content *content, char temporary[TEMPORARY_SIZE])
{
	uint64_t random;
	crypto_random(&random, sizeof random);
	snprintf(temporary, TEMPORARY_SIZE, ".%s.%016llx", name, (unsigned long long)random);
	int file = openat(files->directory, temporary,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (file < 0)
		return ERR_UNAVAILABLE;
	enum err e = write_synced(file, content);
	if (close(file) != 0 && !e)
		e = ERR_UNAVAILABLE;
	return e;
}

/* How a file that was written comes under its name, and whether it has: from then on the temporary
 * name may be one of a key in use. */
typedef enum err place(
	const struct keyring_files *files, const char *temporary, const char *name, bool *has_name);

/* A share on a network may have done what it says has failed. */
static bool has_links(int directory, const char *name)
{
	struct stat status;
	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_nlink > 1;
}

/* Name the file unless the name is taken: link(2) decides between two creators. */
static enum err publish(
	const struct keyring_files *files, const char *temporary, const char *name, bool *has_name)
{
	bool is_done = linkat(files->directory, temporary, files->directory, name, 0) == 0;
	bool is_taken = !is_done && errno == EEXIST;
	*has_name = is_done || has_links(files->directory, temporary);
	if (!is_done && !is_taken)
		return ERR_UNAVAILABLE;
	/* Also when another was first: its directory entry may not be on the disk yet. */
	return fsync(files->directory) == 0 ? OK : ERR_UNAVAILABLE;
}

/* The two change places: nobody ever finds none, and a key that was destroyed meanwhile does not
 * come back. What had the name then goes with the temporary one. */
static enum err exchange(
	const struct keyring_files *files, const char *temporary, const char *name, bool *has_name)
{
	struct stat status;
	if (fstatat(files->directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	/* It tells the age of the key, which stays the same. */
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, status.st_mtim };
	if (utimensat(files->directory, temporary, times, AT_SYMLINK_NOFOLLOW) != 0)
		return ERR_UNAVAILABLE;
	if (renameat2(files->directory, temporary, files->directory, name, RENAME_EXCHANGE) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	*has_name = true;
	if (fsync(files->directory) != 0)
		return ERR_UNAVAILABLE;
	return keyring_file_overwrite(files->directory, temporary);
}

enum err keyring_file_overwrite(int directory, const char *name)
{
	struct stat status;
	unsigned char noise[BLOCK_SIZE];
	auto_descriptor fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? OK : ERR_UNAVAILABLE;
	if (fstat(fd, &status))
		return ERR_UNAVAILABLE;
	for (off_t at = 0; at < status.st_size;) {
		off_t left = status.st_size - at;
		size_t n = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
		crypto_random(noise, n);
		if (pwrite(fd, noise, n, at) != (ssize_t)n)
			return ERR_UNAVAILABLE;
		at += (off_t)n;
	}
	return fsync(fd) == 0 ? OK : ERR_UNAVAILABLE;
}

/* After a failure key material goes as noise, or keeps the name by which the end of the key finds
 * it: when the directory is not on the disk, a crash may leave either of the two under the name. */
static void drop(
	const struct keyring_files *files, const char *temporary, bool has_name, enum err e)
{
	if (!e || (!has_name && keyring_file_overwrite(files->directory, temporary) == OK))
		(void)unlinkat(files->directory, temporary, 0);
}

static enum err store(const struct keyring_files *files, const char *name,
	const struct content *content, place *put)
{
	char temporary[TEMPORARY_SIZE];
	bool has_name = false;
	enum err e = write_temporary(files, name, content, temporary);
	if (!e)
		e = put(files, temporary, name, &has_name);
	if (e)
		log_event(LOG_LEVEL_ERROR, "keyring file cannot be written", LOG_TEXT("file", name),
			LOG_TEXT("err", err_name(e)));
	drop(files, temporary, has_name, e);
	return e;
}

static void seal(const struct keyring_files *files, const char *name, const unsigned char *secret,
	size_t n, struct content *content)
{
	content->data[0] = FORMAT_LOCAL;
	content->n = 1 + n + SEAL_OVERHEAD;
	crypto_seal(files->root, name_bytes(name), secret, n, content->data + 1);
}

static enum err keep_wrapped(struct bytes wrapped, struct content *content)
{
	if (wrapped.n > KMS_WRAPPED_MAX)
		return ERR_INTERNAL;
	content->data[0] = FORMAT_KMS;
	content->n = 1 + wrapped.n;
	memcpy(content->data + 1, wrapped.data, wrapped.n);
	return OK;
}

/* The service makes the key too: what it wrapped is what it knows. */
static enum err generate(
	const struct keyring_files *files, const char *tenant_id, struct content *content)
{
	auto_secret(kek, KEY_SIZE);
	struct arena *arena = arena_new();
	struct bytes wrapped;
	enum err e = kms_generate(files->kms, arena, tenant_id, kek, &wrapped);
	if (!e)
		e = keep_wrapped(wrapped, content);
	arena_free(arena);
	return e;
}

enum err keyring_file_make(
	const struct keyring_files *files, const char *tenant_id, const char *name)
{
	auto_secret(kek, KEY_SIZE);
	struct content content;
	enum err e = OK;
	crypto_random(kek, KEY_SIZE);
	if (files->kms)
		e = generate(files, tenant_id, &content);
	else
		seal(files, name, kek, KEY_SIZE, &content);
	return e ? e : store(files, name, &content, publish);
}

enum err keyring_file_make_salt(const struct keyring_files *files, const char *tenant_id)
{
	char name[KEYRING_NAME_SIZE];
	unsigned char salt[KEY_SIZE];
	struct content content = { .n = KEY_SIZE };
	keyring_salt_name(tenant_id, name);
	enum err e = keyring_salt_read(files->directory, tenant_id, salt);
	if (!e)
		return fsync(files->directory) == 0 ? OK : ERR_UNAVAILABLE;
	crypto_random(content.data, KEY_SIZE);
	return e == ERR_NOT_FOUND ? store(files, name, &content, publish) : e;
}

enum err keyring_file_fix_root(const struct keyring_files *files)
{
	unsigned char nothing[1] = { 0 };
	struct content content;
	enum err e = load(files, KEYRING_CHECK, nothing, 0);
	if (e != ERR_NOT_FOUND)
		return e;
	seal(files, KEYRING_CHECK, nothing, 0, &content);
	e = store(files, KEYRING_CHECK, &content, publish);
	return e ? e : load(files, KEYRING_CHECK, nothing, 0);
}

/* ---- another root ---- */

static enum err rewrap(const struct keyring_files *files, const char *tenant_id,
	const struct content *old, struct content *content)
{
	struct arena *arena = arena_new();
	struct bytes again;
	enum err e = files->kms ? kms_rewrap(files->kms, arena, tenant_id,
					  (struct bytes){ old->data + 1, old->n - 1 }, &again)
				: ERR_INTERNAL;
	if (!e)
		e = keep_wrapped(again, content);
	arena_free(arena);
	return e;
}

enum err keyring_file_reseal(
	const struct keyring_files *files, const char *tenant_id, const char *name, bool *changed)
{
	auto_secret(secret, KEY_SIZE);
	size_t n = tenant_id ? KEY_SIZE : 0;
	struct content old, content;
	*changed = false;
	enum err e = read_content(files, name, &old);
	if (e)
		return e;
	if (is_wrapped(&old)) {
		e = rewrap(files, tenant_id, &old, &content);
	} else if (is_local(&old, n) && opens(files->root, name, &old, secret)) {
		return OK;
	} else {
		e = files->root ? unseal(files, name, &old, secret, n) : ERR_INTERNAL;
		if (!e)
			seal(files, name, secret, n, &content);
	}
	if (!e)
		e = store(files, name, &content, exchange);
	*changed = !e;
	return e;
}

/* ---- opening ---- */

/* NULL, or why not. */
static const char *read_root(const char *text, const char *passphrase, unsigned char **root)
{
	if (!*text)
		return NULL;
	*root = crypto_secret_alloc(KEY_SIZE);
	return keyring_root_open(text, passphrase, *root);
}

static const char *read_roots(struct keyring_files *files, const struct keyring_root *root)
{
	if (!root->kms && !*root->text)
		return "there is no root key";
	const char *reason = read_root(root->text, root->passphrase, &files->root);
	return reason ? reason
		      : read_root(root->before_text, root->passphrase, &files->root_before);
}

/* A keyring that nobody has written to yet has no check; every root is right then. */
static bool is_right_root(const struct keyring_files *files)
{
	unsigned char nothing[1];
	enum err e = files->root ? load(files, KEYRING_CHECK, nothing, 0) : OK;
	return e == OK || e == ERR_NOT_FOUND;
}

const char *keyring_files_open(
	struct keyring_files *files, const char *directory, const struct keyring_root *root)
{
	*files = (struct keyring_files){ .directory = -1, .kms = root->kms };
	const char *reason = read_roots(files, root);
	if (reason)
		return reason;
	if (files->kms && (kms_check(files->kms) != OK || http_client_start() != OK))
		return "the key management service cannot be used";
	files->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->directory < 0)
		return "the directory cannot be opened";
	return is_right_root(files) ? NULL : "the directory was made with another root key";
}

void keyring_files_close(struct keyring_files *files)
{
	if (files->directory >= 0)
		close(files->directory);
	crypto_secret_free(files->root);
	crypto_secret_free(files->root_before);
}
