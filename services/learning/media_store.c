/*
 * The media store in a local directory; the header states the format and what a crash may leave.
 * Nothing here asks who may see a video, and nothing plain is ever written to the disk.
 */
#include "services/learning/media_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/crypto.h"
#include "libcommon/log.h"
#include "libcommon/uuid.h"
#include "services/learning/media_folder.h"

#define SEALED_CHUNK_SIZE (MEDIA_CHUNK_SIZE + SEAL_OVERHEAD)

struct media_store {
	int directory; /* everything is opened beneath it */
};

/* One video while it is worked on. */
struct video {
	struct call *c;
	const struct media_store *store;
	const struct media_name *name;
	const char *folder; /* <tenant>/<2 hex> */
	const char *key_id; /* a seal does not commit to its key: the associated data names it */
};

/* What the associated data says about a chunk or a tail. */
struct slot {
	const char *kind;
	int64_t index;
	int64_t total; /* last chunk: size of the video; tail: bytes of the upload; else 0 */
};

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define auto_descriptor __attribute__((cleanup(close_descriptor))) int

/* The system refused: a full or broken disk is somebody's work to mend, and may pass. */
static enum err fail_system(struct call *c, const char *what)
{
	return fail(c, ERR_UNAVAILABLE, "media store: %s: %s", what, strerrordesc_np(errno));
}

static const char *path_of(struct call *c, const struct media_name *name)
{
	return arena_printf(c->arena, "%s/%s", media_folder_of(c, name), name->media_id);
}

static const char *tail_path(struct call *c, const struct media_name *name, int64_t offset)
{
	return arena_printf(c->arena, "%s" MEDIA_TAIL_MARK "%" PRId64, path_of(c, name), offset);
}

static struct video video_of(
	struct call *c, const struct media_store *store, const struct media_name *name)
{
	unsigned char id[KEY_SIZE];
	crypto_derive(name->key, "media key id", id);
	return (struct video){ .c = c,
		.store = store,
		.name = name,
		.folder = media_folder_of(c, name),
		.key_id = crypto_hex(c->arena, id, sizeof(id)) };
}

static struct bytes associated_of(const struct video *video, const struct slot *slot)
{
	const char *text = arena_printf(video->c->arena,
		"manabiya media 1 %s %s %s %s %" PRId64 " %" PRId64, video->name->tenant_id,
		video->name->media_id, video->key_id, slot->kind, slot->index, slot->total);
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

static bool write_all(int fd, const unsigned char *data, size_t n, int64_t offset)
{
	while (n > 0) {
		ssize_t written = pwrite(fd, data, n, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		data += written;
		n -= (size_t)written;
		offset += written;
	}
	return true;
}

/* False also at the end of the file, with errno 0. */
static bool read_all(int fd, unsigned char *data, size_t n, int64_t offset)
{
	while (n > 0) {
		ssize_t got = pread(fd, data, n, offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got == 0 ? 0 : errno;
			return false;
		}
		data += got;
		n -= (size_t)got;
		offset += got;
	}
	return true;
}

/* ---- opening and closing ---- */

struct media_store *media_store_open(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS)) {
		log_error("media directory: %s", strerrordesc_np(errno));
		close_descriptor(&fd);
		return NULL;
	}
	struct media_store *store = calloc(1, sizeof(*store));
	if (!store)
		abort();
	*store = (struct media_store){ .directory = fd };
	return store;
}

void media_store_close(struct media_store *store)
{
	if (!store)
		return;
	close_descriptor(&store->directory);
	free(store);
}

int media_store_directory(const struct media_store *store)
{
	return store->directory;
}

