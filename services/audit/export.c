/*
 * The stored lines of the own tenant, byte for byte, as one download of any length: windows of it
 * are found by the lengths that the tree keeps beside every 256 leaves, so that none costs more
 * than another, and any instance can answer any window.
 *
 * As a table for spreadsheets, too (libcommon/log_table.h). How long its rows are is not kept, so
 * its windows are counted in rows, and its length is known at its end.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/frame.h"
#include "libcommon/log_table.h"
#include "services/audit/audit.h"
#include "services/audit/tile.h"

static const struct problem NOT_THERE = { ERR_NOT_FOUND, 404, "log_no_range",
	"この範囲の記録はありません。", "There are no such records." };

/* How many bytes the first $1 lines are, with a newline each. */
static const char BYTES_BEFORE[] =
	"SELECT coalesce((SELECT n.ends FROM audit.node n WHERE n.level = 1"
	"   AND n.place = $1::bigint / 256 - 1), 0)"
	" + coalesce((SELECT sum(octet_length(e.line) + 1) FROM audit.event e"
	"   WHERE e.sequence > $1::bigint / 256 * 256 AND e.sequence <= $1::bigint), 0)";
/* The last multiple of 256 lines that end at or before byte $1, and where they end. */
static const char TILE_BEFORE[] =
	"SELECT (n.place + 1) * 256, n.ends FROM audit.node n WHERE n.level = 1"
	" AND n.ends <= $1::bigint ORDER BY n.ends DESC LIMIT 1";
/* There are no gaps, so the end says how many are read at once. With a LIMIT instead PostgreSQL may
 * read and sort all that is left each time. */
static const char LINES[] =
	"SELECT e.sequence, e.line FROM audit.event e WHERE e.sequence > $1::bigint"
	" AND e.sequence <= $2::bigint ORDER BY e.sequence";
#define LINES_AT_ONCE 256
#define ROWS_AT_ONCE 64 /* a window holds some hundred, and what does not fit is read again */

/* The window of the log's bytes from..until, filled line by line. */
struct window_reader {
	int64_t from, until; /* bytes of the whole log */
	int64_t at; /* where the next line begins */
	int64_t sequence; /* of the line before it */
	struct buf data;
};

static enum err bytes_before(struct call *c, int64_t lines, int64_t *out)
{
	const char *text;
	enum err e = db_text(c, BYTES_BEFORE, DB_ARGS(db_integer(c, lines)), &text);
	if (!e)
		*out = strtoll(text, NULL, 10);
	return e;
}

static enum err on_tile(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct window_reader *reader = arg;
	reader->sequence = strtoll(columns[0], NULL, 10);
	reader->at = strtoll(columns[1], NULL, 10);
	return OK;
}

/* The part of the next line that lies in the window. */
static enum err on_line(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct window_reader *reader = arg;
	const char *line = arena_printf(c->arena, "%s\n", columns[1]);
	int64_t length = (int64_t)strlen(line), begin = reader->from - reader->at,
		end = reader->until - reader->at;
	begin = begin < 0 ? 0 : begin;
	end = end > length ? length : end;
	if (begin < end)
		buf_add(&reader->data, line + begin, (size_t)(end - begin));
	reader->at += length;
	reader->sequence = strtoll(columns[0], NULL, 10);
	return OK;
}

static const char *at_most(struct call *c, int64_t end, int64_t last)
{
	return db_integer(c, end < last ? end : last);
}

static enum err read_window(struct call *c, struct window_reader *reader, int64_t last)
{
	enum err e = db_each(c, TILE_BEFORE, DB_ARGS(db_integer(c, reader->from)), on_tile, reader);
	while (!e && reader->at < reader->until && reader->sequence < last) {
		int64_t before = reader->sequence;
		e = db_each(c, LINES,
			DB_ARGS(db_integer(c, before), at_most(c, before + LINES_AT_ONCE, last)),
			on_line, reader);
		if (!e && reader->sequence == before)
			return fail_as(c, &NOT_THERE); /* no longer */
	}
	return e;
}

