/*
 * The first step of an import: is the archive what its manifest says, entry by entry, byte by byte.
 *
 * The hash of an entry is carried in memory from one part of the step to the next; after a crash,
 * and when another instance goes on, the entry in hand is read again from its beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/db.h"
#include "libcommon/manifest.h"
#include "libcommon/uuid.h"
#include "services/learning/import.h"

#define READ_BYTES (1024 * 1024) /* a window of a file that is hashed */
#define CHECKPOINT_NAME "log/checkpoint"

static const char MANIFEST_PUT[] =
	"UPDATE learning.archive_import SET manifest_hash = $2, signature = $3,"
	" source_tenant_id = $4::uuid, source_log = $5, made_at = $6 WHERE id = $1::uuid";

static const char CHECKPOINT_PUT[] =
	"UPDATE learning.archive_import SET checkpoint = $2 WHERE id = $1::uuid";

static const char FILE_PUT[] =
	"INSERT INTO learning.archive_reference (import_id, type, id, size)"
	" VALUES ($1::uuid, 'file', $2::uuid, $3::bigint) ON CONFLICT DO NOTHING";

/* ---- what can be wrong ---- */

static const struct arrival_reason NO_MANIFEST = { "no_manifest",
	"アーカイブの目録（manifest）がないか、読めません。",
	"The manifest is missing, or cannot be read." };
static const struct arrival_reason OTHER_FORMAT = { "other_format",
	"別の版の Manabiya で作られたアーカイブです。同じ版で書き出しなおしてください。",
	"It was made by another version of Manabiya: export it anew with this one." };
static const struct arrival_reason NOT_SIGNED = { "not_signed",
	"目録の署名が、指定された鍵によるものではありません。",
	"The manifest is not signed by the key that was given." };
static const struct arrival_reason UNKNOWN = { "unknown_entry", "この名前のファイルは扱えません。",
	"There is no such file in archives." };
static const struct arrival_reason ORDER = { "wrong_order", "ファイルの順序が正しくありません。",
	"The files are not in their order." };
static const struct arrival_reason TWICE = { "twice", "同じファイルが二度あります。",
	"The file is there twice." };
static const struct arrival_reason NOT_AS_LISTED = { "not_as_listed",
	"目録にある次のファイルと、名前か大きさが違います。",
	"It is not the next file of the manifest, or not of that size." };
static const struct arrival_reason CHANGED = { "changed", "ファイルの内容が目録と違います。",
	"The file is not what the manifest says." };
static const struct arrival_reason TRUNCATED = { "truncated", "アーカイブが途中で切れています。",
	"The archive ends too early." };
static const struct arrival_reason SURPLUS = { "surplus",
	"アーカイブの終わりのあとにデータがあります。", "Something follows the archive's end." };
static const struct arrival_reason NO_CHECKPOINT = { "no_checkpoint",
	"操作記録の署名（checkpoint）が読めません。", "The log's checkpoint cannot be read." };
static const struct arrival_reason BLOCKS[TAR_BLOCKS] = {
	[TAR_DAMAGED] = { "damaged", "アーカイブが壊れています。", "The archive is damaged here." },
	[TAR_NOT_PLAIN] = { "not_plain",
		"リンクや拡張ヘッダーなど、ふつうのファイル以外は使えません。",
		"Links, extended headers and whatever else is no plain file are refused." },
	[TAR_BAD_NAME] = { "bad_name", "ファイル名が正しくありません。",
		"A name that no archive holds." },
	[TAR_BAD_SIZE] = { "bad_size", "ファイルの大きさが正しくありません。",
		"A size that is no number." },
};

static enum err refuse(struct call *c, struct import *import, const char *entry,
	const struct arrival_reason *reason)
{
	return import_refuse(c, import, &(struct import_place){ .entry = entry }, reason);
}

/* What follows cannot be read. */
static enum err refuse_rest(struct call *c, struct import *import, const char *entry,
	const struct arrival_reason *reason)
{
	import->state = "refused";
	return refuse(c, import, entry, reason);
}

/* ---- the manifest ---- */

