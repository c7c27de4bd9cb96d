/*
 * Videos: uploads by tus 1.0 (creation, termination) and reading in ranges.
 *
 * The row says how much of an upload is acknowledged, the store (media_store.h) holds the bytes: a
 * part is durable before the row moves. Who may see a video is learning.visible_media().
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/media_folder.h"
#include "services/learning/media_key.h"
#include "services/learning/media_store.h"
#include "services/learning/upload.h"

#define TUS_MAX_SIZE "268435456" /* the maximum of Upload-Length in learning.yaml */

/* Uploads that one user may have begun and not finished: a class records one or two at a time, and
 * what is abandoned goes after a day. Bounds what an account can make us keep. */
#define UNFINISHED_MAX 20

/* What tells MP4, QuickTime and WebM apart lies within so many bytes of the beginning. */
#define SNIFF_SIZE 64

/* An upload that nobody went on with for so long, and a file that no row knows, are removed. */
#define ABANDONED_S (24 * 3600)

struct media_store *learning_media;

static const struct problem not_a_video = {
	.err = ERR_INVALID,
	.status = 422,
	.code = "not_a_video",
	.ja = "動画ではないか、使えない形式の動画です。",
	.en = "This is not a video, or one of a kind that cannot be used.",
};

static const struct problem too_many_uploads = {
	.err = ERR_LIMITED,
	.status = 429,
	.code = "too_many_uploads",
	.ja = "送信の途中の動画が多すぎます。",
	.en = "Too many uploads have been begun and not finished.",
};

static const struct problem media_in_use = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "media_in_use",
	.ja = "この動画は使われているため消せません。",
	.en = "The video is in use.",
};

static const char MEDIA_CREATE[] =
	"INSERT INTO learning.media (id, uploader_id, uploader_role, size, sealed_key)"
	" SELECT $3::uuid, $1::uuid, $2, $4::bigint, $6 WHERE (SELECT count(*) FROM learning.media "
	"m"
	"  WHERE m.uploader_id = $1::uuid AND m.completed_at IS NULL) < $5::integer";

#define UPLOAD_COLUMNS                                                                             \
	"SELECT m.size, m.received, m.content_type, " SEALED(                                      \
		"m.id", "m.sealed_key") " FROM learning.media m"                                   \
					" WHERE m.id = $1::uuid AND m.uploader_id = $2::uuid"

static const char UPLOAD_GET[] = UPLOAD_COLUMNS;
static const char UPLOAD_LOCK[] = UPLOAD_COLUMNS " FOR UPDATE";

static const char UPLOAD_MOVE[] =
	"UPDATE learning.media SET received = $2::bigint, content_type = $3, appended_at = now(),"
	" completed_at = CASE WHEN $2::bigint = size THEN now() END WHERE id = $1::uuid";

static const char MEDIA_USED[] =
	"SELECT EXISTS (SELECT FROM learning.try t WHERE t.media_id = $1::uuid) OR"
	" EXISTS (SELECT FROM learning.unit_skill us WHERE us.model_media_id = $1::uuid)";

static const char MEDIA_DELETE[] = "DELETE FROM learning.media WHERE id = $1::uuid";

static const char MEDIA_SEE[] = "SELECT m.size, 0, m.content_type, " SEALED("k.id",
	"k.sealed_key") ", CASE WHEN k.uploader_role = 'student' THEN k.uploader_id END"
			" FROM learning.visible_media($1::uuid, $2::text, $3::uuid) m"
			" JOIN learning.media k ON k.tenant_id = m.tenant_id AND k.id = m.id";

/* What the log calls it. */
static const struct op MEDIA_EXPIRE = { .name = "media_expire",
	.audit = { "entity_management.delete", 3004, 4 } };

/* Those of an archive wait until it has been read so far; when that never happens, what refers to
 * them keeps them. */
static const char ABANDONED_DELETE[] =
	"DELETE FROM learning.media m WHERE m.completed_at IS NULL"
	" AND m.appended_at < now() - make_interval(secs => $1::integer)"
	" AND NOT EXISTS (SELECT FROM learning.archive_import"
	"  WHERE state IN ('applying', 'stopped'))"
	" AND NOT EXISTS (SELECT FROM learning.try t WHERE t.media_id = m.id)"
	" AND NOT EXISTS (SELECT FROM learning.unit_skill s WHERE s.model_media_id = m.id)";

/* Which files do rows know: the video's or archive's own, and the tail at the acknowledged offset
 * of an upload; and those of exports. */
static const char MEDIA_KNOWN[] =
	"SELECT f.place - 1 FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY"
	" AS f (id, tail, place) JOIN (SELECT id, size, received FROM learning.media"
	" UNION ALL SELECT id, size, received FROM learning.archive_import) m ON m.id = f.id"
	" WHERE f.tail < 0 OR (m.received < m.size AND f.tail = m.received)"
	" UNION ALL SELECT f.place - 1 FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY"
	" AS f (id, tail, place) JOIN learning.export e ON e.id = f.id AND e.state <> 'invalid'"
	" WHERE f.tail < 0 OR (e.state = 'working' AND f.tail = e.stored_size)";

