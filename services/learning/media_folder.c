/* Walking the media store's directory; media_store.h says what lies there. Opens no file. */
#include "services/learning/media_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/uuid.h"

static void close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}
#define auto_folder __attribute__((cleanup(close_folder))) DIR *

const char *media_folder_of(struct call *c, const struct media_name *name)
{
	/* UUIDv7 begins with the time: only its end spreads. */
	return arena_printf(c->arena, "%s/%s", name->tenant_id, name->media_id + UUID_SIZE - 3);
}

static enum err fail_system(struct call *c, const char *what)
{
	return fail(c, ERR_UNAVAILABLE, "media folder: %s: %s", what, strerrordesc_np(errno));
}

/* Read a file's name: the video and, for a tail, its offset. */
static bool read_name(const char *name, char media_id[UUID_SIZE], int64_t *tail_offset)
{
	size_t n = strlen(name), mark = strlen(MEDIA_TAIL_MARK);
	*tail_offset = -1;
	if (n < UUID_SIZE - 1)
		return false;
	memcpy(media_id, name, UUID_SIZE - 1);
	media_id[UUID_SIZE - 1] = '\0';
	if (!is_uuid(media_id))
		return false;
	if (n == UUID_SIZE - 1)
		return true;
	const char *rest = name + UUID_SIZE - 1;
	if (strncmp(rest, MEDIA_TAIL_MARK, mark) != 0 || rest[mark] < '0' || rest[mark] > '9')
		return false;
	char *end;
	errno = 0;
	*tail_offset = strtoll(rest + mark, &end, 10);
	return errno == 0 && *end == '\0';
}

static DIR *open_folder(int directory, const char *folder)
{
	int fd = openat(directory, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream && fd >= 0)
		(void)close(fd);
	return stream;
}

/* Remove the tails of a video but the one at `keep`. */
enum err media_folder_drop_tails(
	struct call *c, int directory, const struct media_name *name, int64_t keep)
{
	auto_folder folder = open_folder(directory, media_folder_of(c, name));
	if (!folder)
		return errno == ENOENT ? OK : fail_system(c, "open folder");
	for (struct dirent *entry; (entry = readdir(folder));) {
		char id[UUID_SIZE];
		int64_t offset;
		if (!read_name(entry->d_name, id, &offset) || strcmp(id, name->media_id) != 0 ||
			offset < 0 || offset == keep)
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) && errno != ENOENT)
			return fail_system(c, "remove tail");
	}
	return OK;
}

enum err media_folder_next_tenant(
	struct call *c, int directory, const char *after, const char **tenant_id)
{
	auto_folder top = open_folder(directory, ".");
	if (!top)
		return fail_system(c, "open directory");
	*tenant_id = NULL;
	for (struct dirent *entry; (entry = readdir(top));) {
		if (!is_uuid(entry->d_name) || strcmp(entry->d_name, after) <= 0)
			continue;
		if (!*tenant_id || strcmp(entry->d_name, *tenant_id) < 0)
			*tenant_id = arena_strdup(c->arena, entry->d_name);
	}
	return OK;
}

/* How many files are asked about at once: bounds the memory of a sweep, whatever lies in a folder.
 */
#define SWEEP_MAX 1024

struct sweep {
	size_t n;
	struct media_file files[SWEEP_MAX];
	const char *names[SWEEP_MAX];
	bool wanted[SWEEP_MAX];
};

static void collect_old(struct call *c, DIR *folder, int64_t before_unix_s, struct sweep *sweep)
{
	for (struct dirent *entry; sweep->n < SWEEP_MAX && (entry = readdir(folder));) {
		char id[UUID_SIZE];
		struct media_file *file = &sweep->files[sweep->n];
		struct stat status;
		if (!read_name(entry->d_name, id, &file->tail_offset) ||
			fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) ||
			status.st_mtime >= before_unix_s)
			continue;
		file->media_id = arena_strdup(c->arena, id);
		sweep->names[sweep->n++] = arena_strdup(c->arena, entry->d_name);
	}
}

static enum err sweep_batch(
	struct call *c, DIR *folder, struct sweep *sweep, media_are_wanted *are_wanted)
{
	memset(sweep->wanted, 0, sizeof(sweep->wanted));
	enum err e = are_wanted(c, sweep->files, sweep->n, sweep->wanted);
	for (size_t i = 0; !e && i < sweep->n; i++)
		if (!sweep->wanted[i] && unlinkat(dirfd(folder), sweep->names[i], 0))
			e = fail_system(c, "remove");
	return e;
}

static enum err sweep_folder(
	struct call *c, DIR *folder, int64_t before_unix_s, media_are_wanted *are_wanted)
{
	struct sweep *sweep = arena_alloc(c->arena, sizeof(*sweep));
	enum err e = OK;
	do {
		sweep->n = 0;
		collect_old(c, folder, before_unix_s, sweep);
		if (sweep->n)
			e = sweep_batch(c, folder, sweep, are_wanted);
	} while (!e && sweep->n == SWEEP_MAX);
	return e;
}

enum err media_folder_sweep(struct call *c, int directory, const char *tenant_id,
	int64_t before_unix_s, media_are_wanted *are_wanted)
{
	for (unsigned i = 0; i < 256; i++) {
		auto_folder folder =
			open_folder(directory, arena_printf(c->arena, "%s/%02x", tenant_id, i));
		if (!folder && errno == ENOENT)
			continue;
		if (!folder)
			return fail_system(c, "open folder");
		enum err e = sweep_folder(c, folder, before_unix_s, are_wanted);
		if (e)
			return e;
	}
	return OK;
}

/* ---- the end of a tenant ---- */

static enum err empty_folder(struct call *c, DIR *folder, int64_t most, int64_t *n)
{
	for (struct dirent *entry; *n < most && (entry = readdir(folder));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) && errno != ENOENT)
			return fail_system(c, "remove");
		++*n;
	}
	return OK;
}

static enum err remove_folder(struct call *c, int directory, const char *path)
{
	if (unlinkat(directory, path, AT_REMOVEDIR) && errno != ENOENT)
		return fail_system(c, "remove folder");
	return OK;
}

static enum err remove_part(
	struct call *c, int directory, const char *path, int64_t most, int64_t *n)
{
	auto_folder folder = open_folder(directory, path);
	if (!folder)
		return errno == ENOENT ? OK : fail_system(c, "open folder");
	enum err e = empty_folder(c, folder, most, n);
	return e || *n == most ? e : remove_folder(c, directory, path);
}

enum err media_folder_empty(
	struct call *c, int directory, const char *tenant_id, int64_t most, int64_t *n)
{
	enum err e = OK;
	*n = 0;
	for (unsigned i = 0; i < 256 && !e && *n < most; i++)
		e = remove_part(
			c, directory, arena_printf(c->arena, "%s/%02x", tenant_id, i), most, n);
	if (e || *n == most)
		return e;
	e = remove_folder(c, directory, tenant_id);
	return e || fsync(directory) == 0 ? e : fail_system(c, "sync directory");
}
