/*
 * A stored line of the log as a row of a table for spreadsheets (CSV, RFC 4180): cells that people
 * read, and behind them the line itself, byte for byte. Every cell follows from the line and
 * from the contract's titles alone, so whoever checks a table makes its cells anew and compares.
 *
 * A cell that a spreadsheet would take for a formula (= + - @ and white space in front) gets an
 * apostrophe in front of it. The line is never touched: it begins with a brace.
 */
#ifndef MANABIYA_LOG_TABLE_H
#define MANABIYA_LOG_TABLE_H

#include <stdint.h>

#include "libcommon/call.h"

/* Japanese Excel takes a CSV without it for Shift_JIS. */
#define LOG_TABLE_MARK "\xef\xbb\xbf"

enum log_column {
	LOG_SEQUENCE,
	LOG_TIME, /* of Japan, as spreadsheets know it; the line has the milliseconds */
	LOG_TITLE,
	LOG_OPERATION, /* of an event that tells of several requests (ocsf.h): those of all */
	LOG_OUTCOME,
	LOG_COUNT, /* requests, of such an event; else empty */
	LOG_ACTOR, /* ids; of such an event those of all, with blanks between, as the next two */
	LOG_OBJECT,
	LOG_SOURCE,
	LOG_LABEL,
	LOG_LINE,
	LOG_PROOF, /* of what a search has found: "index N", and the hashes, with blanks between */
};
/* Of a run of the log, which has one proof for all; of what a search has found. */
enum { LOG_RUN_COLUMNS = LOG_LINE + 1, LOG_FOUND_COLUMNS = LOG_PROOF + 1 };

/* In the order of the operations; made from the contract (proto/). */
struct log_title {
	const char *operation, *texts[2]; /* by enum language */
};
extern const struct log_title log_titles[];
extern const size_t log_titles_n;

/* The sequence number that a stored line names at its end, 0 without. */
uint64_t log_line_sequence(const char *line, size_t n);

/* What the first row holds: the names of the columns. */
const char *const *log_table_names(enum language language);
/* The cells of a line, which is one of them; the others live in the arena. Whatever the line is. */
void log_table_cells(struct arena *arena, enum language language, const char *line,
	const char *cells[LOG_RUN_COLUMNS]);
/* Append a row of n cells, each within quotes. */
void log_table_write(struct buf *out, const char *const *cells, size_t n);

#endif
