/*
 * A parser of one pass. What spreadsheets never write (text after a closing quote, a quote within
 * plain text) is refused rather than guessed at: a guess would put names into wrong columns.
 */
#include "services/provisioning/csv.h"

#include <iconv.h>
#include <stdbool.h>
#include <string.h>

#include "libcommon/utf8.h"

/* ---- encoding ---- */

/* CP932 is at most doubled: every character of one or two bytes becomes at most three. */
static enum err from_cp932(struct arena *arena, struct bytes in, struct bytes *out)
{
	iconv_t converter = iconv_open("UTF-8", "CP932");
	if (converter == (iconv_t)-1)
		return ERR_INTERNAL;
	char *text = arena_alloc(arena, 3 * in.n + 1);
	char *from = arena_strndup(arena, (const char *)in.data, in.n), *to = text;
	size_t from_n = in.n, to_n = 3 * in.n;
	size_t wrong = iconv(converter, &from, &from_n, &to, &to_n);
	(void)iconv_close(converter);
	*out = (struct bytes){ (unsigned char *)text, (size_t)(to - text) };
	return wrong == 0 && from_n == 0 ? OK : ERR_INVALID;
}

static bool is_text(struct bytes in)
{
	return in.n == 0 || memchr(in.data, '\0', in.n) == NULL;
}

/* UTF-8 that is valid is UTF-8: Shift_JIS with Japanese in it practically never is. */
static enum err decode(struct arena *arena, struct bytes *text)
{
	static const unsigned char mark[] = { 0xef, 0xbb, 0xbf };
	if (!is_text(*text))
		return ERR_INVALID;
	if (text->n >= sizeof(mark) && memcmp(text->data, mark, sizeof(mark)) == 0)
		*text = (struct bytes){ text->data + sizeof(mark), text->n - sizeof(mark) };
	if (utf8_count((const char *)text->data, text->n) >= 0)
		return OK;
	return from_cp932(arena, *text, text);
}

/* ---- cells ---- */

/* Blank, tab and the full-width blank (U+3000) that Japanese input leaves behind. */
static size_t blank_at(const char *text, size_t n)
{
	if (n > 0 && (*text == ' ' || *text == '\t'))
		return 1;
	return n >= 3 && memcmp(text, "\xe3\x80\x80", 3) == 0 ? 3 : 0;
}

static const char *trimmed(struct arena *arena, const char *text, size_t n)
{
	size_t skip;
	while ((skip = blank_at(text, n)) > 0) {
		text += skip;
		n -= skip;
	}
	while (n > 0 &&
		(blank_at(text + n - 1, 1) > 0 || (n >= 3 && blank_at(text + n - 3, 3) == 3)))
		n -= blank_at(text + n - 1, 1) > 0 ? 1 : 3;
	return arena_strndup(arena, text, n);
}

struct parser {
	struct arena *arena;
	const char *at, *end;
	struct csv_fault *fault;
	int64_t row;
};

static enum err refuse(struct parser *parser, const char *code, const char *ja, const char *en)
{
	*parser->fault = (struct csv_fault){ parser->row, code, ja, en };
	return ERR_INVALID;
}

static bool is_end_of_cell(const struct parser *parser)
{
	return parser->at == parser->end || strchr(",\r\n", *parser->at) != NULL;
}

static enum err quoted_cell(struct parser *parser, const char **out)
{
	struct buf text = { .arena = parser->arena };
	buf_text(&text, "");
	bool is_closed = false;
	for (parser->at++; parser->at < parser->end && !is_closed; parser->at++) {
		bool is_quote = *parser->at == '"';
		is_closed = is_quote && (parser->at + 1 == parser->end || parser->at[1] != '"');
		if (is_quote && !is_closed)
			parser->at++; /* two quotes are one */
		if (!is_closed)
			buf_char(&text, *parser->at);
	}
	if (!is_closed)
		return refuse(parser, "csv_quote_open", "「\"」が閉じられていません。",
			"A quote is never closed.");
	if (!is_end_of_cell(parser))
		return refuse(parser, "csv_after_quote", "閉じた「\"」のあとに文字があります。",
			"There is text after a closing quote.");
	*out = trimmed(parser->arena, text.data, text.n);
	return OK;
}

static enum err plain_cell(struct parser *parser, const char **out)
{
	const char *start = parser->at;
	while (!is_end_of_cell(parser)) {
		if (*parser->at == '"')
			return refuse(parser, "csv_quote_inside", "文字の途中に「\"」があります。",
				"There is a quote within plain text.");
		parser->at++;
	}
	*out = trimmed(parser->arena, start, (size_t)(parser->at - start));
	return OK;
}

/* ---- rows ---- */

static void end_of_line(struct parser *parser)
{
	if (parser->at < parser->end && *parser->at == '\r')
		parser->at++;
	if (parser->at < parser->end && *parser->at == '\n')
		parser->at++;
}

/* The cells of one row are gathered on the stack, then copied at their number. */
static enum err read_row(struct parser *parser, struct csv_row *out)
{
	const char *cells[CSV_COLUMNS_MAX];
	size_t n = 0;
	for (;;) {
		if (n == CSV_COLUMNS_MAX)
			return refuse(parser, "csv_too_many_columns", "列が多すぎます。",
				"There are too many columns.");
		bool is_quoted = parser->at < parser->end && *parser->at == '"';
		enum err e =
			is_quoted ? quoted_cell(parser, &cells[n]) : plain_cell(parser, &cells[n]);
		if (e)
			return e;
		n++;
		if (parser->at == parser->end || *parser->at != ',')
			break;
		parser->at++;
	}
	end_of_line(parser);
	*out = (struct csv_row){ .number = parser->row, .n = n };
	out->cells = arena_array(parser->arena, n, sizeof(*out->cells));
	memcpy(out->cells, cells, n * sizeof(*cells));
	return OK;
}

/* Spreadsheets leave rows of commas behind what was deleted. */
static bool is_blank(const struct csv_row *row)
{
	for (size_t i = 0; i < row->n; i++)
		if (*row->cells[i] != '\0')
			return false;
	return true;
}

static void append(struct arena *arena, struct csv *csv, size_t *capacity, struct csv_row row)
{
	if (csv->n == *capacity) {
		*capacity = *capacity == 0 ? 64 : *capacity * 2;
		struct csv_row *rows = arena_array(arena, *capacity, sizeof(*rows));
		if (csv->n > 0)
			memcpy(rows, csv->rows, csv->n * sizeof(*rows));
		csv->rows = rows;
	}
	csv->rows[csv->n++] = row;
}

enum err csv_parse(struct arena *arena, struct bytes text, struct csv *out, struct csv_fault *fault)
{
	struct parser parser = { .arena = arena, .fault = fault };
	size_t capacity = 0;
	*out = (struct csv){ 0 };
	if (decode(arena, &text))
		return refuse(&parser, "encoding", "文字コードはUTF-8かShift_JISにしてください。",
			"The file must be UTF-8 or Shift_JIS.");
	parser.at = (const char *)text.data;
	parser.end = parser.at + text.n;
	while (parser.at < parser.end) {
		struct csv_row row;
		parser.row++;
		enum err e = read_row(&parser, &row);
		if (e)
			return e;
		if (is_blank(&row))
			continue;
		if (out->n == CSV_ROWS_MAX)
			return refuse(&parser, "csv_too_many_rows",
				"行が多すぎます（20,000人まで）。",
				"There are too many rows (20,000 people at most).");
		append(arena, out, &capacity, row);
	}
	return OK;
}