/* Whether leaves first..end are signed and still there. */
static enum err check_range(struct call *c, int64_t first, int64_t end)
{
	struct signed_tree latest;
	enum err e = checkpoint_latest(c, &latest);
	if (!e && (first >= end || (uint64_t)end > latest.size))
		e = fail_as(c, &NOT_THERE);
	return e ? e : retention_check(c, first);
}

static struct bytes bytes_of(const struct buf *buf)
{
	return (struct bytes){ (const unsigned char *)buf->data, buf->n };
}

enum err audit_log_export(
	struct call *c, const struct audit_log_export_in *in, struct audit_log_export_out *out)
{
	int64_t begin = 0, end = 0;
	enum err e = check_range(c, in->first, in->end);
	if (!e)
		e = bytes_before(c, in->first, &begin);
	if (!e)
		e = bytes_before(c, in->end, &end);
	if (e)
		return e;
	struct window_reader reader = { .data.arena = c->arena };
	c->total_bytes = end - begin;
	reader.from = begin + c->window.offset;
	reader.until = reader.from + c->window.length;
	reader.until = reader.until > end ? end : reader.until;
	if (reader.from < reader.until)
		e = read_window(c, &reader, in->end);
	out->body = bytes_of(&reader.data);
	return e;
}

/* ---- as a table ---- */

void table_begin(struct call *c, struct table *table, size_t columns)
{
	*table = (struct table){
		.rows.arena = c->arena, .columns = columns, .most = c->window.length
	};
	c->total_bytes = BYTES_UNKNOWN;
	if (c->window.continued)
		return;
	buf_text(&table->rows, LOG_TABLE_MARK);
	log_table_write(&table->rows, log_table_names(c->language), columns);
}

bool table_add(struct table *table, const char *const *cells)
{
	const size_t before = table->rows.n;
	if (table->is_full)
		return false;
	log_table_write(&table->rows, cells, table->columns);
	if (table->rows_n && (int64_t)table->rows.n > table->most) {
		table->rows.n = before;
		table->is_full = true;
		return false;
	}
	table->rows_n++;
	return true;
}

struct bytes table_body(const struct table *table)
{
	return bytes_of(&table->rows);
}

struct run_table {
	struct table table;
	int64_t sequence; /* of the row before */
};

static enum err on_row(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct run_table *run = arg;
	const char *cells[LOG_RUN_COLUMNS];
	log_table_cells(c->arena, c->language, columns[1], cells);
	if (table_add(&run->table, cells))
		run->sequence = strtoll(columns[0], NULL, 10);
	return OK;
}

static enum err read_rows(struct call *c, struct run_table *run, int64_t last)
{
	enum err e = OK;
	while (!e && !run->table.is_full && run->sequence < last) {
		int64_t before = run->sequence;
		e = db_each(c, LINES,
			DB_ARGS(db_integer(c, before), at_most(c, before + ROWS_AT_ONCE, last)),
			on_row, run);
		if (!e && run->sequence == before && !run->table.is_full)
			return fail_as(c, &NOT_THERE); /* no longer */
	}
	return e;
}

enum err audit_log_table(
	struct call *c, const struct audit_log_table_in *in, struct audit_log_table_out *out)
{
	/* Who asks for a part in bytes (Range) gets the whole: these offsets are rows. */
	struct run_table run = { .sequence =
					 in->first + (c->window.continued ? c->window.offset : 0) };
	enum err e = check_range(c, in->first, in->end);
	if (e)
		return e;
	table_begin(c, &run.table, LOG_RUN_COLUMNS);
	e = read_rows(c, &run, in->end);
	c->next_offset = run.sequence < in->end ? run.sequence - in->first : 0;
	out->body = table_body(&run.table);
	return e;
}
