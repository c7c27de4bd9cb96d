/*
 * Comma-separated values (RFC 4180) as spreadsheets write them: UTF-8 with or without a byte order
 * mark, or Shift_JIS as Excel on Windows means it (CP932). Pure code, fuzzed.
 */
#ifndef MANABIYA_PROVISIONING_CSV_H
#define MANABIYA_PROVISIONING_CSV_H

#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/buf.h"
#include "libcommon/err.h"

#define CSV_ROWS_MAX 20001 /* a header and 20,000 people, the largest import there is */
#define CSV_COLUMNS_MAX 64 /* far over the columns known; bounds the memory of one row */

struct csv_row {
	int64_t number; /* as a spreadsheet counts, from 1; blank rows count and are left out */
	const char **cells; /* without surrounding white space, half or full width */
	size_t n;
};

struct csv {
	struct csv_row *rows;
	size_t n;
};

/* Where the text stops being CSV, and why. */
struct csv_fault {
	int64_t row;
	const char *code, *ja, *en;
};

/* ERR_INVALID with *fault. The cells live in the arena. */
must_check enum err csv_parse(
	struct arena *arena, struct bytes text, struct csv *out, struct csv_fault *fault);

#endif
