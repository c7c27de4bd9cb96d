/*
 * Making an export, a bit at a time: its sections into the file, then the hash of everything, then
 * the manifest. Each turn of the job is one transaction that moves the row on, so a crash costs one
 * turn; what it had written to the file beyond the row's word is written over (media_store.h).
 *
 * Hashes are made in windows, and what is hashed so far is kept in this process only: the state of
 * a hash holds bytes in the clear. Another process begins that one file anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_proto.h"
#include "learning_proto.h"
#include "libcommon/crypto.h"
#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/service.h"
#include "libcommon/tar.h"
#include "libcommon/uuid.h"
#include "services/learning/export.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"
#include "services/learning/media_store.h"

#define PART_SIZE (256 * 1024) /* of a section in one turn: a page of lines more at most */
#define HASH_WINDOW (1024 * 1024) /* read at once */
#define HASH_TURN 8 /* windows of a turn: some hundredths of a second */
#define LIST_TURN 2000 /* videos of the list of files in a turn */

#define NO_ID "00000000-0000-0000-0000-000000000000"

int64_t export_keep_days;

static const char NEXT[] = "SELECT tenant_id, id FROM learning.export_next($1::uuid)";

/* It begins on the first of April. */
#define SCHOOL_YEAR                                                                                \
	"extract(year FROM requested_at AT TIME ZONE 'Asia/Tokyo' - interval '3 months')::integer"

#define JOB_COLUMNS                                                                                \
	"SELECT id, state, step, place, stored_size, section_begins, " SEALED(                     \
		"id", "sealed_key") ", videos, videos_bytes, videos_lines,"                        \
				    " tenancy.stamp(requested_at), " SCHOOL_YEAR                   \
				    " FROM learning.export WHERE id = $1::uuid"
static const char JOB_GET[] = JOB_COLUMNS;
static const char JOB_LOCK[] = JOB_COLUMNS " FOR UPDATE";

static const char MOVE[] = "UPDATE learning.export SET step = $2::integer, place = $3,"
			   " stored_size = $4::bigint, section_begins = $5::bigint"
			   " WHERE id = $1::uuid";

static const char SECTION_ADD[] =
	"INSERT INTO learning.export_section (export_id, number, name, stored_offset, size)"
	" VALUES ($1::uuid, $2::integer, $3, $4::bigint, $5::bigint)";

static const char VIDEOS_ADD[] =
	"INSERT INTO learning.export_video (export_id, media_id, size, begins, line_begins)"
	" SELECT $1::uuid, v.* FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[]) v";

static const char VIDEOS_COUNT[] =
	"UPDATE learning.export SET videos = $2::bigint, videos_bytes = $3::bigint,"
	" videos_lines = $4::bigint WHERE id = $1::uuid";

static const char UNHASHED_SECTION[] =
	"SELECT s.number, s.size, s.stored_offset, NULL, NULL FROM learning.export_section s"
	" WHERE s.export_id = $1::uuid AND s.sha256 IS NULL ORDER BY s.number LIMIT 1";
static const char UNHASHED_VIDEO[] = "SELECT v.begins, v.size, 0, v.media_id, " SEALED(
	"m.id", "m.sealed_key") " FROM learning.export_video v LEFT JOIN learning.media m"
				" ON m.tenant_id = v.tenant_id AND m.id = v.media_id"
				" WHERE v.export_id = $1::uuid AND v.sha256 IS NULL"
				" ORDER BY v.begins LIMIT 1";

static const char SECTION_HASHED[] = "UPDATE learning.export_section SET sha256 = $3"
				     " WHERE export_id = $1::uuid AND number = $2::integer";
static const char VIDEO_HASHED[] =
	"WITH hashed AS (UPDATE learning.export_video SET sha256 = $3 WHERE export_id = $1::uuid"
	" AND begins = $2::bigint AND sha256 IS NULL RETURNING 1)"
	" UPDATE learning.export SET videos_hashed = videos_hashed + (SELECT count(*) FROM hashed)"
	" WHERE id = $1::uuid";
static const char STEP_DONE[] = "UPDATE learning.export SET step = $2::integer + 1"
				" WHERE id = $1::uuid AND step = $2::integer";

static const char LIST_SECTIONS[] = "SELECT s.sha256, s.size, s.name FROM learning.export_section s"
				    " WHERE s.export_id = $1::uuid ORDER BY s.number";
static const char LIST_VIDEOS[] =
	"SELECT v.sha256, v.size, v.media_id, v.begins FROM learning.export_video v"
	" WHERE v.export_id = $1::uuid AND v.begins > $2::bigint ORDER BY v.begins"
	" LIMIT $3::integer";

static const char READY[] =
	"UPDATE learning.export SET state = 'ready', manifest = $2, files_size = $3::bigint,"
	" size = $4::bigint, ready_at = now(), expires_at = now() + make_interval(days => "
	"$5::integer)"
	" WHERE id = $1::uuid AND state = 'working'";