static struct media_name name_of(const struct call *c, const char *media_id)
{
	return (struct media_name){ .tenant_id = c->actor->tenant_id, .media_id = media_id };
}

/* ---- tus ---- */

enum err learning_media_options(struct call *c, struct learning_media_options_out *out)
{
	out->tus_resumable = TUS;
	out->tus_version = TUS;
	out->tus_extension = "creation,termination";
	out->tus_max_size = TUS_MAX_SIZE;
	return OK;
}

enum err learning_media_create(struct call *c, const struct learning_media_create_in *in,
	struct learning_media_create_out *out)
{
	int64_t made;
	const char *sealed_key;
	c->object_id = uuid_make(c->arena);
	const struct personal_place place = { .row_id = c->object_id,
		.user_id = c->actor->role == ROLE_STUDENT ? c->actor->user_id : NULL };
	enum err e = media_key_make(c, &media_key_kind, &place, &sealed_key);
	if (!e)
		e = db_count(c, MEDIA_CREATE,
			DB_ARGS(ACTOR(c), c->object_id, db_integer(c, in->upload_length),
				db_integer(c, UNFINISHED_MAX), sealed_key),
			&made);
	if (e)
		return e;
	if (made == 0)
		return fail_with(c, &too_many_uploads, "%d uploads", UNFINISHED_MAX);
	const struct media_name name = name_of(c, c->object_id);
	e = media_store_create(c, learning_media, &name);
	if (e)
		return e;
	out->location = arena_printf(c->arena, "/v1/media/%s", c->object_id);
	out->tus_resumable = TUS;
	return OK;
}

enum err learning_media_head(struct call *c, const struct learning_media_head_in *in,
	struct learning_media_head_out *out)
{
	struct upload upload = { 0 };
	enum err e = upload_find(c, UPLOAD_GET, DB_ARGS(in->media_id, c->actor->user_id), &upload);
	if (e)
		return e;
	out->upload_offset = db_integer(c, upload.received);
	out->upload_length = db_integer(c, upload.size);
	out->tus_resumable = TUS;
	return OK;
}

static bool has_brand(const unsigned char *brand, const char *const *brands)
{
	for (; *brands; brands++)
		if (memcmp(brand, *brands, strlen(*brands)) == 0)
			return true;
	return false;
}

/* ISO base media and EBML by their first box or element; pictures (HEIC, AVIF) and sound (M4A) are
 * ISO base media too, so the brand decides. NULL: something else. */
static const char *sniff(const unsigned char *data, size_t n)
{
	static const char *const videos[] = { "iso", "mp4", "avc1", "M4V", "MSNV", "dash", "3gp",
		"3g2", "mmp4", NULL };
	if (n >= 12 && memcmp(data + 4, "ftypqt  ", 8) == 0)
		return "video/quicktime";
	if (n >= 12 && memcmp(data + 4, "ftyp", 4) == 0)
		return has_brand(data + 8, videos) ? "video/mp4" : NULL;
	if (n >= 8 && memcmp(data, "\x1a\x45\xdf\xa3", 4) == 0 && memmem(data, n, "webm", 4))
		return "video/webm";
	return NULL;
}

/* Look at what the upload is with the part that brings enough to know: a part that shows that it is
 * no video is not kept, and the upload, which can never be completed, is removed with the
 * abandoned. */
static enum err check_kind(struct call *c, const struct media_name *name,
	const struct media_part *part, struct upload *upload)
{
	unsigned char start[SNIFF_SIZE];
	size_t kept = (size_t)part->offset, n = part->data.n;
	if (upload->content_type || n == 0)
		return OK;
	if (kept + n < SNIFF_SIZE && (int64_t)(kept + n) < part->size)
		return OK;
	struct bytes head = { NULL, 0 };
	enum err e = kept ? media_store_head(c, learning_media, name, part->offset, &head) : OK;
	if (e)
		return e;
	if (n > SNIFF_SIZE - head.n)
		n = SNIFF_SIZE - head.n;
	if (head.n)
		memcpy(start, head.data, head.n);
	memcpy(start + head.n, part->data.data, n);
	upload->content_type = sniff(start, head.n + n);
	return upload->content_type ? OK : fail_with(c, &not_a_video, "unknown beginning");
}