static bool is_only_files(const char *text, size_t n)
{
	struct manifest_line line;
	size_t length;
	return !manifest_line_read(text, n, &line, &length) && length == n &&
		strcmp(line.entry.name, MANIFEST_FILES) == 0 &&
		line.entry.size <= MANIFEST_SIZE_MAX;
}

static const char *signature_of(
	struct call *c, const struct import *import, const struct manifest *manifest)
{
	struct note_verifier verifier;
	if (!import->verifier)
		return "unchecked";
	bool is_valid = !note_verifier_read(c->arena, import->verifier, &verifier) &&
		strcmp(verifier.name, manifest->log) == 0 &&
		note_is_signed(c->arena, &manifest->note, &verifier, NULL);
	return is_valid ? "valid" : "invalid";
}

static enum err note_manifest(struct call *c, struct import *import, const struct bytes *text,
	const struct manifest *manifest)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(text->data, text->n, hash);
	const char *signature = signature_of(c, import, manifest);
	enum err e = db_exec(c, MANIFEST_PUT,
		DB_ARGS(import->id, crypto_hex(c->arena, hash, HASH_SIZE), signature,
			manifest->tenant_id, manifest->log, manifest->at));
	if (!e && strcmp(signature, "invalid") == 0)
		e = refuse_rest(c, import, MANIFEST_NAME, &NOT_SIGNED);
	return e;
}

static enum err read_manifest(struct call *c, struct import *import, const struct tar_entry *entry)
{
	struct bytes text;
	struct manifest manifest;
	if (strcmp(entry->name, MANIFEST_NAME) != 0 || entry->size > MANIFEST_SIZE_MAX)
		return refuse_rest(c, import, MANIFEST_NAME, &NO_MANIFEST);
	enum err e = import_bytes(c, import, TAR_BLOCK, entry->size, &text);
	if (e)
		return e;
	if ((int64_t)text.n < entry->size)
		return refuse_rest(c, import, MANIFEST_NAME, &TRUNCATED);
	if (manifest_is_other((const char *)text.data, text.n))
		return refuse_rest(c, import, MANIFEST_NAME, &OTHER_FORMAT);
	if (text.n == 0 || manifest_read(c->arena, (const char *)text.data, text.n, &manifest))
		return refuse_rest(c, import, MANIFEST_NAME, &NO_MANIFEST);
	const char *lines = manifest.note.text + manifest.entries;
	import->manifest_line = TAR_BLOCK + (int64_t)manifest.entries;
	import_next(import, entry);
	if (!is_only_files(lines, strlen(lines)))
		return refuse_rest(c, import, MANIFEST_NAME, &NO_MANIFEST);
	return note_manifest(c, import, &text, &manifest);
}

/* ---- the list of files ---- */

/* Up to the empty line that ends it, and nothing behind. */
static enum err check_names(struct call *c, struct import *import, const char *text, size_t n)
{
	struct manifest_line line;
	size_t length;
	unsigned rank = 0;
	bool is_first = true;
	for (; n > 1 || (n == 1 && *text != '\n'); text += length, n -= length, is_first = false) {
		if (manifest_line_read(text, n, &line, &length))
			return refuse_rest(c, import, MANIFEST_FILES, &NO_MANIFEST);
		const struct import_name name = import_name_of(c->arena, line.entry.name);
		bool is_again = !is_first && name.kind == IMPORT_DATA && name.rank == rank;
		if (name.kind == IMPORT_UNKNOWN)
			return refuse_rest(c, import, line.entry.name, &UNKNOWN);
		if (name.rank < rank || is_again)
			return refuse_rest(c, import, line.entry.name, is_again ? &TWICE : &ORDER);
		rank = name.rank;
	}
	return n == 1 ? OK : refuse_rest(c, import, MANIFEST_FILES, &NO_MANIFEST);
}

/* What follows is read by its lines, which the manifest's hash has proven. */
static enum err read_files(struct call *c, struct import *import, const struct tar_entry *entry)
{
	struct bytes text;
	if (import->faults > 0) {
		import->state = "refused";
		return OK;
	}
	import->manifest_line = import->entry + TAR_BLOCK;
	enum err e = import_bytes(c, import, import->manifest_line, entry->size, &text);
	return e ? e : check_names(c, import, (const char *)text.data, text.n);
}

