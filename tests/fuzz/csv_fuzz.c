/* Whatever a contractor uploads as CSV: refused with a row and a reason, or read into bounded rows.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/utf8.h"
#include "services/provisioning/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct csv *csv)
{
	if (csv->n > CSV_ROWS_MAX)
		abort();
	for (size_t i = 0; i < csv->n; i++) {
		const struct csv_row *row = &csv->rows[i];
		if (row->n == 0 || row->n > CSV_COLUMNS_MAX ||
			row->number <= (i == 0 ? 0 : csv->rows[i - 1].number))
			abort();
		for (size_t j = 0; j < row->n; j++)
			if (utf8_count(row->cells[j], strlen(row->cells[j])) < 0)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* A copy without slack, so that reading past the end is seen. */
	unsigned char *copy = malloc(n == 0 ? 1 : n);
	if (copy == NULL)
		abort();
	memcpy(copy, data, n);
	struct arena *arena = arena_new();
	struct csv csv;
	struct csv_fault fault = { 0 };
	if (csv_parse(arena, (struct bytes){ copy, n }, &csv, &fault) == OK)
		check(&csv);
	else if (fault.code == NULL || fault.ja == NULL || fault.en == NULL)
		abort();
	arena_free(arena);
	free(copy);
	return 0;
}
