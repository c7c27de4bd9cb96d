/*
 * The lines of an archive, in batches: checked, checked once more when they are about to be
 * written, then written, by the services that own them (libcommon/arrival.h). What lines refer to
 * is checked here, the first time, because no other service sees all of them: every id that may be
 * referred to is noted while the archive is checked.
 *
 * Who has left is in no archive, but may have assigned, commented, evaluated: authors need not be
 * there. Pupils must be: what they did is sealed under their keys.
 */
#include <stdlib.h>
#include <string.h>

#include "learning_proto.h"
#include "libcommon/call.h"
#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/uuid.h"
#include "notification_proto.h"
#include "provisioning_proto.h"
#include "services/learning/arrival.h"
#include "services/learning/import.h"

#define LINE_MAX_BYTES 32768 /* common.yaml, ArchiveLines; in bytes, as it is one in the file */
#define BATCH_BYTES (256 * 1024)
#define FAULTS_ENOUGH 100 /* then nobody reads the rest: import.faults of learning.yaml */

typedef enum err line_owner(
	struct call *c, const struct arrival_lines *lines, struct arrivals *out);

/* What a member of a line refers to. */
struct reference {
	const char *member, *type;
	const char *within; /* an array of objects that have the member; NULL: the line has it */
	const char *only_if; /* the line's uploaderRole; NULL: always */
};

#define REFERENCES_MAX 4
#define UNIQUE_MAX 2

static line_owner ask_provisioning, ask_notification;

static const struct line_type {
	const char *name;
	line_owner *owner;
	bool is_named; /* lines of later types refer to it */
	struct reference references[REFERENCES_MAX];
	const char *unique[UNIQUE_MAX]; /* members that no two lines have alike, beside the id */
} LINE_TYPES[] = {
	{ "org", ask_provisioning, true, { { 0 } }, { "type", "name" } },
	{ "user", ask_provisioning, true, { { 0 } }, { "username" } },
	{ "class", ask_provisioning, true, { { "orgId", "org", NULL, NULL } },
		{ "orgId", "title" } },
	{ "enrollment", ask_provisioning, true,
		{ { "classId", "class", NULL, NULL }, { "userId", "user", NULL, NULL } },
		{ "classId", "userId" } },
	{ "feature", ask_provisioning, false, { { "userId", "user", NULL, NULL } }, { "userId" } },
	{ "skill", arrival_write, true, { { 0 } }, { NULL } },
	{ "media", arrival_write, true,
		{ { "id", "file", NULL, NULL }, { "uploaderId", "user", NULL, "student" } },
		{ NULL } },
	{ "unit", arrival_write, true,
		{ { "skillId", "skill", "skills", NULL },
			{ "modelMediaId", "media", "skills", NULL } },
		{ NULL } },
	{ "assignment", arrival_write, true, { { "unitId", "unit", NULL, NULL } }, { NULL } },
	{ "goal", arrival_write, true,
		{ { "assignmentId", "assignment", NULL, NULL }, { "userId", "user", NULL, NULL } },
		{ NULL } },
	{ "try", arrival_write, true,
		{ { "assignmentId", "assignment", NULL, NULL }, { "skillId", "skill", NULL, NULL },
			{ "userId", "user", NULL, NULL }, { "mediaId", "media", NULL, NULL } },
		{ "mediaId" } },
	{ "comment", arrival_write, true, { { "tryId", "try", NULL, NULL } }, { NULL } },
	{ "evaluation", arrival_write, false, { { "tryId", "try", NULL, NULL } }, { "tryId" } },
	{ "reflection", arrival_write, false, { { "tryId", "try", NULL, NULL } }, { "tryId" } },
	{ "announcement", ask_notification, true, { { 0 } }, { NULL } },
};

static const char NOTE[] = "INSERT INTO learning.archive_reference (import_id, type, id)"
			   " VALUES ($1::uuid, $2, $3::uuid) ON CONFLICT DO NOTHING";

static const char IS_NOTED[] = "SELECT EXISTS (SELECT FROM learning.archive_reference"
			       " WHERE import_id = $1::uuid AND type = $2 AND id = $3::uuid"
			       " AND ($4::bigint IS NULL OR size = $4::bigint))";

static const char COUNT[] =
	"INSERT INTO learning.archive_count AS n (import_id, type, lines, written)"
	" VALUES ($1::uuid, $2, $3::bigint, $4::bigint)"
	" ON CONFLICT (tenant_id, import_id, type) DO UPDATE"
	" SET lines = n.lines + excluded.lines, written = n.written + excluded.written";

