/*
 * A range of an archive, put together from its pieces (export.h has the layout). Every window is
 * found anew from the rows, so that any instance can answer any window, and the bytes are the same
 * however often they are read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learning_proto.h"
#include "libcommon/db.h"
#include "libcommon/manifest.h"
#include "libcommon/personal.h"
#include "services/learning/export.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"
#include "services/learning/media_store.h"

#define WINDOW_MAX (1024 * 1024) /* of an answer; the gateway asks for no more */

static const struct problem NOT_READY = { ERR_CONFLICT, 409, "export_not_ready",
	"書き出しはまだ終わっていません。", "The export is not ready yet." };
static const struct problem OUTDATED = { ERR_NOT_FOUND, 410, "export_outdated",
	"書き出したあとに削除されたデータが含まれているため、取得できません。もう一度書き出してくだ"
	"さい。",
	"It holds what has been erased or deleted since. Make the export anew." };

static const char ARCHIVE_GET[] = "SELECT state, stored_size, " SEALED(
	"id", "sealed_key") ", manifest, files_size, size,"
			    " videos_bytes, videos_lines, extract(epoch FROM requested_at)::bigint"
			    " FROM learning.export WHERE id = $1::uuid";

static const char SECTIONS[] =
	"SELECT s.name, s.size, s.stored_offset, s.sha256 FROM learning.export_section s"
	" WHERE s.export_id = $1::uuid ORDER BY s.number";

/* The entries that lie in $2..$3, and the one that began before. */
static const char VIDEOS[] = "SELECT v.media_id, v.size, v.begins, " SEALED(
	"m.id", "m.sealed_key") " FROM learning.export_video v LEFT JOIN learning.media m"
				" ON m.tenant_id = v.tenant_id AND m.id = v.media_id"
				" WHERE v.export_id = $1::uuid AND v.begins < $3::bigint"
				" AND v.begins >= coalesce((SELECT max(b.begins)"
				"  FROM learning.export_video b WHERE b.export_id = $1::uuid"
				"  AND b.begins <= $2::bigint), 0) ORDER BY v.begins";
static const char FIRST_LINE[] =
	"SELECT coalesce(max(v.line_begins), 0) FROM learning.export_video v"
	" WHERE v.export_id = $1::uuid AND v.line_begins <= $2::bigint";
static const char LINES[] = "SELECT v.media_id, v.size, v.sha256 FROM learning.export_video v"
			    " WHERE v.export_id = $1::uuid AND v.line_begins >= $2::bigint"
			    " AND v.line_begins < $3::bigint ORDER BY v.line_begins";

struct section_row {
	const char *name, *sha256;
	int64_t size, offset;
};

struct archive {
	const char *id, *state, *sealed_key, *manifest;
	int64_t stored_size, files_size, size, videos_bytes, videos_lines, mtime_s;
	struct section_row sections[EXPORT_SECTIONS];
	size_t sections_n;
	/* The window of the archive that is asked for, and where the next piece begins. */
	int64_t from, until, at;
	unsigned char *data;
};

/* ---- rows ---- */

static int64_t number_of(const char *text)
{
	return text ? strtoll(text, NULL, 10) : 0;
}

static const char *keep(struct call *c, const char *text)
{
	return text ? arena_strdup(c->arena, text) : NULL;
}

static enum err on_archive(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct archive *archive = arg;
	archive->state = keep(c, columns[0]);
	archive->stored_size = number_of(columns[1]);
	archive->sealed_key = keep(c, columns[2]);
	archive->manifest = keep(c, columns[3]);
	archive->files_size = number_of(columns[4]);
	archive->size = number_of(columns[5]);
	archive->videos_bytes = number_of(columns[6]);
	archive->videos_lines = number_of(columns[7]);
	archive->mtime_s = number_of(columns[8]);
	return OK;
}

