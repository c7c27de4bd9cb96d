/* Whatever stands in a table of the log: rows are refused, or of all their cells, and read again as
 * they were when they are written. And whatever stands in a line: it has cells, none a formula. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_same(const char *const *cells, size_t columns, struct buf *written)
{
	const char *const *again;
	FILE *file = fmemopen(written->data, written->n, "r");
	if (!file)
		abort();
	struct rows *rows = rows_open(file, columns);
	if (rows_next(rows, &again) != ROW_WHOLE)
		abort();
	for (size_t i = 0; i < columns; i++)
		if (strcmp(cells[i], again[i]) != 0)
			abort();
	if (rows_next(rows, &again) != ROW_NONE)
		abort();
	rows_close(rows);
	(void)fclose(file);
}

static void check_cells(struct arena *arena, const char *line)
{
	const char *cells[LOG_RUN_COLUMNS];
	struct buf row = { .arena = arena };
	log_table_cells(arena, LANGUAGE_JA, line, cells);
	for (size_t i = 0; i < LOG_LINE; i++)
		if (*cells[i] && strchr("=+-@\t\r", *cells[i]))
			abort();
	log_table_write(&row, cells, LOG_RUN_COLUMNS);
	check_same(cells, LOG_RUN_COLUMNS, &row);
}

static void check_rows(struct arena *arena, const uint8_t *data, size_t n, size_t columns)
{
	const char *const *cells;
	FILE *file = n ? fmemopen((void *)(uintptr_t)data, n, "r") : NULL;
	if (!file)
		return;
	struct rows *rows = rows_open(file, columns);
	while (rows_next(rows, &cells) == ROW_WHOLE) {
		struct buf row = { .arena = arena };
		log_table_write(&row, cells, columns);
		check_same(cells, columns, &row);
	}
	rows_close(rows);
	(void)fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_new();
	check_rows(arena, data, n, LOG_RUN_COLUMNS);
	check_rows(arena, data, n, LOG_FOUND_COLUMNS);
	if (n < 8192)
		check_cells(arena, arena_strndup(arena, (const char *)data, n));
	arena_free(arena);
	return 0;
}
