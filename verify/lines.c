/* Events: one with its proof, or an export of any length, which is read once and never kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

#define LINE_MAX_BYTES 8192 /* proto/audit.yaml */
#define EVENT_HEAD "c2sp.org/tlog-proof@v1\n"
#define RANGE_HEAD "manabiya-log-range@v1\n"

/* ---- one event ---- */

/* The first line of the file, without its newline; the rest must be empty. */
static bool read_one_line(const char *text, size_t *n)
{
	*n = strcspn(text, "\n");
	return *n > 0 && *n <= LINE_MAX_BYTES && (!text[*n] || !text[*n + 1]);
}

static bool skip(const char **text, const char *head)
{
	size_t n = strlen(head);
	if (strncmp(*text, head, n) != 0)
		return false;
	*text += n;
	return true;
}

enum finding check_event(struct request *request)
{
	size_t n;
	const char *line = input_text(request, request->file);
	const char *proof = input_text(request, request->proof);
	if (!line || !proof)
		return found(request, UNREADABLE, "%s", line ? request->proof : request->file);
	if (!read_one_line(line, &n))
		return found(request, MALFORMED, "%s", request->file);
	return check_line(
		request, (struct bytes){ (const unsigned char *)line, n }, proof, request->proof);
}

enum finding check_line(
	struct request *request, struct bytes line, const char *rest, const char *path)
{
	struct checkpoint checkpoint;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	uint64_t index;
	if (!skip(&rest, EVENT_HEAD) || !skip(&rest, "index ") ||
		!note_number(rest, '\n', &index, &rest) ||
		!note_proof(request->arena, rest, &proof, &rest))
		return found(request, MALFORMED, "%s", path);
	enum finding finding = read_signed(request, rest, path, &checkpoint);
	if (finding != GOOD)
		return finding;
	merkle_leaf(line.data, line.n, &leaf);
	unsigned long long sequence = index + 1; /* as the line itself has it */
	if (!merkle_has_leaf(&checkpoint.root, checkpoint.size, index, &leaf, &proof))
		return found(request, NOT_IN_LOG, "%llu", sequence);
	return found(request, GOOD, "%s, %llu", checkpoint.origin, sequence);
}

/* ---- an export ---- */

enum finding read_range(
	struct request *request, const char *rest, const char *path, struct range *range)
{
	if (!skip(&rest, RANGE_HEAD) || !skip(&rest, "range ") ||
		!note_number(rest, ' ', &range->first, &rest) ||
		!note_number(rest, '\n', &range->end, &rest) ||
		!note_proof(request->arena, rest, &range->proof, &rest))
		return found(request, MALFORMED, "%s", path);
	enum finding finding = read_signed(request, rest, path, &range->checkpoint);
	if (finding != GOOD || !request->since)
		return finding;
	return read_since(request, &range->checkpoint, &range->since);
}

/* Where the earlier checkpoint ends, its root must come out. */
static bool is_forked(const struct range *range)
{
	struct merkle_hash root;
	if (!range->since.size || range->peaks.size != range->since.size)
		return false;
	merkle_root(&range->peaks, &root);
	return !merkle_equal(&root, &range->since.root);
}

/* A line must name the place at which it stands: what is dropped or moved betrays itself even
 * before the hash does, and tells where. */
enum finding range_take(struct request *request, struct range *range, const char *line, size_t n)
{
	struct merkle_hash leaf;
	uint64_t wanted = range->peaks.size + 1, named = log_line_sequence(line, n);
	if (range->peaks.size == range->end)
		return found(request, SURPLUS, "%llu", (unsigned long long)wanted);
	if (n == 0 || n > LINE_MAX_BYTES || !named)
		return found(request, CHANGED, "%llu", (unsigned long long)wanted);
	if (named > wanted)
		return found(request, DROPPED, "%llu - %llu", (unsigned long long)wanted,
			(unsigned long long)named - 1);
	if (named < wanted)
		return found(request, REORDERED, "%llu, %llu", (unsigned long long)named,
			(unsigned long long)wanted);
	merkle_leaf(line, n, &leaf);
	merkle_append(&range->peaks, &leaf);
	range->has_forked |= is_forked(range);
	return GOOD;
}

static enum finding read_lines(struct request *request, struct range *range, FILE *file)
{
	char *line = NULL;
	size_t capacity = 0;
	enum finding finding = GOOD;
	for (ssize_t n; finding == GOOD && (n = getline(&line, &capacity, file)) > 0;) {
		bool is_whole = line[n - 1] == '\n';
		finding = is_whole ? range_take(request, range, line, (size_t)n - 1)
				   : found(request, TRUNCATED, "%llu",
					     (unsigned long long)range->peaks.size + 1);
	}
	if (finding == GOOD && ferror(file))
		finding = found(request, UNREADABLE, "%s", request->file);
	free(line);
	return finding;
}

static enum finding compare_root(struct request *request, struct range *range)
{
	struct merkle_hash root;
	bool is_complete = merkle_range_end(
		&range->peaks, range->checkpoint.size, &range->proof, &range->used);
	merkle_root(&range->peaks, &root);
	if (!is_complete)
		return found(
			request, MALFORMED, "%s", request->proof ? request->proof : request->file);
	if (!merkle_equal(&root, &range->checkpoint.root))
		return found(request, CHANGED, "%llu - %llu", (unsigned long long)range->first + 1,
			(unsigned long long)range->end);
	/* Only now: lines that are not those of the log say nothing of its history. */
	if (range->has_forked)
		return found(request, FORKED, "%llu", (unsigned long long)range->since.size);
	return found(request, GOOD, "%s, %llu - %llu", range->checkpoint.origin,
		(unsigned long long)range->first + 1, (unsigned long long)range->end);
}

/* An earlier checkpoint outside the range would go unchecked. */
static bool is_covered(const struct range *range)
{
	return !range->since.size ||
		(range->since.size >= range->first && range->since.size <= range->end);
}

enum finding range_begin(struct request *request, struct range *range)
{
	if (!merkle_range_begin(&range->peaks, range->first, &range->proof, &range->used) ||
		!is_covered(range))
		return found(
			request, MALFORMED, "%s", request->proof ? request->proof : request->file);
	range->has_forked = is_forked(range);
	return GOOD;
}

enum finding range_end(struct request *request, struct range *range)
{
	if (range->peaks.size < range->end)
		return found(request, TRUNCATED, "%llu - %llu",
			(unsigned long long)range->peaks.size + 1, (unsigned long long)range->end);
	return compare_root(request, range);
}

enum finding check_lines(struct request *request, struct range *range, FILE *file)
{
	enum finding finding = range_begin(request, range);
	if (finding == GOOD)
		finding = read_lines(request, range, file);
	return finding == GOOD ? range_end(request, range) : finding;
}

enum finding check_export(struct request *request)
{
	struct range *range = arena_alloc(request->arena, sizeof(*range));
	const char *proof = input_text(request, request->proof);
	if (!proof)
		return found(request, UNREADABLE, "%s", request->proof);
	enum finding finding = read_range(request, proof, request->proof, range);
	if (finding != GOOD)
		return finding;
	FILE *file = fopen(request->file, "re");
	if (!file)
		return found(request, UNREADABLE, "%s", request->file);
	finding = is_table(file) ? check_table(request, range, file, TO_THE_END)
				 : check_lines(request, range, file);
	(void)fclose(file);
	return finding;
}