static enum err on_section(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct archive *archive = arg;
	if (archive->sections_n == EXPORT_SECTIONS)
		return fail(c, ERR_INTERNAL, "an export has too many sections");
	archive->sections[archive->sections_n++] = (struct section_row){
		.name = keep(c, columns[0]),
		.size = number_of(columns[1]),
		.offset = number_of(columns[2]),
		.sha256 = keep(c, columns[3]),
	};
	return OK;
}

static enum err load(struct call *c, struct archive *archive)
{
	enum err e = db_each(c, ARCHIVE_GET, DB_ARGS(archive->id), on_archive, archive);
	if (e)
		return e;
	if (!archive->state)
		return fail(c, ERR_NOT_FOUND, "export");
	if (strcmp(archive->state, "ready") != 0)
		return fail_as(c, strcmp(archive->state, "invalid") == 0 ? &OUTDATED : &NOT_READY);
	return db_each(c, SECTIONS, DB_ARGS(archive->id), on_section, archive);
}

/* ---- pieces ---- */

/* What of the next n bytes is asked for: from `skip` on, `take` of them, into `to`. */
struct overlap {
	int64_t skip, take;
	unsigned char *to;
};

static struct overlap next_piece(struct archive *archive, int64_t n)
{
	int64_t begin = archive->from - archive->at, end = archive->until - archive->at;
	begin = begin < 0 ? 0 : begin;
	end = end > n ? n : end;
	const struct overlap overlap = { .skip = begin,
		.take = end > begin ? end - begin : 0,
		.to = end > begin ? archive->data + (archive->at + begin - archive->from) : NULL };
	archive->at += n;
	return overlap;
}

static void put(struct archive *archive, const void *bytes, int64_t n)
{
	const struct overlap piece = next_piece(archive, n);
	if (piece.take)
		memcpy(piece.to, (const char *)bytes + piece.skip, (size_t)piece.take);
}

/* The window is zero already. */
static void put_zeroes(struct archive *archive, int64_t n)
{
	(void)next_piece(archive, n);
}

static int64_t padding_of(int64_t size)
{
	return tar_padded(size) - size;
}

static void put_header(struct archive *archive, const char *name, int64_t size)
{
	unsigned char header[TAR_BLOCK];
	struct tar_entry entry = { .size = size };
	(void)snprintf(entry.name, sizeof(entry.name), "%s", name);
	tar_write(&entry, archive->mtime_s, header);
	put(archive, header, TAR_BLOCK);
}

/* Bytes that lie in a file of the store: `whole` is all of them. */
struct stored {
	const char *media_id, *sealed_key;
	struct media_range whole;
};

static enum err put_stored(struct call *c, struct archive *archive, const struct stored *stored)
{
	struct bytes bytes;
	struct media_name name = { .tenant_id = c->actor->tenant_id, .media_id = stored->media_id };
	const struct overlap piece = next_piece(archive, stored->whole.length);
	if (!piece.take)
		return OK;
	const struct media_range range = { .size = stored->whole.size,
		.offset = stored->whole.offset + piece.skip,
		.length = piece.take };
	enum err e = stored->sealed_key
		? media_key_open(c, &media_key_kind, stored->sealed_key, &name.key)
		: ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND)
		return fail_as(c, &OUTDATED);
	if (!e)
		e = media_store_read(c, learning_media, &name, &range, &bytes);
	if (!e)
		memcpy(piece.to, bytes.data, bytes.n);
	return e;
}

/* ---- entries ---- */

static void put_line(
	struct call *c, struct archive *archive, const struct section_row *row, const char *name)
{
	const char *line = export_line(c, row->sha256, row->size, name);
	put(archive, line, (int64_t)strlen(line));
}

static enum err on_line(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct section_row row = { .size = number_of(columns[1]), .sha256 = columns[2] };
	put_line(c, arg, &row, export_video_name(c, columns[0]));
	return OK;
}

