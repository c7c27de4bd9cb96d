/*
 * Archives of everything of a contract: signed, whole, in order, every file as it was.
 *
 * A tar is read from its beginning to its end, once: the manifest, which the key must have signed,
 * names the list of files, and that list what must follow. The log that lies in it is checked
 * against its own proof then, as an export of the log is.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/manifest.h"
#include "verify/verify.h"

#define LIST_MAX (256 * 1024 * 1024) /* bytes of the list of files: some two million of them */
#define PIECE 65536
#define LINES_NAME "log/log.jsonl"
#define PROOF_NAME "log/proof"

/* Where the log lies in the archive. */
struct part {
	int64_t offset, size;
};

struct archive {
	struct request *request;
	FILE *file;
	struct manifest manifest;
	char *list; /* of files, behind their last line a NUL; malloc's */
	const char *at, *end; /* the line of the entry that should come next; behind the last */
	struct part lines, proof;
	unsigned long long entries;
};

static enum finding name_it(const struct archive *archive, enum finding finding, const char *name)
{
	return found(archive->request, finding, "%s", name);
}

static bool read_whole(const struct archive *archive, void *out, size_t n)
{
	return fread(out, 1, n, archive->file) == n;
}

/* ---- entries ---- */

/* The name stands in the list before or behind the place that is due. */
static bool is_listed(const char *from, const char *until, const char *name)
{
	const size_t n = strlen(name);
	for (const char *line = from, *end; line < until; line = end + 1) {
		end = memchr(line, '\n', (size_t)(until - line));
		if (!end)
			return false;
		if ((size_t)(end - line) > n && end[-(ptrdiff_t)n - 1] == ' ' &&
			memcmp(end - n, name, n) == 0)
			return true;
	}
	return false;
}

/* Another entry than the one that is due. */
static enum finding misplaced(
	const struct archive *archive, const char *due, const struct tar_entry *entry)
{
	if (!archive->list)
		return name_it(archive, MALFORMED, archive->request->file);
	if (is_listed(archive->list, archive->at, entry->name))
		return name_it(archive, REORDERED, entry->name);
	if (is_listed(archive->at, archive->end, entry->name))
		return name_it(archive, DROPPED, due);
	return name_it(archive, SURPLUS, entry->name);
}

/* The header of the entry that is due. */
static enum finding read_header(const struct archive *archive, const struct tar_entry *due)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry;
	if (!read_whole(archive, block, sizeof(block)))
		return name_it(archive, TRUNCATED, due->name);
	switch (tar_read(block, &entry)) {
	case TAR_ENTRY:
		break;
	case TAR_ZEROES:
		return name_it(archive, TRUNCATED, due->name);
	default:
		return name_it(archive, CHANGED, due->name);
	}
	if (strcmp(entry.name, due->name) != 0)
		return misplaced(archive, due->name, &entry);
	return entry.size == due->size ? GOOD : name_it(archive, CHANGED, due->name);
}

/* Zeroes up to a whole block, which no hash covers. */
static enum finding read_padding(const struct archive *archive, const struct tar_entry *entry)
{
	unsigned char block[TAR_BLOCK];
	static const unsigned char zeroes[TAR_BLOCK];
	const size_t n = (size_t)(tar_padded(entry->size) - entry->size);
	if (!read_whole(archive, block, n))
		return name_it(archive, TRUNCATED, entry->name);
	return memcmp(block, zeroes, n) == 0 ? GOOD : name_it(archive, CHANGED, entry->name);
}

static enum finding check_content(const struct archive *archive, const struct manifest_line *due)
{
	static unsigned char piece[PIECE];
	struct sha256 hash;
	unsigned char sum[HASH_SIZE];
	crypto_sha256_begin(&hash);
	for (int64_t left = due->entry.size; left > 0;) {
		const size_t n = left < PIECE ? (size_t)left : PIECE;
		if (!read_whole(archive, piece, n))
			return name_it(archive, TRUNCATED, due->entry.name);
		crypto_sha256_add(&hash, piece, n);
		left -= (int64_t)n;
	}
	crypto_sha256_end(&hash, sum);
	return crypto_equal(sum, due->hash, HASH_SIZE) ? read_padding(archive, &due->entry)
						       : name_it(archive, CHANGED, due->entry.name);
}

/* ---- manifest and list ---- */

static bool is_manifest_signed(const struct archive *archive)
{
	const struct request *request = archive->request;
	for (size_t i = 0; i < request->keys_n; i++)
		if (strcmp(request->keys[i].name, archive->manifest.log) == 0 &&
			note_is_signed(
				request->arena, &archive->manifest.note, &request->keys[i], NULL))
			return true;
	return false;
}

static enum finding read_manifest(struct archive *archive, struct manifest_line *files)
{
	size_t length;
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry;
	char *text = arena_alloc(archive->request->arena, NOTE_SIZE_MAX);
	const char *path = archive->request->file;
	if (!read_whole(archive, block, sizeof(block)) || tar_read(block, &entry) != TAR_ENTRY ||
		strcmp(entry.name, MANIFEST_NAME) != 0 || entry.size > NOTE_SIZE_MAX ||
		!read_whole(archive, text, (size_t)entry.size) ||
		manifest_read(
			archive->request->arena, text, (size_t)entry.size, &archive->manifest))
		return name_it(archive, MALFORMED, path);
	if (!is_manifest_signed(archive))
		return name_it(archive, UNSIGNED, MANIFEST_NAME);
	const char *line = archive->manifest.note.text + archive->manifest.entries;
	if (manifest_line_read(line, strlen(line), files, &length) || line[length] ||
		strcmp(files->entry.name, MANIFEST_FILES) != 0 || files->entry.size > LIST_MAX)
		return name_it(archive, MALFORMED, path);
	return read_padding(archive, &entry);
}

