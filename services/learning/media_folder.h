/*
 * The folders of the media store (media_store.h): which tenants and files there are, and removing
 * those that nobody wants. `directory` is media_store_directory(). Any thread.
 */
#ifndef MANABIYA_MEDIA_FOLDER_H
#define MANABIYA_MEDIA_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/learning/media_store.h"

/* <media id>.tail.<offset> */
#define MEDIA_TAIL_MARK ".tail."

/* <tenant>/<2 hex>, where the video lies. */
const char *media_folder_of(struct call *c, const struct media_name *name);

/* Remove the tails of a video but the one at `keep`; -1 keeps none. */
must_check enum err media_folder_drop_tails(
	struct call *c, int directory, const struct media_name *name, int64_t keep);

/* The first tenant after `after` (in the order of names) that has a directory; NULL for none. */
must_check enum err media_folder_next_tenant(
	struct call *c, int directory, const char *after, const char **tenant_id);

/* A file of the store: the video's own (tail_offset -1), or a tail. */
struct media_file {
	const char *media_id;
	int64_t tail_offset;
};

/* Which of these files are still wanted? `wanted` is all false. Asked for the files of one
 * directory that nobody touched since before_unix_s; those that stay false are removed. */
typedef enum err media_are_wanted(
	struct call *c, const struct media_file *files, size_t n, bool *wanted);
must_check enum err media_folder_sweep(struct call *c, int directory, const char *tenant_id,
	int64_t before_unix_s, media_are_wanted *are_wanted);

/* Remove up to `most` of a tenant's files, whatever their names, and in the end the folders; *n
 * says how many files went. All of it is durable once *n is less than `most`. */
must_check enum err media_folder_empty(
	struct call *c, int directory, const char *tenant_id, int64_t most, int64_t *n);

#endif