static const char REMOVE[] = "DELETE FROM learning.export WHERE id = $1::uuid";

/* What the log calls it. */
static const struct op EXPIRE = { .name = "export_expire",
	.audit = { "entity_management.delete", 3004, 4 } };

/* ---- one export ---- */

struct job_row {
	const char *id, *state, *place, *sealed_key, *requested_at;
	int64_t step, stored_size, section_begins, videos, videos_bytes, videos_lines, year;
};

static int64_t number_of(const char *text)
{
	return text ? strtoll(text, NULL, 10) : 0;
}

static enum err on_job(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct job_row *)arg = (struct job_row){
		.id = arena_strdup(c->arena, columns[0]),
		.state = arena_strdup(c->arena, columns[1]),
		.step = number_of(columns[2]),
		.place = columns[3] ? arena_strdup(c->arena, columns[3]) : NULL,
		.stored_size = number_of(columns[4]),
		.section_begins = number_of(columns[5]),
		.sealed_key = arena_strdup(c->arena, columns[6]),
		.videos = number_of(columns[7]),
		.videos_bytes = number_of(columns[8]),
		.videos_lines = number_of(columns[9]),
		.requested_at = arena_strdup(c->arena, columns[10]),
		.year = number_of(columns[11]),
	};
	return OK;
}

static struct media_name name_of(const struct call *c, const char *id)
{
	return (struct media_name){ .tenant_id = c->actor->tenant_id, .media_id = id };
}

/* The row as it was when the turn began, locked; *is_same is false when somebody was faster, or has
 * ended it. */
static enum err lock_row(struct call *c, const struct job_row *job, bool *is_same)
{
	struct job_row now = { 0 };
	enum err e = db_each(c, JOB_LOCK, DB_ARGS(job->id), on_job, &now);
	*is_same = now.id && strcmp(now.state, "working") == 0 && now.step == job->step &&
		now.stored_size == job->stored_size;
	return e;
}

/* ---- sections ---- */

static enum err add_videos(
	struct call *c, const struct job_row *job, const struct export_part *part)
{
	size_t n = part->videos_n;
	int64_t begins = job->videos_bytes, line_begins = job->videos_lines;
	const char **ids = arena_array(c->arena, n, sizeof(*ids));
	const char **sizes = arena_array(c->arena, n, sizeof(*sizes));
	const char **at = arena_array(c->arena, n, sizeof(*at));
	const char **lines_at = arena_array(c->arena, n, sizeof(*lines_at));
	for (size_t i = 0; i < n; i++) {
		const struct export_video *video = &part->videos[i];
		ids[i] = video->id;
		sizes[i] = db_integer(c, video->size);
		at[i] = db_integer(c, begins);
		lines_at[i] = db_integer(c, line_begins);
		begins += export_room(video->size);
		line_begins += (int64_t)strlen(export_line(
			c, EXPORT_NO_HASH, video->size, export_video_name(c, video->id)));
	}
	enum err e = db_exec(c, VIDEOS_ADD,
		DB_ARGS(job->id, db_text_array(c, ids, n), db_text_array(c, sizes, n),
			db_text_array(c, at, n), db_text_array(c, lines_at, n)));
	return e ? e
		 : db_exec(c, VIDEOS_COUNT,
			   DB_ARGS(job->id, db_integer(c, job->videos + (int64_t)n),
				   db_integer(c, begins), db_integer(c, line_begins)));
}

static enum err append(
	struct call *c, const struct job_row *job, const struct buf *text, bool is_last)
{
	struct media_name name = name_of(c, job->id);
	const int64_t end = job->stored_size + (int64_t)text->n;
	const struct media_part part = { .offset = job->stored_size,
		.size = is_last ? end : INT64_MAX,
		.data = { (const unsigned char *)text->data, text->n } };
	enum err e = media_key_open(c, &media_key_kind, job->sealed_key, &name.key);
	return e || !text->n ? e : media_store_append(c, learning_media, &name, &part);
}

static enum err move_on(struct call *c, const struct job_row *job, const struct export_part *part)
{
	const int64_t end = job->stored_size + (int64_t)part->text.n;
	const int number = export_section_at(job->step);
	const bool is_done = !part->place;
	enum err e = part->videos_n ? add_videos(c, job, part) : OK;
	if (!e && is_done)
		e = db_exec(c, SECTION_ADD,
			DB_ARGS(job->id, db_integer(c, number), export_section_name(number),
				db_integer(c, job->section_begins),
				db_integer(c, end - job->section_begins)));
	return e ? e
		 : db_exec(c, MOVE,
			   DB_ARGS(job->id, db_integer(c, job->step + is_done),
				   is_done ? part->carry : part->place, db_integer(c, end),
				   db_integer(c, is_done ? end : job->section_begins)));
}

