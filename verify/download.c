/*
 * What the page of the log gives to take away: one file of lines, their proof and the checkpoint.
 *
 *   manabiya-log-download@v1
 *   key KEY              as the page knew them: to be compared with one's own, not to be believed
 *                        (an empty line)
 *   checkpoint           a signed note, and an empty line
 *
 * and then either a run of the log, `range FIRST END`, hashes, an empty line, lines to the end of
 * the file; or what a search has found, each as `index N`, hashes, an empty line, the line.
 *
 * A table for spreadsheets has what stands before the lines in its last row (table.c); of what a
 * search has found the hashes stand in the rows, so there it ends with the checkpoint.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

#define HEAD_MAX (64 * 1024) /* of what stands before the lines: keys, a note, hashes */
#define RUN "range "
#define KEYS_END 1 /* empty lines */
#define CHECKPOINT_END 3

struct reader {
	struct request *request;
	FILE *file;
	char *line; /* getline's */
	size_t capacity;
};

/* Whole lines up to and with the empty line number `empty`; NULL when there are none so. */
static const char *read_until(struct reader *reader, unsigned empty)
{
	struct buf text = { .arena = reader->request->arena };
	while (empty > 0) {
		ssize_t n = getline(&reader->line, &reader->capacity, reader->file);
		if (n <= 0 || reader->line[n - 1] != '\n' || text.n + (size_t)n > HEAD_MAX ||
			memchr(reader->line, '\0', (size_t)n))
			return NULL;
		empty -= n == 1;
		buf_add(&text, reader->line, (size_t)n);
	}
	return text.data;
}

static enum finding malformed(const struct reader *reader)
{
	return found(reader->request, MALFORMED, "%s", reader->request->file);
}

static enum finding read_head(struct reader *reader, struct checkpoint *out)
{
	struct request *request = reader->request;
	const char *keys = read_until(reader, KEYS_END);
	const char *note = keys ? read_until(reader, CHECKPOINT_END - KEYS_END) : NULL;
	if (!note || strncmp(keys, DOWNLOAD_HEAD, strlen(DOWNLOAD_HEAD)) != 0)
		return malformed(reader);
	note = arena_strndup(request->arena, note, strlen(note) - 1);
	return read_signed(request, note, request->file, out);
}

/* ---- what a search has found ---- */

static enum finding check_found(
	struct reader *reader, const struct checkpoint *checkpoint, const char *head)
{
	uint64_t index;
	const char *rest;
	struct merkle_hash leaf;
	struct merkle_proof proof;
	struct request *request = reader->request;
	if (!note_number(head + strlen("index "), '\n', &index, &rest) ||
		!note_proof(request->arena, rest, &proof, &rest))
		return malformed(reader);
	ssize_t n = getline(&reader->line, &reader->capacity, reader->file);
	if (n <= 1 || reader->line[n - 1] != '\n')
		return found(request, TRUNCATED, "%llu", (unsigned long long)index + 1);
	merkle_leaf(reader->line, (size_t)n - 1, &leaf);
	if (!merkle_has_leaf(&checkpoint->root, checkpoint->size, index, &leaf, &proof))
		return found(request, NOT_IN_LOG, "%llu", (unsigned long long)index + 1);
	return GOOD;
}

static enum finding check_all_found(
	struct reader *reader, const struct checkpoint *checkpoint, const char *head)
{
	static const char first[] = "index ";
	enum finding finding = GOOD;
	uint64_t n = 0;
	for (; finding == GOOD && head; n++) {
		if (strncmp(head, first, strlen(first)) != 0)
			return malformed(reader);
		finding = check_found(reader, checkpoint, head);
		int next = finding == GOOD ? fgetc(reader->file) : EOF;
		if (next == EOF)
			break;
		(void)ungetc(next, reader->file);
		head = read_until(reader, 1);
		if (!head)
			return malformed(reader);
	}
	return finding != GOOD ? finding
			       : found(reader->request, GOOD, "%s, %llu", checkpoint->origin,
					 (unsigned long long)n + 1);
}

/* ---- a run of the log ---- */

static enum finding read_run(struct reader *reader, const struct checkpoint *checkpoint,
	const char *head, struct range *range)
{
	struct request *request = reader->request;
	const char *rest = head + strlen(RUN);
	range->checkpoint = *checkpoint;
	if (!note_number(rest, ' ', &range->first, &rest) ||
		!note_number(rest, '\n', &range->end, &rest) ||
		!note_proof(request->arena, rest, &range->proof, &rest))
		return malformed(reader);
	return request->since ? read_since(request, checkpoint, &range->since) : GOOD;
}

static enum finding check_run(
	struct reader *reader, const struct checkpoint *checkpoint, const char *head)
{
	struct range *range = arena_alloc(reader->request->arena, sizeof(*range));
	enum finding finding = read_run(reader, checkpoint, head, range);
	return finding == GOOD ? check_lines(reader->request, range, reader->file) : finding;
}

static enum finding check_file(struct reader *reader)
{
	struct checkpoint checkpoint = { 0 };
	enum finding finding = read_head(reader, &checkpoint);
	if (finding != GOOD)
		return finding;
	int next = fgetc(reader->file);
	if (next == EOF)
		return found(reader->request, GOOD, "%s, 0", checkpoint.origin);
	(void)ungetc(next, reader->file);
	const char *head = read_until(reader, 1);
	if (!head)
		return malformed(reader);
	if (strncmp(head, RUN, strlen(RUN)) == 0)
		return check_run(reader, &checkpoint, head);
	return check_all_found(reader, &checkpoint, head);
}

/* ---- a table ---- */

/* The text of a table's last row, and the rows before it. */
static enum finding check_rows_before(struct reader *text, FILE *file, int64_t until)
{
	struct checkpoint checkpoint = { 0 };
	struct range *range = arena_alloc(text->request->arena, sizeof(*range));
	enum finding finding = read_head(text, &checkpoint);
	if (finding != GOOD)
		return finding;
	int next = fgetc(text->file);
	if (next == EOF)
		return check_found_table(text->request, &checkpoint, file, until);
	(void)ungetc(next, text->file);
	const char *head = read_until(text, 1);
	if (!head || strncmp(head, RUN, strlen(RUN)) != 0 || fgetc(text->file) != EOF)
		return malformed(text);
	finding = read_run(text, &checkpoint, head, range);
	return finding == GOOD ? check_table(text->request, range, file, until) : finding;
}

static enum finding check_table_file(struct reader *reader)
{
	int64_t until;
	const char *head;
	struct reader text = { .request = reader->request };
	enum finding finding = table_proof(reader->request, reader->file, &head, &until);
	if (finding != GOOD)
		return finding;
	text.file = fmemopen((char *)(uintptr_t)head, strlen(head), "r");
	if (!text.file)
		return malformed(reader);
	finding = check_rows_before(&text, reader->file, until);
	(void)fclose(text.file);
	free(text.line);
	return finding;
}

enum finding check_download(struct request *request)
{
	struct reader reader = { .request = request, .file = fopen(request->file, "re") };
	if (!reader.file)
		return found(request, UNREADABLE, "%s", request->file);
	enum finding finding =
		is_table(reader.file) ? check_table_file(&reader) : check_file(&reader);
	(void)fclose(reader.file);
	free(reader.line);
	return finding;
}
