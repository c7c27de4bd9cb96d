/*
 * A video of an archive into the media store, as an upload of its own whose bytes lie here already:
 * the row says how much is durable, so that a crash loses one part at most.
 */
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/db.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"
#include "services/learning/upload.h"

#define PART_BYTES (1024 * 1024)

static const char VIDEO_LOCK[] = "SELECT m.size, m.received, m.content_type, " SEALED(
	"m.id", "m.sealed_key") " FROM learning.media m WHERE m.id = $1::uuid FOR UPDATE";

static const char VIDEO_MOVE[] =
	"UPDATE learning.media SET received = $2::bigint,"
	" completed_at = CASE WHEN $2::bigint = size THEN appended_at END WHERE id = $1::uuid";

static const char COUNT[] =
	"INSERT INTO learning.archive_count AS n (import_id, type, lines, written)"
	" VALUES ($1::uuid, 'video', 1, 1) ON CONFLICT (tenant_id, import_id, type)"
	" DO UPDATE SET lines = n.lines + 1, written = n.written + 1";

/* A part behind those that are durable. */
static enum err copy_part(struct call *c, const struct import *import,
	const struct media_name *name, struct upload *video)
{
	struct bytes data;
	int64_t left = video->size - video->received;
	enum err e = import_bytes(c, import, import->entry + TAR_BLOCK + video->received,
		left < PART_BYTES ? left : PART_BYTES, &data);
	if (e)
		return e;
	const struct media_part part = {
		.offset = video->received, .size = video->size, .data = data
	};
	e = upload_check(c, video, &part);
	if (!e)
		e = media_store_append(c, learning_media, name, &part);
	video->received += (int64_t)data.n;
	return e;
}

/* What a crash left of a file that no row has acknowledged goes first. */
static enum err begin_file(
	struct call *c, const struct media_name *name, const struct upload *video, int *lock)
{
	enum err e = OK;
	if (video->received == 0)
		e = media_store_remove(c, learning_media, name);
	if (!e && video->received == 0)
		e = media_store_create(c, learning_media, name);
	return e ? e : media_store_lock(c, learning_media, name, lock);
}

static enum err copy_some(struct call *c, const struct import *import,
	const struct media_name *name, struct upload *video)
{
	auto_media_lock lock = -1;
	enum err e = begin_file(c, name, video, &lock);
	for (int64_t budget = IMPORT_STEP_BYTES; !e && budget > 0 && video->received < video->size;
		budget -= PART_BYTES)
		e = copy_part(c, import, name, video);
	return e;
}

enum err import_media(
	struct call *c, struct import *import, const struct tar_entry *entry, const char *media_id)
{
	struct upload video = { 0 };
	struct media_name name = { .tenant_id = c->actor->tenant_id, .media_id = media_id };
	enum err e = upload_find(c, VIDEO_LOCK, DB_ARGS(media_id), &video);
	if (e == ERR_NOT_FOUND) { /* of a pupil who was deleted when the lines were written */
		import_next(import, entry);
		return OK;
	}
	if (!e && video.size != entry->size)
		e = fail(c, ERR_INTERNAL, "video %s is of another size", media_id);
	if (!e)
		e = media_key_open(c, &media_key_kind, video.sealed_key, &name.key);
	if (!e && video.received < video.size)
		e = copy_some(c, import, &name, &video);
	if (!e)
		e = db_exec(c, VIDEO_MOVE, DB_ARGS(media_id, db_integer(c, video.received)));
	if (e)
		return e;
	import->position = import->entry + TAR_BLOCK + video.received;
	if (video.received < video.size)
		return OK;
	import_next(import, entry);
	return db_exec(c, COUNT, DB_ARGS(import->id));
}