/* ---- the others ---- */

/* Where the hash of an entry stands; only the one job thread comes here. */
static struct {
	char import_id[UUID_SIZE];
	int64_t entry, position;
	struct sha256 hash;
} at;

static void take_up(struct import *import)
{
	import->position = import->entry + TAR_BLOCK;
	if (strcmp(at.import_id, import->id) == 0 && at.entry == import->entry) {
		import->position = at.position;
		return;
	}
	memcpy(at.import_id, import->id, UUID_SIZE);
	at.entry = import->entry;
	at.position = import->position;
	crypto_sha256_begin(&at.hash);
}

static bool is_zeroes(const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (data[i] != 0)
			return false;
	return true;
}

/* Padding is under no hash, and holds nothing. */
static enum err check_end(struct call *c, struct import *import, const struct tar_entry *entry,
	const struct manifest_line *line)
{
	struct bytes padding;
	unsigned char hash[HASH_SIZE];
	int64_t n = tar_padded(entry->size) - entry->size;
	crypto_sha256_end(&at.hash, hash);
	at.import_id[0] = '\0';
	enum err e = import_bytes(c, import, import->position, n, &padding);
	if (e)
		return e;
	if ((int64_t)padding.n < n)
		return refuse_rest(c, import, entry->name, &TRUNCATED);
	if (!is_zeroes(padding.data, padding.n) || memcmp(hash, line->hash, HASH_SIZE) != 0)
		return refuse(c, import, entry->name, &CHANGED);
	return OK;
}

static enum err note_video(struct call *c, struct import *import, const struct tar_entry *entry)
{
	int64_t made = 1;
	const struct import_name name = import_name_of(c->arena, entry->name);
	enum err e = name.kind != IMPORT_MEDIA
		? OK
		: db_count(c, FILE_PUT,
			  DB_ARGS(import->id, name.media_id, db_integer(c, entry->size)), &made);
	return e || made ? e : refuse(c, import, entry->name, &TWICE);
}

static enum err note_checkpoint(
	struct call *c, struct import *import, const struct tar_entry *entry)
{
	struct bytes text;
	struct note note;
	struct checkpoint checkpoint;
	if (strcmp(entry->name, CHECKPOINT_NAME) != 0)
		return OK;
	enum err e = import_bytes(c, import, import->entry + TAR_BLOCK,
		entry->size < NOTE_SIZE_MAX ? entry->size : NOTE_SIZE_MAX, &text);
	if (e)
		return e;
	if (text.n == 0 || note_read(c->arena, (const char *)text.data, text.n, &note) ||
		checkpoint_read(c->arena, note.text, &checkpoint))
		return refuse(c, import, entry->name, &NO_CHECKPOINT);
	const char *said = arena_printf(c->arena, "%llu:%s", (unsigned long long)checkpoint.size,
		crypto_hex(c->arena, checkpoint.root.bytes, HASH_SIZE));
	return db_exec(c, CHECKPOINT_PUT, DB_ARGS(import->id, said));
}

static enum err end_entry(struct call *c, struct import *import, const struct tar_entry *entry,
	const struct manifest_line *line)
{
	enum err e = check_end(c, import, entry, line);
	if (!e && strcmp(entry->name, MANIFEST_FILES) == 0)
		e = read_files(c, import, entry);
	if (!e)
		e = note_video(c, import, entry);
	if (!e)
		e = note_checkpoint(c, import, entry);
	import_next(import, entry);
	return e;
}

/* Up to *budget bytes of the entry in hand; what is left of it is for the next part. */
static enum err hash_some(
	struct call *c, struct import *import, const struct tar_entry *entry, int64_t *budget)
{
	int64_t end = import->entry + TAR_BLOCK + entry->size;
	while (import->position<end && * budget> 0) {
		struct bytes data;
		int64_t left = end - import->position;
		enum err e = import_bytes(
			c, import, import->position, left < READ_BYTES ? left : READ_BYTES, &data);
		if (e)
			return e;
		if (data.n == 0)
			return refuse_rest(c, import, entry->name, &TRUNCATED);
		crypto_sha256_add(&at.hash, data.data, data.n);
		import->position += (int64_t)data.n;
		*budget -= (int64_t)data.n;
		at.position = import->position;
	}
	return OK;
}