static const char FILES_ALONE[] =
	"SELECT f.id FROM learning.archive_reference f WHERE f.import_id = $1::uuid"
	" AND f.type = 'file' AND NOT EXISTS (SELECT FROM learning.archive_reference m"
	"  WHERE m.tenant_id = f.tenant_id AND m.import_id = f.import_id AND m.type = 'media'"
	"  AND m.id = f.id) ORDER BY f.id LIMIT 100";

static const char FORGET[] = "DELETE FROM learning.archive_reference WHERE import_id = $1::uuid";

/* ---- what can be wrong ---- */

static const struct arrival_reason TOO_LONG = { "line_too_long",
	"行が長すぎます（32,768バイトまで）。", "The line is longer than 32,768 bytes." };
static const struct arrival_reason UNFINISHED = { "unfinished_line",
	"最後の行が改行で終わっていません。", "The last line does not end." };
static const struct arrival_reason NOT_JSON = { "not_json",
	"この行はJSONのオブジェクトではありません。", "The line is not a JSON object." };
static const struct arrival_reason DUPLICATE = { "duplicate", "同じものが前の行にあります。",
	"A line before is about the same thing." };
static const struct arrival_reason DANGLING = { "dangling", "参照先がアーカイブにありません。",
	"What it refers to is not in the archive before it." };
static const struct arrival_reason NO_LINE = { "file_without_line",
	"この動画の行が data/media.jsonl にありません。",
	"There is no line of this video in data/media.jsonl." };

/* ---- a batch ---- */

struct line {
	const char *text;
	int64_t number; /* in its file, from 1 */
	const struct json *json;
};

struct batch {
	struct call *c;
	struct import *import;
	const struct line_type *type;
	const char *entry; /* its name */
	bool is_first; /* the first time: references, counts */
	bool is_check; /* nothing is written */
	struct line lines[ARRIVALS_MAX]; /* those that are JSON */
	size_t n;
	int64_t read; /* of the file */
};

static enum err refuse_line(struct batch *batch, int64_t number, const char *pointer,
	const struct arrival_reason *reason)
{
	const struct import_place place = { batch->entry, number, pointer };
	return import_refuse(batch->c, batch->import, &place, reason);
}

static enum err add_line(struct batch *batch, const char *text, size_t n)
{
	struct line line = { .number = batch->import->line + ++batch->read };
	bool is_text = n >= 2 && !memchr(text, '\0', n);
	line.text = arena_strndup(batch->c->arena, text, is_text ? n : 0);
	if (!is_text || json_parse(batch->c->arena, line.text, n, &line.json) ||
		json_kind(line.json) != JSON_OBJECT)
		return refuse_line(batch, line.number, "", &NOT_JSON);
	batch->lines[batch->n++] = line;
	return OK;
}

/* Whole lines from the position on; *rest says why there is none. */
static enum err read_lines(struct batch *batch, int64_t end, const struct arrival_reason **rest)
{
	struct import *import = batch->import;
	struct bytes data;
	int64_t left = end - import->position;
	enum err e = import_bytes(
		batch->c, import, import->position, left < BATCH_BYTES ? left : BATCH_BYTES, &data);
	const char *at = (const char *)data.data, *const stop = at + data.n;
	while (!e && at < stop && batch->read < ARRIVALS_MAX) {
		const char *newline = memchr(at, '\n', (size_t)(stop - at));
		if (!newline || newline - at > LINE_MAX_BYTES) {
			bool is_cut = !newline && stop - at <= LINE_MAX_BYTES && left > BATCH_BYTES;
			if (!is_cut)
				*rest = newline || stop - at > LINE_MAX_BYTES ? &TOO_LONG
									      : &UNFINISHED;
			break;
		}
		e = add_line(batch, at, (size_t)(newline - at));
		at = newline + 1;
	}
	if (!e)
		import->position += at - (const char *)data.data;
	return e;
}

/* ---- what lines refer to ---- */

static enum err note_id(struct batch *batch, const struct line *line, const char *type,
	const char *id, const char *pointer)
{
	int64_t made;
	enum err e = db_count(batch->c, NOTE, DB_ARGS(batch->import->id, type, id), &made);
	return e || made ? e : refuse_line(batch, line->number, pointer, &DUPLICATE);
}

/* Texts that must differ, as an id made of them. */
static enum err note_unique(struct batch *batch, const struct line *line)
{
	struct buf key = { .arena = batch->c->arena };
	unsigned char hash[HASH_SIZE];
	char id[UUID_SIZE];
	for (size_t i = 0; i < UNIQUE_MAX && batch->type->unique[i]; i++) {
		const char *text = json_text(json_member(line->json, batch->type->unique[i]));
		buf_printf(&key, "%s\n", text ? text : "");
	}
	if (key.n == 0)
		return OK;
	for (char *at = key.data; *at; at++) /* login names are ASCII */
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + 32);
	crypto_sha256(key.data, key.n, hash);
	uuid_from_bytes(hash, id);
	const char *type = arena_printf(batch->c->arena, "%s unique", batch->type->name);
	return note_id(batch, line, type, id, "");
}

