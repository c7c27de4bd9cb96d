/*
 * Tables of the log for spreadsheets: in each row is the stored line, which a proof covers, and
 * what the cells before it must say follows from it. The proof is that of a range or, of what a
 * search has found, the row's own, in the cell behind the line.
 *
 * The page of the log puts a last row behind them, `proof`, whose last cell is the head of a
 * download (download.c); so it stands where nobody reads, and spreadsheets open the file as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

#define PROOF_MAX (128 * 1024) /* of the last row */
#define PROOF_NAME "proof"

struct table {
	struct request *request;
	struct range *range; /* NULL: what a search has found */
	const struct checkpoint *checkpoint; /* of that */
	struct rows *rows;
	size_t columns;
	uint64_t rows_n; /* that were good */
	struct arena *arena; /* for one row */
	enum language language; /* of its names */
};

bool is_table(FILE *file)
{
	int c = getc(file);
	if (c != EOF)
		(void)ungetc(c, file);
	return c == (unsigned char)*LOG_TABLE_MARK || c == '"';
}

static enum finding at_row(const struct table *table, enum finding finding)
{
	const uint64_t before = table->range ? table->range->peaks.size : table->rows_n;
	return found(table->request, finding, "%llu", (unsigned long long)before + 1);
}

/* ---- names ---- */

static bool skip_mark(FILE *file)
{
	int c = getc(file);
	if (c != (unsigned char)LOG_TABLE_MARK[0])
		return c == EOF || ungetc(c, file) == c;
	return getc(file) == (unsigned char)LOG_TABLE_MARK[1] &&
		getc(file) == (unsigned char)LOG_TABLE_MARK[2];
}

/* How many of the names are not these, and which is the first. */
static size_t count_others(const struct table *table, const char *const *cells,
	enum language language, const char **first)
{
	size_t n = 0;
	const char *const *names = log_table_names(language);
	for (size_t i = 0; i < table->columns; i++)
		if (strcmp(cells[i], names[i]) != 0 && !n++)
			*first = names[i];
	return n;
}

static enum finding read_names(struct table *table, FILE *file)
{
	const char *const *cells, *ja = NULL, *en = NULL;
	if (!skip_mark(file) || rows_next(table->rows, &cells) != ROW_WHOLE)
		return found(table->request, MALFORMED, "%s", table->request->file);
	size_t other_ja = count_others(table, cells, LANGUAGE_JA, &ja),
	       other_en = count_others(table, cells, LANGUAGE_EN, &en);
	table->language = other_ja <= other_en ? LANGUAGE_JA : LANGUAGE_EN;
	if (other_ja == table->columns && other_en == table->columns)
		return found(table->request, MALFORMED, "%s", table->request->file);
	return other_ja && other_en
		? found(table->request, CHANGED, "%s", other_ja <= other_en ? ja : en)
		: GOOD;
}

/* ---- rows ---- */

/* "index 4 HASH HASH", as note_proof() reads it. */
static bool read_row_proof(
	struct arena *arena, const char *cell, uint64_t *index, struct merkle_proof *proof)
{
	static const char name[] = "index ";
	if (strncmp(cell, name, strlen(name)) != 0)
		return false;
	char *text = arena_printf(arena, "%s\n\n", cell + strlen(name));
	for (char *at = text; (at = strchr(at, ' '));)
		*at = '\n';
	const char *rest;
	return note_number(text, '\n', index, &rest) && note_proof(arena, rest, proof, &rest) &&
		!*rest;
}

static enum finding check_found_row(struct table *table, const char *const *cells)
{
	uint64_t index;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	const char *line = cells[LOG_LINE];
	if (!read_row_proof(table->arena, cells[LOG_PROOF], &index, &proof))
		return found(table->request, CHANGED, "%llu, %s",
			(unsigned long long)log_line_sequence(line, strlen(line)),
			log_table_names(table->language)[LOG_PROOF]);
	merkle_leaf(line, strlen(line), &leaf);
	return merkle_has_leaf(
		       &table->checkpoint->root, table->checkpoint->size, index, &leaf, &proof)
		? GOOD
		: found(table->request, NOT_IN_LOG, "%llu", (unsigned long long)index + 1);
}

/* The line first: that one is dropped or moved says more than that its cells are another's. */
static enum finding check_row(struct table *table, const char *const *cells)
{
	const char *wanted[LOG_RUN_COLUMNS], *line = cells[LOG_LINE];
	const char *const *names = log_table_names(table->language);
	arena_reset(table->arena);
	enum finding finding = table->range
		? range_take(table->request, table->range, line, strlen(line))
		: check_found_row(table, cells);
	if (finding != GOOD)
		return finding;
	log_table_cells(table->arena, table->language, line, wanted);
	for (size_t i = 0; i < LOG_LINE; i++)
		if (strcmp(cells[i], wanted[i]) != 0)
			return found(table->request, CHANGED, "%llu, %s",
				(unsigned long long)log_line_sequence(line, strlen(line)),
				names[i]);
	table->rows_n++;
	return GOOD;
}