/* Whoever owns the lines is asked before anything is locked. */
static enum err write_section(struct call *c, const struct job_row *job)
{
	const int number = export_section_at(job->step);
	struct export_part part = { .requested_at = job->requested_at,
		.year = (int)job->year,
		.place = job->place,
		.text = { .arena = c->arena } };
	enum err e;
	do
		e = export_section_read(c, number, &part);
	while (!e && part.place && part.text.n < PART_SIZE);
	if (e)
		return e;
	if (job->stored_size - job->section_begins + (int64_t)part.text.n > TAR_SIZE_MAX)
		return fail(c, ERR_INTERNAL, "%s is larger than a tar takes",
			export_section_name(number));
	bool is_same;
	auto_media_lock lock = -1;
	const struct media_name name = name_of(c, job->id);
	const bool is_last = !part.place && job->step == EXPORT_SECTIONS - 1;
	e = media_store_lock(c, learning_media, &name, &lock);
	if (!e)
		e = lock_row(c, job, &is_same);
	if (e || !is_same)
		return e;
	e = append(c, job, &part.text, is_last);
	return e ? e : move_on(c, job, &part);
}

/* ---- hashes ---- */

/* What the job thread is in the middle of. */
static struct {
	char export_id[UUID_SIZE];
	char what[64]; /* of the file; "" for none */
	int64_t done; /* bytes; of the list of files: where its next video begins */
	int64_t size; /* of the list of files so far */
	struct sha256 hash;
} hashing;

static void hash_forget(void)
{
	crypto_wipe(&hashing, sizeof(hashing));
}

/* Go on with what was begun, or begin. */
static void hash_of(const struct job_row *job, const char *what, int64_t begin)
{
	if (strcmp(hashing.export_id, job->id) == 0 && strcmp(hashing.what, what) == 0)
		return;
	hash_forget();
	(void)snprintf(hashing.export_id, sizeof(hashing.export_id), "%s", job->id);
	(void)snprintf(hashing.what, sizeof(hashing.what), "%s", what);
	hashing.done = begin;
	crypto_sha256_begin(&hashing.hash);
}

static const char *hash_end(struct call *c)
{
	unsigned char sum[HASH_SIZE];
	crypto_sha256_end(&hashing.hash, sum);
	hash_forget();
	return crypto_hex(c->arena, sum, sizeof(sum));
}

/* A file of the archive that has no hash yet. */
struct unhashed {
	const char *key; /* of its row; NULL: there is none */
	const char *media_id; /* NULL: a section */
	const char *sealed_key;
	int64_t size, offset;
};

static enum err on_unhashed(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct unhashed *)arg = (struct unhashed){
		.key = arena_strdup(c->arena, columns[0]),
		.size = number_of(columns[1]),
		.offset = number_of(columns[2]),
		.media_id = columns[3] ? arena_strdup(c->arena, columns[3]) : NULL,
		.sealed_key = columns[4] ? arena_strdup(c->arena, columns[4]) : NULL,
	};
	return OK;
}

/* One window, in memory of its own: a turn reads many. */
static enum err hash_window(struct call *c, const struct media_name *name, int64_t stored_size,
	const struct unhashed *file)
{
	struct bytes bytes;
	struct call window = *c;
	const int64_t left = file->size - hashing.done;
	const struct media_range range = { .size = stored_size,
		.offset = file->offset + hashing.done,
		.length = left < HASH_WINDOW ? left : HASH_WINDOW };
	window.arena = arena_new();
	enum err e = media_store_read(&window, learning_media, name, &range, &bytes);
	if (!e)
		crypto_sha256_add(&hashing.hash, bytes.data, bytes.n);
	hashing.done += e ? 0 : (int64_t)bytes.n;
	arena_free(window.arena);
	return e ? fail(c, e, "a file of export %s cannot be read", hashing.export_id) : OK;
}

static enum err hash_file(
	struct call *c, const struct job_row *job, const struct unhashed *file, bool *is_done)
{
	const bool is_video = file->media_id != NULL;
	struct media_name name = name_of(c, is_video ? file->media_id : job->id);
	enum err e = media_key_open(
		c, &media_key_kind, is_video ? file->sealed_key : job->sealed_key, &name.key);
	hash_of(job, is_video ? file->media_id : file->key, 0);
	for (int i = 0; i < HASH_TURN && hashing.done < file->size && !e; i++)
		e = hash_window(c, &name, is_video ? file->size : job->stored_size, file);
	*is_done = hashing.done == file->size;
	return e;
}