static enum err check_reference(struct batch *batch, const struct line *line,
	const struct reference *reference, const struct json *holder)
{
	struct call *c = batch->c;
	const char *is_noted, *size = NULL;
	const char *id = json_text(json_member(holder, reference->member));
	const char *role = json_text(json_member(line->json, "uploaderRole"));
	if (!id || !is_uuid(id)) /* the shape says whether it may be missing */
		return OK;
	if (reference->only_if && (!role || strcmp(role, reference->only_if) != 0))
		return OK;
	if (strcmp(reference->type, "file") == 0)
		size = db_integer(c, json_integer(json_member(line->json, "size"), 0));
	enum err e = db_text(
		c, IS_NOTED, DB_ARGS(batch->import->id, reference->type, id, size), &is_noted);
	if (e || *is_noted == 't')
		return e;
	return refuse_line(
		batch, line->number, arena_printf(c->arena, "/%s", reference->member), &DANGLING);
}

static enum err check_references(
	struct batch *batch, const struct line *line, const struct reference *reference)
{
	if (!reference->within)
		return check_reference(batch, line, reference, line->json);
	enum err e = OK;
	const struct json *item = json_first(json_member(line->json, reference->within));
	for (; item && !e; item = json_next(item))
		e = check_reference(batch, line, reference, item);
	return e;
}

static enum err check_line(struct batch *batch, const struct line *line)
{
	const struct line_type *type = batch->type;
	const char *id = json_text(json_member(line->json, "id"));
	enum err e = OK;
	for (size_t i = 0; i < REFERENCES_MAX && type->references[i].member && !e; i++)
		e = check_references(batch, line, &type->references[i]);
	if (!e && type->is_named && id && is_uuid(id))
		e = note_id(batch, line, type->name, id, "/id");
	return e ? e : note_unique(batch, line);
}

/* ---- the owners ---- */

static enum err take_faults(
	struct call *c, const struct common_archive_faults *faults, struct arrivals *out)
{
	*out = (struct arrivals){ .c = c, .faults_n = faults->faults.n };
	out->faults = arena_array(c->arena, out->faults_n, sizeof(*out->faults));
	for (size_t i = 0; i < out->faults_n; i++) {
		const struct common_archive_fault *fault = &faults->faults.items[i];
		out->faults[i] = (struct arrival_fault){ (size_t)fault->line,
			fault->pointer ? fault->pointer : "",
			{ fault->code, fault->ja, fault->en } };
	}
	return OK;
}

static enum err ask_provisioning(
	struct call *c, const struct arrival_lines *lines, struct arrivals *out)
{
	const struct provisioning_archive_write_in in = { .type = lines->type,
		.lines = { (const char **)lines->items, lines->n },
		.check = lines->check };
	struct common_archive_faults faults = { 0 };
	enum err e = provisioning_archive_write_call(c, &in, &faults);
	return e ? e : take_faults(c, &faults, out);
}

static enum err ask_notification(
	struct call *c, const struct arrival_lines *lines, struct arrivals *out)
{
	const struct notification_archive_write_in in = { .type = lines->type,
		.lines = { (const char **)lines->items, lines->n },
		.check = lines->check };
	struct common_archive_faults faults = { 0 };
	enum err e = notification_archive_write_call(c, &in, &faults);
	return e ? e : take_faults(c, &faults, out);
}

static enum err hand_over(struct batch *batch)
{
	const char *texts[ARRIVALS_MAX];
	struct arrivals arrivals = { 0 };
	for (size_t i = 0; i < batch->n; i++)
		texts[i] = batch->lines[i].text;
	const struct arrival_lines lines = { batch->type->name, texts, batch->n, batch->is_check };
	enum err e = batch->n ? batch->type->owner(batch->c, &lines, &arrivals) : OK;
	for (size_t i = 0; i < arrivals.faults_n && !e; i++) {
		const struct arrival_fault *fault = &arrivals.faults[i];
		if (fault->line >= batch->n)
			return fail(batch->c, ERR_INTERNAL, "a fault of no line");
		e = refuse_line(
			batch, batch->lines[fault->line].number, fault->pointer, &fault->reason);
	}
	if (!e && !batch->is_check && arrivals.faults_n > 0)
		e = fail(
			batch->c, ERR_INTERNAL, "%s: a line that was right is wrong", batch->entry);
	return e;
}

/* ---- an entry ---- */

