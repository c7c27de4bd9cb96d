/*
 * Tables of the log for spreadsheets: the last cell of each row is the stored line, which the proof
 * of the range covers, and what the others must say follows from it.
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
	struct range *range;
	struct rows *rows;
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
	return found(
		table->request, finding, "%llu", (unsigned long long)table->range->peaks.size + 1);
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
static size_t count_others(const char *const *cells, enum language language, const char **first)
{
	size_t n = 0;
	const char *const *names = log_table_names(language);
	for (size_t i = 0; i < LOG_COLUMNS; i++)
		if (strcmp(cells[i], names[i]) != 0 && !n++)
			*first = names[i];
	return n;
}

static enum finding read_names(struct table *table, FILE *file)
{
	const char *const *cells, *ja = NULL, *en = NULL;
	if (!skip_mark(file) || rows_next(table->rows, &cells) != ROW_WHOLE)
		return found(table->request, MALFORMED, "%s", table->request->file);
	size_t other_ja = count_others(cells, LANGUAGE_JA, &ja),
	       other_en = count_others(cells, LANGUAGE_EN, &en);
	table->language = other_ja <= other_en ? LANGUAGE_JA : LANGUAGE_EN;
	if (other_ja == LOG_COLUMNS && other_en == LOG_COLUMNS)
		return found(table->request, MALFORMED, "%s", table->request->file);
	return other_ja && other_en
		? found(table->request, CHANGED, "%s", other_ja <= other_en ? ja : en)
		: GOOD;
}

/* ---- rows ---- */

/* The line first: that one is dropped or moved says more than that its cells are another's. */
static enum finding check_row(struct table *table, const char *const *cells)
{
	const char *wanted[LOG_COLUMNS], *line = cells[LOG_LINE];
	const char *const *names = log_table_names(table->language);
	enum finding finding = range_take(table->request, table->range, line, strlen(line));
	if (finding != GOOD)
		return finding;
	arena_reset(table->arena);
	log_table_cells(table->arena, table->language, line, wanted);
	for (size_t i = 0; i < LOG_COLUMNS; i++)
		if (strcmp(cells[i], wanted[i]) != 0)
			return found(table->request, CHANGED, "%llu, %s",
				(unsigned long long)table->range->peaks.size, names[i]);
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

enum finding check_table(struct request *request, struct range *range, FILE *file, int64_t until)
{
	struct table table = { .request = request, .range = range, .arena = arena_new() };
	table.rows = rows_open(file);
	enum finding finding = range_begin(request, range);
	if (finding == GOOD)
		finding = check_rows(&table, file, until);
	if (finding == GOOD)
		finding = range_end(request, range);
	rows_close(table.rows);
	arena_free(table.arena);
	return finding;
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
	struct rows *rows = rows_open(file);
	enum finding finding = read_proof(request, rows, head);
	rows_close(rows);
	rewind(file);
	return finding;
}