static int sync_folder(const struct media_store *store, const char *folder)
{
	auto_descriptor fd = openat(store->directory, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

/* The new name is synced with its parent's: a file is no use in a folder that a crash took away. */
static enum err make_folder(
	struct call *c, struct media_store *store, const char *folder, const char *parent)
{
	if (mkdirat(store->directory, folder, 0700) == 0)
		return sync_folder(store, parent) ? fail_system(c, "sync folder") : OK;
	return errno == EEXIST ? OK : fail_system(c, "make folder");
}

enum err media_store_create(
	struct call *c, struct media_store *store, const struct media_name *name)
{
	const char *folder = media_folder_of(c, name);
	enum err e = make_folder(c, store, name->tenant_id, ".");
	if (!e)
		e = make_folder(c, store, folder, name->tenant_id);
	if (e)
		return e;
	auto_descriptor fd = openat(store->directory, path_of(c, name),
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_system(c, "create");
	return sync_folder(store, folder) ? fail_system(c, "sync folder") : OK;
}

enum err media_store_lock(
	struct call *c, struct media_store *store, const struct media_name *name, int *lock)
{
	*lock = openat(store->directory, path_of(c, name), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (*lock < 0)
		return fail_system(c, "open for writing");
	if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
		return OK;
	if (errno != EWOULDBLOCK)
		return fail_system(c, "lock");
	return fail(c, ERR_CONFLICT, "the upload is being written");
}

void media_lock_release(int *lock)
{
	close_descriptor(lock);
}

/* ---- tails ---- */

static int64_t into_chunk(int64_t offset)
{
	return offset % MEDIA_CHUNK_SIZE;
}

static struct slot tail_slot(int64_t offset)
{
	return (struct slot){ .kind = "tail", .index = offset / MEDIA_CHUNK_SIZE, .total = offset };
}

/* The acknowledged bytes behind the last whole chunk, into `out`. */
static enum err read_tail(const struct video *video, int64_t offset, unsigned char *out)
{
	struct call *c = video->c;
	size_t n = (size_t)into_chunk(offset);
	if (n == 0)
		return OK;
	auto_descriptor fd = openat(video->store->directory, tail_path(c, video->name, offset),
		O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(c, ERR_INTERNAL, "upload %s: its tail at %" PRId64 " is missing: %s",
			video->name->media_id, offset, strerrordesc_np(errno));
	unsigned char *sealed = arena_alloc(c->arena, n + SEAL_OVERHEAD);
	struct slot slot = tail_slot(offset);
	if (!read_all(fd, sealed, n + SEAL_OVERHEAD, 0) ||
		crypto_open(video->name->key, associated_of(video, &slot), sealed,
			n + SEAL_OVERHEAD, out))
		return fail(c, ERR_INTERNAL, "upload %s: its tail at %" PRId64 " was changed",
			video->name->media_id, offset);
	return OK;
}

/* A file of that name can only be the leaving of a crash: the offset was never acknowledged. */
static enum err write_tail(
	const struct video *video, int64_t offset, const unsigned char *plain, size_t n)
{
	struct call *c = video->c;
	auto_descriptor fd = openat(video->store->directory, tail_path(c, video->name, offset),
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_system(c, "create tail");
	unsigned char *sealed = arena_alloc(c->arena, n + SEAL_OVERHEAD);
	struct slot slot = tail_slot(offset);
	crypto_seal(video->name->key, associated_of(video, &slot), plain, n, sealed);
	if (!write_all(fd, sealed, n + SEAL_OVERHEAD, 0) || fdatasync(fd))
		return fail_system(c, "write tail");
	return sync_folder(video->store, video->folder) ? fail_system(c, "sync folder") : OK;
}

/* ---- chunks ---- */

static int64_t last_chunk(int64_t size)
{
	return (size - 1) / MEDIA_CHUNK_SIZE;
}

static struct slot chunk_slot(int64_t index, int64_t size)
{
	bool is_last = index == last_chunk(size);
	return (struct slot){
		.kind = is_last ? "last" : "chunk", .index = index, .total = is_last ? size : 0
	};
}

static int64_t sealed_size(int64_t size)
{
	return size + (last_chunk(size) + 1) * SEAL_OVERHEAD;
}

/* Seal `plain` (whole chunks, or all that is left of the video) as chunks from `index` on. */
static enum err write_chunks(
	const struct video *video, int64_t index, int64_t size, const struct bytes *plain)
{
	struct call *c = video->c;
	auto_descriptor fd = openat(video->store->directory, path_of(c, video->name),
		O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_system(c, "open for writing");
	unsigned char *sealed = arena_alloc(c->arena, SEALED_CHUNK_SIZE);
	for (size_t done = 0; done < plain->n; index++) {
		size_t n = plain->n - done < MEDIA_CHUNK_SIZE ? plain->n - done : MEDIA_CHUNK_SIZE;
		struct slot slot = chunk_slot(index, size);
		crypto_seal(video->name->key, associated_of(video, &slot), plain->data + done, n,
			sealed);
		if (!write_all(fd, sealed, n + SEAL_OVERHEAD, index * SEALED_CHUNK_SIZE))
			return fail_system(c, "write");
		done += n;
	}
	return fdatasync(fd) ? fail_system(c, "sync") : OK;
}

/* What the part adds to, and the part behind it; a part that begins with a chunk is not copied. */
static enum err join(const struct video *video, const struct media_part *part, struct bytes *out)
{
	size_t before = (size_t)into_chunk(part->offset);
	*out = part->data;
	if (!before)
		return OK;
	unsigned char *plain = arena_alloc(video->c->arena, before + part->data.n);
	enum err e = read_tail(video, part->offset, plain);
	if (!e && part->data.n)
		memcpy(plain + before, part->data.data, part->data.n);
	*out = (struct bytes){ plain, before + part->data.n };
	return e;
}

enum err media_store_append(struct call *c, struct media_store *store,
	const struct media_name *name, const struct media_part *part)
{
	const struct video video = video_of(c, store, name);
	struct bytes joined;
	enum err e = join(&video, part, &joined);
	if (!e && into_chunk(part->offset))
		e = media_folder_drop_tails(c, store->directory, name, part->offset);
	if (e)
		return e;
	size_t n = joined.n;
	int64_t end = part->offset + (int64_t)part->data.n;
	struct bytes whole = { joined.data, end == part->size ? n : n - n % MEDIA_CHUNK_SIZE };
	if (whole.n)
		e = write_chunks(&video, part->offset / MEDIA_CHUNK_SIZE, part->size, &whole);
	if (!e && whole.n < n && part->data.n)
		e = write_tail(&video, end, joined.data + whole.n, n - whole.n);
	return e;
}

enum err media_store_head(struct call *c, struct media_store *store, const struct media_name *name,
	int64_t offset, struct bytes *out)
{
	const struct video video = video_of(c, store, name);
	unsigned char *plain = arena_alloc(c->arena, MEDIA_CHUNK_SIZE);
	*out = (struct bytes){ plain, (size_t)into_chunk(offset) };
	return read_tail(&video, offset, plain);
}

/* ---- reading ---- */

static enum err open_complete(const struct video *video, int64_t size, int *fd)
{
	struct call *c = video->c;
	struct stat status;
	*fd = openat(video->store->directory, path_of(c, video->name),
		O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0 && errno != ENOENT)
		return fail_system(c, "open");
	if (*fd < 0)
		return fail(
			c, ERR_INTERNAL, "video %s: its file is missing", video->name->media_id);
	if (fstat(*fd, &status))
		return fail_system(c, "stat");
	if (status.st_size != sealed_size(size))
		return fail(c, ERR_INTERNAL,
			"video %s: its file was cut or made longer: %" PRId64
			" bytes where %" PRId64 " were written",
			video->name->media_id, (int64_t)status.st_size, sealed_size(size));
	return OK;
}

struct reading {
	int fd;
	int64_t size; /* of the video */
	unsigned char *sealed; /* room for one chunk */
};

static enum err read_chunk(const struct video *video, const struct reading *reading, int64_t index,
	unsigned char *plain)
{
	struct call *c = video->c;
	int64_t left = reading->size - index * MEDIA_CHUNK_SIZE;
	size_t n = (size_t)(left < MEDIA_CHUNK_SIZE ? left : MEDIA_CHUNK_SIZE) + SEAL_OVERHEAD;
	struct slot slot = chunk_slot(index, reading->size);
	if (!read_all(reading->fd, reading->sealed, n, index * SEALED_CHUNK_SIZE))
		return fail_system(c, "read");
	if (crypto_open(video->name->key, associated_of(video, &slot), reading->sealed, n, plain))
		return fail(c, ERR_INTERNAL,
			"video %s: chunk %" PRId64 " was changed, moved or is of another video",
			video->name->media_id, index);
	return OK;
}

/* Chunks are opened side by side where the answer points to: nothing is copied. */
enum err media_store_read(struct call *c, struct media_store *store, const struct media_name *name,
	const struct media_range *range, struct bytes *out)
{
	auto_descriptor fd = -1;
	const struct video video = video_of(c, store, name);
	int64_t left = range->size - range->offset;
	int64_t n = range->length < left ? range->length : left;
	*out = (struct bytes){ NULL, 0 };
	enum err e = open_complete(&video, range->size, &fd);
	if (e || n <= 0)
		return e;
	int64_t first = range->offset / MEDIA_CHUNK_SIZE;
	int64_t last = (range->offset + n - 1) / MEDIA_CHUNK_SIZE;
	struct reading reading = { fd, range->size, arena_alloc(c->arena, SEALED_CHUNK_SIZE) };
	unsigned char *plain = arena_array(c->arena, (size_t)(last - first + 1), MEDIA_CHUNK_SIZE);
	for (int64_t i = first; i <= last && !e; i++)
		e = read_chunk(&video, &reading, i, plain + (i - first) * MEDIA_CHUNK_SIZE);
	if (!e)
		*out = (struct bytes){ plain + into_chunk(range->offset), (size_t)n };
	return e;
}

/* ---- removing ---- */

enum err media_store_remove(
	struct call *c, struct media_store *store, const struct media_name *name)
{
	if (unlinkat(store->directory, path_of(c, name), 0) && errno != ENOENT)
		return fail_system(c, "remove");
	return media_folder_drop_tails(c, store->directory, name, -1);
}