static enum finding read_list(struct archive *archive, const struct manifest_line *files)
{
	unsigned char sum[HASH_SIZE];
	const size_t n = (size_t)files->entry.size;
	enum finding finding = read_header(archive, &files->entry);
	if (finding != GOOD)
		return finding;
	char *list = calloc(1, n + 1);
	if (!list)
		abort();
	archive->list = list;
	archive->at = list;
	archive->end = list + n;
	if (!read_whole(archive, list, n))
		return name_it(archive, TRUNCATED, MANIFEST_FILES);
	crypto_sha256(list, n, sum);
	if (!crypto_equal(sum, files->hash, HASH_SIZE))
		return name_it(archive, CHANGED, MANIFEST_FILES);
	return read_padding(archive, &files->entry);
}

static void note_log(struct archive *archive, const struct tar_entry *entry)
{
	const struct part part = { ftello(archive->file), entry->size };
	if (strcmp(entry->name, LINES_NAME) == 0)
		archive->lines = part;
	if (strcmp(entry->name, PROOF_NAME) == 0)
		archive->proof = part;
}

static enum finding check_files(struct archive *archive)
{
	enum finding finding = GOOD;
	while (finding == GOOD && archive->at < archive->end && *archive->at != '\n') {
		size_t length;
		struct manifest_line due;
		if (manifest_line_read(
			    archive->at, (size_t)(archive->end - archive->at), &due, &length))
			return name_it(archive, MALFORMED, MANIFEST_FILES);
		finding = read_header(archive, &due.entry);
		note_log(archive, &due.entry);
		if (finding == GOOD)
			finding = check_content(archive, &due);
		archive->at += length;
		archive->entries++;
	}
	return finding;
}

/* Two blocks of zeroes, and nothing more. */
static enum finding check_end(const struct archive *archive)
{
	unsigned char block[TAR_BLOCK];
	struct tar_entry entry;
	for (int i = 0; i < 2; i++) {
		if (!read_whole(archive, block, sizeof(block)))
			return name_it(archive, TRUNCATED, archive->request->file);
		const enum tar_block is = tar_read(block, &entry);
		if (is != TAR_ZEROES)
			return name_it(archive, SURPLUS,
				is == TAR_ENTRY ? entry.name : archive->request->file);
	}
	return fgetc(archive->file) == EOF ? GOOD
					   : name_it(archive, SURPLUS, archive->request->file);
}

/* ---- the log inside ---- */

/* A file that is a part of another, for what reads to the end. */
struct section {
	FILE *file;
	int64_t left;
};

static ssize_t read_section(void *cookie, char *out, size_t n)
{
	struct section *section = cookie;
	const size_t most = (int64_t)n < section->left ? n : (size_t)section->left;
	const size_t got = fread(out, 1, most, section->file);
	section->left -= (int64_t)got;
	return (ssize_t)got;
}

static enum finding check_log_lines(const struct archive *archive, struct range *range)
{
	struct section log = { archive->file, archive->lines.size };
	FILE *lines = fopencookie(&log, "r", (cookie_io_functions_t){ .read = read_section });
	if (!lines || fseeko(archive->file, archive->lines.offset, SEEK_SET) != 0)
		return name_it(archive, UNREADABLE, archive->request->file);
	enum finding finding = check_lines(archive->request, range, lines);
	(void)fclose(lines);
	return finding;
}

static enum finding check_log(const struct archive *archive)
{
	struct request *request = archive->request;
	struct range *range = arena_alloc(request->arena, sizeof(*range));
	const size_t n = (size_t)archive->proof.size;
	if (!archive->lines.size || !n || n > PIECE)
		return name_it(archive, MALFORMED, PROOF_NAME);
	char *proof = arena_alloc(request->arena, n + 1);
	if (fseeko(archive->file, archive->proof.offset, SEEK_SET) != 0 ||
		!read_whole(archive, proof, n))
		return name_it(archive, UNREADABLE, request->file);
	enum finding finding = memchr(proof, '\0', n)
		? name_it(archive, MALFORMED, PROOF_NAME)
		: read_range(request, proof, PROOF_NAME, range);
	return finding == GOOD ? check_log_lines(archive, range) : finding;
}

static enum finding check_whole(struct archive *archive)
{
	struct manifest_line files;
	enum finding finding = read_manifest(archive, &files);
	if (finding == GOOD)
		finding = read_list(archive, &files);
	if (finding == GOOD)
		finding = check_files(archive);
	if (finding == GOOD)
		finding = check_end(archive);
	if (finding == GOOD)
		finding = check_log(archive);
	return finding != GOOD
		? finding
		: found(archive->request, GOOD, "%s, %s, %llu", archive->manifest.log,
			  archive->manifest.at, archive->entries);
}

enum finding check_archive(struct request *request)
{
	struct archive archive = { .request = request, .file = fopen(request->file, "re") };
	if (!archive.file)
		return found(request, UNREADABLE, "%s", request->file);
	enum finding finding = check_whole(&archive);
	(void)fclose(archive.file);
	free(archive.list);
	return finding;
}