static enum err hash_next(struct call *c, const struct job_row *job)
{
	struct unhashed file = { 0 };
	bool is_done;
	enum err e = db_each(c, UNHASHED_SECTION, DB_ARGS(job->id), on_unhashed, &file);
	if (!e && !file.key)
		e = db_each(c, UNHASHED_VIDEO, DB_ARGS(job->id), on_unhashed, &file);
	if (e)
		return e;
	if (!file.key)
		return db_exec(c, STEP_DONE, DB_ARGS(job->id, db_integer(c, job->step)));
	if (file.media_id && !file.sealed_key) /* deleted since it was listed */
		return export_invalidate(c);
	e = hash_file(c, job, &file, &is_done);
	return e || !is_done ? e
			     : db_exec(c, file.media_id ? VIDEO_HASHED : SECTION_HASHED,
				       DB_ARGS(job->id, file.key, hash_end(c)));
}

/* ---- the list of files and the manifest ---- */

struct listing {
	int64_t n; /* lines of this turn */
	int64_t sections_room; /* what sections take in the archive */
};

static void add_line(struct call *c, const char *const *columns, const char *name)
{
	const char *line = export_line(c, columns[0], number_of(columns[1]), name);
	crypto_sha256_add(&hashing.hash, line, strlen(line));
	hashing.size += (int64_t)strlen(line);
}

static enum err on_section(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct listing *list = arg;
	if (hashing.done < 0)
		add_line(c, columns, columns[2]);
	list->sections_room += export_room(number_of(columns[1]));
	return OK;
}

static enum err on_video(struct call *c, void *arg, const char *const *columns, size_t n)
{
	((struct listing *)arg)->n++;
	add_line(c, columns, export_video_name(c, columns[2]));
	hashing.done = number_of(columns[3]);
	return OK;
}

static enum err certify(struct call *c, const struct job_row *job, int64_t sections_room)
{
	const int64_t files_size = hashing.size + 1;
	crypto_sha256_add(&hashing.hash, "\n", 1);
	const struct audit_archive_certify_in in = {
		.time = job->requested_at, .sha256 = hash_end(c), .size = files_size
	};
	struct audit_archive_certify_out out = { 0 };
	enum err e = audit_archive_certify_call(c, &in, &out);
	if (e)
		return e;
	const int64_t size = export_room((int64_t)strlen(out.manifest)) + export_room(files_size) +
		sections_room + job->videos_bytes + EXPORT_END;
	return db_exec(c, READY,
		DB_ARGS(job->id, out.manifest, db_integer(c, files_size), db_integer(c, size),
			db_integer(c, export_keep_days)));
}

static enum err list_files(struct call *c, const struct job_row *job)
{
	struct listing list = { 0 };
	hash_of(job, "files", -1);
	enum err e = db_each(c, LIST_SECTIONS, DB_ARGS(job->id), on_section, &list);
	if (!e)
		e = db_each(c, LIST_VIDEOS,
			DB_ARGS(job->id, db_integer(c, hashing.done), db_integer(c, LIST_TURN)),
			on_video, &list);
	return e || list.n == LIST_TURN ? e : certify(c, job, list.sections_room);
}

/* ---- running ---- */

static enum err remove_export(struct call *c, const char *id)
{
	const struct media_name name = name_of(c, id);
	enum err e = db_exec(c, REMOVE, DB_ARGS(id));
	if (!e)
		e = outbox_record(c, &EXPIRE, id);
	return e ? e : media_store_remove(c, learning_media, &name);
}

/* audit has not signed yet what must be in the archive, or another instance is at it. */
static bool is_early(enum err e)
{
	return e == ERR_NOT_FOUND || e == ERR_CONFLICT;
}

static enum err run_step(struct call *c, const struct job_row *job, bool *more)
{
	enum err e;
	if (job->step < EXPORT_SECTIONS)
		e = write_section(c, job);
	else
		e = job->step == EXPORT_SECTIONS ? hash_next(c, job) : list_files(c, job);
	*more = !is_early(e);
	return is_early(e) ? OK : e;
}

struct next {
	const char *tenant_id, *id;
};

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct next *)arg = (struct next){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]) };
	return OK;
}

/* A part of one export after the other, so that one that fails holds up no other. Only the job
 * thread comes here. */
enum err export_run(struct call *c, bool *more)
{
	static char last[UUID_SIZE] = NO_ID;
	struct next next = { 0 };
	struct job_row job = { 0 };
	enum err e = db_each(c, NEXT, DB_ARGS(last), on_next, &next);
	if (e || !next.id)
		return e;
	memcpy(last, next.id, UUID_SIZE);
	e = service_enter_tenant(c, next.tenant_id);
	if (!e)
		e = db_each(c, JOB_GET, DB_ARGS(next.id), on_job, &job);
	if (e || !job.id)
		return e;
	if (strcmp(job.state, "working") == 0)
		return run_step(c, &job, more);
	*more = true;
	return remove_export(c, job.id);
}
