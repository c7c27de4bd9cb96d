/*
 * Videos as encrypted files in a local directory: <directory>/<tenant>/<2 hex>/<media id>.
 *
 * Format 1. The plain bytes are cut into chunks of 64 KiB, the last one shorter; chunk i lies,
 * sealed (crypto_seal) under the video's own key (media_key.h), at i × (64 KiB + 40). The
 * associated data names format, tenant, video, key, chunk index, whether it is the last chunk, and
 * for the last one the size of the whole video: a chunk cannot be moved, exchanged between videos
 * or tenants, and a video cannot be cut short or made longer, without the read being refused. It is
 * `manabiya media 1 <tenant> <media id> <hex of the derived key "media key id">` and behind a space
 * `chunk <i> 0`, `last <i> <size>`, or of a side file (below) `tail <its chunk> <offset>`.
 *
 * An upload grows by parts. Whole chunks go into the file; the bytes behind the last whole chunk
 * go, sealed, into a side file `<media id>.tail.<offset>`, where offset is the number of bytes that
 * the upload then has. The database says which offset is acknowledged; bytes below it are never
 * written over: the next part reads the tail named by it and writes new chunks and a new tail. What
 * a crash leaves behind beyond the acknowledged offset is overwritten or removed by the next part.
 *
 * fsync: every part is durable (chunks, tail, and their directory) when media_store_append()
 * returns, so the caller may commit the new offset. Removals are not synced: one that is lost
 * leaves a file that media_folder_sweep() finds.
 *
 * Any number of threads; each part of one upload under its lock.
 */
#ifndef MANABIYA_MEDIA_STORE_H
#define MANABIYA_MEDIA_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/algorithms.h" /* MEDIA_CHUNK_SIZE */
#include "libcommon/buf.h"
#include "libcommon/err.h"

struct call;
struct media_store;

/* NULL with a logged reason when the directory cannot be used. */
struct media_store *media_store_open(const char *directory);
void media_store_close(struct media_store *store);

/* For media_folder.h. */
int media_store_directory(const struct media_store *store);

/* Which video; both are UUIDs in canonical form. */
struct media_name {
	const char *tenant_id;
	const char *media_id;
	const unsigned char *key; /* KEY_SIZE; only for what seals or opens: append, head, read */
};

/* An empty upload, so that it can be locked and found by the sweep. */
must_check enum err media_store_create(
	struct call *c, struct media_store *store, const struct media_name *name);

/*
 * One process, one thread at a time adds to an upload. Taken before the acknowledged offset is read
 * from the database: a writer that lost its database session in the middle can then never write
 * beneath its successor. Held by another: ERR_CONFLICT. Declare as `auto_media_lock lock = -1;`.
 */
must_check enum err media_store_lock(
	struct call *c, struct media_store *store, const struct media_name *name, int *lock);
void media_lock_release(int *lock);
#define auto_media_lock __attribute__((cleanup(media_lock_release))) int

/* A part of an upload: `data` follows the `offset` bytes that are acknowledged. */
struct media_part {
	int64_t offset;
	int64_t size; /* of the whole video */
	struct bytes data;
};

/* Durable when it returns. The caller holds the lock. A full disk is ERR_UNAVAILABLE. */
must_check enum err media_store_append(struct call *c, struct media_store *store,
	const struct media_name *name, const struct media_part *part);

/* Up to `n` of the acknowledged bytes of an upload that is not complete, from its beginning; only
 * while it is shorter than one chunk. For a look at what it is. */
must_check enum err media_store_head(struct call *c, struct media_store *store,
	const struct media_name *name, int64_t offset, struct bytes *out);

/* Bytes offset..offset+length of a complete video of `size` bytes, shorter at its end; in the
 * arena. ERR_INTERNAL and why when the file is not what was written. */
struct media_range {
	int64_t size;
	int64_t offset;
	int64_t length;
};
must_check enum err media_store_read(struct call *c, struct media_store *store,
	const struct media_name *name, const struct media_range *range, struct bytes *out);

/* The file and its tails; one that is not there is removed already. */
must_check enum err media_store_remove(
	struct call *c, struct media_store *store, const struct media_name *name);

#endif