/* Those that lie before the window are passed over unread. */
static enum err put_video_lines(struct call *c, struct archive *archive)
{
	const char *first;
	const int64_t begin = archive->at, from = archive->from - begin,
		      until = archive->until - begin;
	if (until <= 0 || from >= archive->videos_lines)
		return OK;
	enum err e = db_text(c, FIRST_LINE, DB_ARGS(archive->id, db_integer(c, from)), &first);
	if (e)
		return e;
	archive->at += number_of(first);
	return db_each(
		c, LINES, DB_ARGS(archive->id, first, db_integer(c, until)), on_line, archive);
}

static enum err put_files(struct call *c, struct archive *archive)
{
	put_header(archive, MANIFEST_FILES, archive->files_size);
	const int64_t end = archive->at + archive->files_size;
	for (size_t i = 0; i < archive->sections_n; i++)
		put_line(c, archive, &archive->sections[i], archive->sections[i].name);
	enum err e = put_video_lines(c, archive);
	archive->at = end - 1;
	put(archive, "\n", 1);
	put_zeroes(archive, padding_of(archive->files_size));
	return e;
}

static enum err put_section(
	struct call *c, struct archive *archive, const struct section_row *section)
{
	const struct stored stored = { archive->id, archive->sealed_key,
		{ archive->stored_size, section->offset, section->size } };
	put_header(archive, section->name, section->size);
	enum err e = put_stored(c, archive, &stored);
	put_zeroes(archive, padding_of(section->size));
	return e;
}

struct videos {
	struct archive *archive;
	int64_t begin; /* of all videos, in the archive */
};

static enum err on_video(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct videos *videos = arg;
	struct archive *archive = videos->archive;
	const int64_t size = number_of(columns[1]);
	const struct stored stored = { columns[0], columns[3], { size, 0, size } };
	archive->at = videos->begin + number_of(columns[2]);
	put_header(archive, export_video_name(c, columns[0]), size);
	return put_stored(c, archive, &stored);
}

static enum err put_videos(struct call *c, struct archive *archive)
{
	struct videos videos = { archive, archive->at };
	const int64_t end = archive->at + archive->videos_bytes;
	const int64_t from = archive->from - archive->at, until = archive->until - archive->at;
	enum err e = OK;
	if (until > 0 && from < archive->videos_bytes)
		e = db_each(c, VIDEOS,
			DB_ARGS(archive->id, db_integer(c, from), db_integer(c, until)), on_video,
			&videos);
	archive->at = end;
	return e;
}

static enum err put_all(struct call *c, struct archive *archive)
{
	const int64_t manifest_size = (int64_t)strlen(archive->manifest);
	put_header(archive, MANIFEST_NAME, manifest_size);
	put(archive, archive->manifest, manifest_size);
	put_zeroes(archive, padding_of(manifest_size));
	enum err e = put_files(c, archive);
	for (size_t i = 0; i < archive->sections_n && !e; i++)
		e = put_section(c, archive, &archive->sections[i]);
	return e ? e : put_videos(c, archive);
}

enum err learning_export_archive(struct call *c, const struct learning_export_archive_in *in,
	struct learning_export_archive_out *out)
{
	struct archive archive = { .id = in->export_id };
	enum err e = load(c, &archive);
	if (e)
		return e;
	c->total_bytes = archive.size;
	out->etag = arena_printf(c->arena, "\"%s\"", in->export_id);
	if (c->window.offset >= archive.size || c->window.length <= 0)
		return OK;
	int64_t n = archive.size - c->window.offset;
	n = n < c->window.length ? n : c->window.length;
	n = n < WINDOW_MAX ? n : WINDOW_MAX;
	archive.from = c->window.offset;
	archive.until = archive.from + n;
	archive.data = arena_alloc(c->arena, (size_t)n);
	e = put_all(c, &archive);
	out->body = (struct bytes){ archive.data, (size_t)n };
	return e;
}