enum err learning_media_append(struct call *c, const struct learning_media_append_in *in,
	struct learning_media_append_out *out)
{
	auto_media_lock lock = -1;
	struct upload upload = { 0 };
	struct media_name name = name_of(c, in->media_id);
	const struct upload_rows rows = { UPLOAD_GET, UPLOAD_LOCK };
	enum err e = upload_lock(c, &rows, &name, &lock, &upload);
	if (!e)
		e = media_key_open(c, &media_key_kind, upload.sealed_key, &name.key);
	if (e)
		return e;
	const struct media_part part = { .offset = in->upload_offset + c->window.offset,
		.size = upload.size,
		.data = in->body };
	e = upload_check(c, &upload, &part);
	if (!e)
		e = check_kind(c, &name, &part, &upload);
	if (!e)
		e = media_store_append(c, learning_media, &name, &part);
	if (e)
		return e;
	out->upload_offset = db_integer(c, part.offset + (int64_t)part.data.n);
	out->tus_resumable = TUS;
	return db_exec(
		c, UPLOAD_MOVE, DB_ARGS(in->media_id, out->upload_offset, upload.content_type));
}

/* The file goes before the commit: should that fail, the video was to be deleted anyway, and asking
 * again deletes the row. */
enum err learning_media_delete(struct call *c, const struct learning_media_delete_in *in,
	struct learning_media_delete_out *out)
{
	struct upload upload = { 0 };
	const char *used;
	enum err e = upload_find(c, UPLOAD_LOCK, DB_ARGS(in->media_id, c->actor->user_id), &upload);
	if (!e)
		e = db_text(c, MEDIA_USED, DB_ARGS(in->media_id), &used);
	if (e)
		return e;
	if (*used == 't')
		return fail_with(c, &media_in_use, "a try or a unit uses it");
	const struct media_name name = name_of(c, in->media_id);
	e = db_exec_one(c, MEDIA_DELETE, DB_ARGS(in->media_id));
	out->tus_resumable = TUS;
	return e ? e : media_store_remove(c, learning_media, &name);
}

/* ---- reading ---- */

enum err learning_media_content(struct call *c, const struct learning_media_content_in *in,
	struct learning_media_content_out *out)
{
	struct upload video = { 0 };
	enum err e = upload_find(c, MEDIA_SEE, DB_ARGS(ACTOR(c), in->media_id), &video);
	if (e)
		return e;
	c->total_bytes = video.size;
	c->owner_id = video.owner_id;
	c->content_type = video.content_type;
	out->etag = arena_printf(c->arena, "\"%s\"", in->media_id);
	if (c->window.offset >= video.size || c->window.length <= 0)
		return OK;
	struct media_name name = name_of(c, in->media_id);
	const struct media_range range = {
		.size = video.size, .offset = c->window.offset, .length = c->window.length
	};
	e = media_key_open(c, &media_key_kind, video.sealed_key, &name.key);
	return e ? e : media_store_read(c, learning_media, &name, &range, &out->body);
}

/* ---- cleaning ---- */

static enum err on_known(struct call *c, void *arg, const char *const *columns, size_t n)
{
	((bool *)arg)[strtoull(columns[0], NULL, 10)] = true;
	return OK;
}

static enum err are_known(struct call *c, const struct media_file *files, size_t n, bool *wanted)
{
	const char **ids = arena_array(c->arena, n, sizeof(*ids));
	const char **tails = arena_array(c->arena, n, sizeof(*tails));
	for (size_t i = 0; i < n; i++) {
		ids[i] = files[i].media_id;
		tails[i] = db_integer(c, files[i].tail_offset);
	}
	return db_each(c, MEDIA_KNOWN,
		DB_ARGS(db_text_array(c, ids, n), db_text_array(c, tails, n)), on_known, wanted);
}

/* One tenant a turn, found by its directory: no query sees more than one. A tenant that cannot be
 * entered is passed over until the next round. Only the job thread comes here. */
enum err media_clean(struct call *c, bool *more)
{
	static char last[UUID_SIZE];
	const char *tenant_id;
	int64_t gone = 0;
	enum err e = media_folder_next_tenant(
		c, media_store_directory(learning_media), last, &tenant_id);
	if (e)
		return e;
	*more = tenant_id != NULL;
	memset(last, 0, sizeof(last));
	if (!tenant_id)
		return OK;
	memcpy(last, tenant_id, UUID_SIZE);
	e = service_enter_tenant(c, tenant_id);
	if (e) {
		log_warning("media_clean: tenant %s cannot be entered: %s", tenant_id, err_name(e));
		return OK;
	}
	e = db_count(c, ABANDONED_DELETE, DB_ARGS(db_integer(c, ABANDONED_S)), &gone);
	if (!e && gone)
		e = outbox_record(c, &MEDIA_EXPIRE, NULL);
	if (!e)
		e = import_clean(c);
	if (e)
		return e;
	int64_t before_s = clock_unix_ms() / 1000 - ABANDONED_S;
	return media_folder_sweep(
		c, media_store_directory(learning_media), tenant_id, before_s, are_known);
}
