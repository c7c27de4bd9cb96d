/*
 * Rows of a table of the log as spreadsheets write them (RFC 4180), one at a time and of bounded
 * size. What they never write (text behind a closing quote, a quote within plain text, a NUL) is
 * refused, not guessed at.
 */
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

#define ROW_MAX                                                                                    \
	(128 * 1024) /* twice what stands in one at most: a proof of HEAD_MAX (download.c) */

struct rows {
	FILE *file;
	size_t columns, n, cells_n;
	const char *cells[LOG_FOUND_COLUMNS];
	char text[ROW_MAX];
};

struct rows *rows_open(FILE *file, size_t columns)
{
	struct rows *rows = calloc(1, sizeof(*rows));
	if (!rows)
		abort();
	rows->file = file;
	rows->columns = columns;
	return rows;
}

void rows_close(struct rows *rows)
{
	free(rows);
}

static bool add(struct rows *rows, int c)
{
	if (!c || rows->n == ROW_MAX - 1)
		return false;
	rows->text[rows->n++] = (char)c;
	return true;
}

/* Behind the opening quote; *next is what follows the closing one. Two quotes are one. */
static enum row read_quoted(struct rows *rows, int *next)
{
	for (int c; (c = getc(rows->file)) != EOF;) {
		if (c == '"' && (*next = getc(rows->file)) != '"')
			return ROW_WHOLE;
		if (!add(rows, c))
			return ROW_BROKEN;
	}
	return ROW_CUT;
}

static enum row read_plain(struct rows *rows, int c, int *next)
{
	for (; c != ',' && c != '\r' && c != '\n' && c != EOF; c = getc(rows->file))
		if (c == '"' || !add(rows, c))
			return ROW_BROKEN;
	*next = c;
	return ROW_WHOLE;
}

/* A cell that begins with c. */
static enum row read_cell(struct rows *rows, int c, int *next)
{
	if (rows->cells_n == rows->columns)
		return ROW_BROKEN;
	rows->cells[rows->cells_n++] = rows->text + rows->n;
	enum row row = c == '"' ? read_quoted(rows, next) : read_plain(rows, c, next);
	if (row == ROW_WHOLE && *next == '\r' && (*next = getc(rows->file)) != '\n')
		row = *next == EOF ? ROW_CUT : ROW_BROKEN;
	rows->text[rows->n++] = '\0';
	return rows->n == ROW_MAX ? ROW_BROKEN : row;
}

enum row rows_next(struct rows *rows, const char *const **cells)
{
	enum row row = ROW_WHOLE;
	int next = ',', c = getc(rows->file);
	*cells = rows->cells;
	if (c == EOF)
		return ROW_NONE;
	for (rows->n = rows->cells_n = 0; row == ROW_WHOLE && next == ',';) {
		row = read_cell(rows, c, &next);
		c = row == ROW_WHOLE && next == ',' ? getc(rows->file) : EOF;
	}
	if (row == ROW_WHOLE && next != '\n')
		row = next == EOF ? ROW_CUT : ROW_BROKEN;
	return row == ROW_WHOLE && rows->cells_n != rows->columns ? ROW_BROKEN : row;
}