/* The manifest's line of the entry in hand; *length 0 at the end of them. */
static enum err read_line(
	struct call *c, const struct import *import, struct manifest_line *line, size_t *length)
{
	struct bytes text;
	*length = 0;
	enum err e = import_bytes(c, import, import->manifest_line, MANIFEST_LINE_MAX, &text);
	if (e || text.n == 0 || text.data[0] == '\n')
		return e;
	if (manifest_line_read((const char *)text.data, text.n, line, length))
		return fail(c, ERR_INTERNAL, "a line of the manifest was read before");
	return OK;
}

/* The entry that the manifest names next, or a part of it. */
static enum err check_entry(
	struct call *c, struct import *import, const struct tar_entry *entry, int64_t *budget)
{
	struct manifest_line line;
	size_t length;
	enum err e = read_line(c, import, &line, &length);
	if (e)
		return e;
	if (length == 0 || strcmp(line.entry.name, entry->name) != 0 ||
		line.entry.size != entry->size)
		return refuse_rest(c, import, entry->name, &NOT_AS_LISTED);
	take_up(import);
	e = hash_some(c, import, entry, budget);
	if (e || strcmp(import->state, "refused") == 0 ||
		import->position < import->entry + TAR_BLOCK + entry->size)
		return e;
	import->manifest_line += (int64_t)length;
	return end_entry(c, import, entry, &line);
}

/* Two blocks of zeroes where the manifest ends, and nothing behind them. */
static enum err end_archive(struct call *c, struct import *import)
{
	struct manifest_line line;
	struct bytes rest;
	size_t length;
	enum err e = read_line(c, import, &line, &length);
	if (!e)
		e = import_bytes(c, import, import->entry, 3 * TAR_BLOCK, &rest);
	if (e)
		return e;
	if (length > 0)
		return refuse_rest(c, import, line.entry.name, &TRUNCATED);
	if (rest.n < 2 * TAR_BLOCK)
		return refuse_rest(c, import, MANIFEST_NAME, &TRUNCATED);
	if (rest.n > 2 * TAR_BLOCK || !is_zeroes(rest.data, rest.n))
		return refuse_rest(c, import, MANIFEST_NAME, &SURPLUS);
	import->step = "lines";
	import->entry = 0;
	import->position = TAR_BLOCK;
	if (import->faults > 0)
		import->state = "refused";
	return OK;
}

/* Named after the entry that should be here. */
static enum err refuse_block(
	struct call *c, struct import *import, const struct arrival_reason *reason)
{
	struct manifest_line line = { .entry.name = MANIFEST_NAME };
	size_t length;
	enum err e = import->entry > 0 ? read_line(c, import, &line, &length) : OK;
	return e ? e
		 : refuse_rest(
			   c, import, *line.entry.name ? line.entry.name : MANIFEST_NAME, reason);
}

static enum err check_block(struct call *c, struct import *import, int64_t *budget)
{
	enum tar_block block;
	struct tar_entry entry = { 0 };
	enum err e = import_header(c, import, &block, &entry);
	if (e)
		return e;
	if (import->entry + TAR_BLOCK > import->size)
		return refuse_block(c, import, &TRUNCATED);
	if (block == TAR_ZEROES && import->entry > 0)
		return end_archive(c, import);
	if (block != TAR_ENTRY)
		return refuse_block(c, import, &BLOCKS[block == TAR_ZEROES ? TAR_DAMAGED : block]);
	return import->entry == 0 ? read_manifest(c, import, &entry)
				  : check_entry(c, import, &entry, budget);
}

enum err import_structure(struct call *c, struct import *import)
{
	enum err e = OK;
	int64_t budget = IMPORT_STEP_BYTES;
	for (int i = 0; i < IMPORT_STEP_ENTRIES && budget > 0 && !e; i++) {
		if (strcmp(import->state, "checking") != 0 ||
			strcmp(import->step, "structure") != 0)
			break;
		e = check_block(c, import, &budget);
	}
	return e;
}