static const struct line_type *line_type_find(const char *name)
{
	const struct line_type *type = LINE_TYPES;
	while (strcmp(type->name, name) != 0)
		type++;
	return type;
}

/* The owner is asked before anything is written here: a transaction that has written holds back
 * the relays of all services. */
static enum err take_batch(struct batch *batch)
{
	struct call *c = batch->c;
	enum err e = hand_over(batch);
	for (size_t i = 0; batch->is_first && i < batch->n && !e; i++)
		e = check_line(batch, &batch->lines[i]);
	if (!e && (batch->is_first || !batch->is_check))
		e = db_exec(c, COUNT,
			DB_ARGS(batch->import->id, batch->type->name,
				db_integer(c, batch->is_first ? batch->read : 0),
				db_integer(c, batch->is_first ? 0 : batch->read)));
	batch->import->line += batch->read;
	return e;
}

static enum err take_lines(struct call *c, struct import *import, const struct tar_entry *entry,
	const struct import_name *name)
{
	const struct arrival_reason *rest = NULL;
	struct batch *batch = arena_alloc(c->arena, sizeof(*batch));
	batch->c = c;
	batch->import = import;
	batch->type = line_type_find(name->type);
	batch->entry = arena_strdup(c->arena, entry->name);
	batch->is_first = strcmp(import->step, "lines") == 0;
	batch->is_check = batch->is_first || strcmp(import->step, "reserve") == 0;
	int64_t end = import->entry + TAR_BLOCK + entry->size;
	enum err e = read_lines(batch, end, &rest);
	if (!e)
		e = take_batch(batch);
	if (!e && rest) {
		import->state = "refused";
		e = refuse_line(batch, import->line + 1, "", rest);
	}
	if (!e && import->position >= end)
		import_next(import, entry);
	if (import->faults >= FAULTS_ENOUGH)
		import->state = "refused";
	return e;
}

/* ---- the end ---- */

static enum err on_file_alone(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct import_place place = { .entry = arena_printf(
						    c->arena, "media/%s", columns[0]) };
	return import_refuse(c, arg, &place, &NO_LINE);
}

static enum err end_lines(struct call *c, struct import *import)
{
	enum err e = db_each(c, FILES_ALONE, DB_ARGS(import->id), on_file_alone, import);
	if (!e)
		e = db_exec(c, FORGET, DB_ARGS(import->id));
	import->state = import->faults > 0 ? "refused" : "checked";
	return e;
}

/* From the beginning again, or not at all. */
static enum err end_reserve(struct call *c, struct import *import)
{
	if (import->faults > 0)
		import->state = "refused";
	import->step = "write";
	import->entry = 0;
	import->position = TAR_BLOCK;
	import->line = 0;
	return OK;
}

static enum err end_write(struct call *c, struct import *import)
{
	import->step = "videos";
	return OK;
}

static enum err end_videos(struct call *c, struct import *import)
{
	import->step = "remove";
	return OK;
}

/* What ends a step: the first video, or that there is no entry any more. */
static const struct line_step {
	const char *name;
	bool is_of_videos;
	enum err (*end)(struct call *c, struct import *import);
} STEPS[] = {
	{ "lines", true, end_lines },
	{ "reserve", false, end_reserve },
	{ "write", false, end_write },
	{ "videos", true, end_videos },
};

static const struct line_step *step_of(const struct import *import)
{
	const struct line_step *step = STEPS;
	while (strcmp(step->name, import->step) != 0)
		step++;
	return step;
}

/* An entry, or a part of it; *more: the next one is as short. */
static enum err take_entry(struct call *c, struct import *import, bool *more)
{
	enum tar_block block;
	struct tar_entry entry = { 0 };
	const struct line_step *step = step_of(import);
	enum err e = import_header(c, import, &block, &entry);
	if (e)
		return e;
	*more = false;
	if (block == TAR_ZEROES)
		return step->end(c, import);
	if (block != TAR_ENTRY)
		return fail(c, ERR_INTERNAL, "an entry that was checked before");
	const struct import_name name = import_name_of(c->arena, entry.name);
	if (name.kind == IMPORT_MEDIA && !step->is_of_videos)
		return step->end(c, import);
	if (name.kind == IMPORT_DATA && import->position < import->entry + TAR_BLOCK + entry.size)
		return take_lines(c, import, &entry, &name);
	if (name.kind == IMPORT_MEDIA && step->end == end_videos)
		return import_media(c, import, &entry, name.media_id);
	import_next(import, &entry);
	*more = true;
	return OK;
}

enum err import_lines(struct call *c, struct import *import)
{
	bool more = true;
	enum err e = OK;
	for (int i = 0; i < IMPORT_STEP_ENTRIES && more && !e; i++)
		e = take_entry(c, import, &more);
	return e;
}