static enum finding check_rows(struct table *table, FILE *file, int64_t until)
{
	const char *const *cells;
	enum finding finding = read_names(table, file);
	while (finding == GOOD && (until == TO_THE_END || ftello(file) < until)) {
		enum row row = rows_next(table->rows, &cells);
		if (row == ROW_NONE)
			return ferror(file)
				? found(table->request, UNREADABLE, "%s", table->request->file)
				: GOOD;
		if (row == ROW_WHOLE)
			finding = check_row(table, cells);
		else
			finding = at_row(table, row == ROW_CUT ? TRUNCATED : CHANGED);
	}
	/* A quote that is missing would draw the proof into a row. */
	return finding == GOOD && until != TO_THE_END && ftello(file) != until
		? at_row(table, CHANGED)
		: finding;
}

static enum finding check_all_rows(struct table *table, FILE *file, int64_t until)
{
	table->arena = arena_new();
	table->rows = rows_open(file, table->columns);
	enum finding finding = check_rows(table, file, until);
	rows_close(table->rows);
	arena_free(table->arena);
	return finding;
}

enum finding check_table(struct request *request, struct range *range, FILE *file, int64_t until)
{
	struct table table = { .request = request, .range = range, .columns = LOG_RUN_COLUMNS };
	enum finding finding = range_begin(request, range);
	if (finding == GOOD)
		finding = check_all_rows(&table, file, until);
	return finding == GOOD ? range_end(request, range) : finding;
}

enum finding check_found_table(
	struct request *request, const struct checkpoint *checkpoint, FILE *file, int64_t until)
{
	struct table table = {
		.request = request, .checkpoint = checkpoint, .columns = LOG_FOUND_COLUMNS
	};
	enum finding finding = check_all_rows(&table, file, until);
	return finding == GOOD ? found(request, GOOD, "%s, %llu", checkpoint->origin,
					 (unsigned long long)table.rows_n)
			       : finding;
}

/* ---- its proof ---- */

/* Where the last row begins that has the head of a download, or -1. */
static int64_t find_proof(FILE *file, char *tail)
{
	int64_t at = -1;
	if (fseeko(file, 0, SEEK_END) != 0)
		return -1;
	const int64_t size = ftello(file), from = size > PROOF_MAX ? size - PROOF_MAX : 0;
	if (fseeko(file, from, SEEK_SET) != 0 ||
		fread(tail, 1, (size_t)(size - from), file) != (size_t)(size - from))
		return -1;
	const char *end = tail + (size - from), *line = tail;
	for (const char *next; line < end; line = next) {
		const size_t n = (size_t)(end - line), head_n = strlen(DOWNLOAD_HEAD);
		const char *head = memmem(line, n, DOWNLOAD_HEAD, head_n);
		if (!head)
			break;
		const char *begin = memrchr(line, '\n', (size_t)(head - line));
		at = from + ((begin ? begin + 1 : line) - tail);
		next = head + head_n;
	}
	return at;
}

/* The row of the proof: its name, nothing, and the head, to the end of the file. */
static enum finding read_proof(struct request *request, struct rows *rows, const char **head)
{
	const char *const *cells, *const *none;
	enum row row = rows_next(rows, &cells);
	if (row != ROW_WHOLE)
		return found(request, row == ROW_BROKEN ? MALFORMED : TRUNCATED, PROOF_NAME);
	bool is_proof = strcmp(cells[0], PROOF_NAME) == 0;
	for (size_t i = 1; i < LOG_LINE; i++)
		is_proof = is_proof && !*cells[i];
	if (!is_proof)
		return found(request, CHANGED, PROOF_NAME);
	*head = arena_strdup(request->arena, cells[LOG_LINE]);
	return rows_next(rows, &none) == ROW_NONE ? GOOD : found(request, SURPLUS, PROOF_NAME);
}

enum finding table_proof(struct request *request, FILE *file, const char **head, int64_t *until)
{
	*until = find_proof(file, arena_alloc(request->arena, PROOF_MAX));
	if (*until < 0)
		return found(request, TRUNCATED, PROOF_NAME);
	if (fseeko(file, *until, SEEK_SET) != 0)
		return found(request, UNREADABLE, "%s", request->file);
	struct rows *rows = rows_open(file, LOG_RUN_COLUMNS);
	enum finding finding = read_proof(request, rows, head);
	rows_close(rows);
	rewind(file);
	return finding;
}
