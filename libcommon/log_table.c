/*
 * Reads lines as ocsf.c writes them, by the marks around each value, not as JSON: the program that
 * customers check tables with (verify/) has no JSON reader, and both must make the same cells. No
 * text within a line passes for a mark, since the quotes of texts are escaped there.
 */
#include "libcommon/log_table.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/ocsf.h"

#define SEQUENCE ",\"sequence\":" /* what the log puts last into a line, before its two braces */
#define JAPAN_MS (9 * 3600 * 1000LL)
#define TIME_MAX_MS 253370764800000LL /* the year 9999; a stored time is never near it */

/* Where a column is found: what stands before each value, and from where and until where. */
struct spot {
	const char *from, *until, *mark;
};

uint64_t log_line_sequence(const char *line, size_t n)
{
	char tail[40] = { 0 };
	size_t length = n < sizeof(tail) ? n : sizeof(tail) - 1;
	memcpy(tail, line + n - length, length);
	const char *at = strstr(tail, SEQUENCE);
	return at ? strtoull(at + strlen(SEQUENCE), NULL, 10) : 0;
}

const char *const *log_table_names(enum language language)
{
	static const char *const names[2][LOG_FOUND_COLUMNS] = {
		[LANGUAGE_JA] = { "通し番号", "日時（日本時間）", "操作", "操作の名前", "結果",
			"リクエスト数", "操作した人", "対象", "接続元", "重要度分類", "原文",
			"証明" },
		[LANGUAGE_EN] = { "Sequence", "Time (Japan)", "What", "Operation", "Outcome",
			"Requests", "Actor", "Object", "Source", "Class", "Line", "Proof" },
	};
	return names[language];
}

/* ---- values ---- */

/* The number behind the first such mark, or -1. */
static int64_t number_at(const char *line, const char *mark)
{
	char *end;
	const char *at = strstr(line, mark);
	if (!at)
		return -1;
	at += strlen(mark);
	int64_t number = strtoll(at, &end, 10);
	return end > at ? number : -1;
}

static bool is_last(const struct buf *out, const char *text, size_t n)
{
	return out->n >= n && memcmp(out->data + out->n - n, text, n) == 0 &&
		(out->n == n || out->data[out->n - n - 1] == ' ');
}

/* Every text behind such a mark, with blanks between; neighbours that are the same once. */
static const char *texts_at(struct arena *arena, const char *line, const struct spot *spot)
{
	struct buf out = { .arena = arena };
	const char *at = spot->from ? strstr(line, spot->from) : line;
	const char *end = at && spot->until ? strstr(at, spot->until) : NULL;
	buf_text(&out, "");
	while (at && (at = strstr(at, spot->mark)) && (!end || at < end)) {
		at += strlen(spot->mark);
		size_t n = strcspn(at, "\"");
		if (n && !is_last(&out, at, n)) {
			if (out.n)
				buf_char(&out, ' ');
			buf_add(&out, at, n);
		}
		if (!spot->until)
			break;
	}
	return out.data;
}

/* The first of these spots that holds anything. */
static const char *first_of(
	struct arena *arena, const char *line, const struct spot *spots, size_t n)
{
	const char *text = "";
	for (size_t i = 0; i < n && !*text; i++)
		text = texts_at(arena, line, &spots[i]);
	return text;
}

#define FIRST_OF(arena_, line_, spots_)                                                            \
	first_of((arena_), (line_), (spots_), sizeof(spots_) / sizeof((spots_)[0]))

/* ---- cells ---- */

static const char *time_of(struct arena *arena, const char *line)
{
	char text[TIMESTAMP_SIZE];
	int64_t unix_ms = number_at(line, "\"time\":");
	if (unix_ms < 0 || unix_ms > TIME_MAX_MS)
		return "";
	clock_format(unix_ms + JAPAN_MS, text);
	return arena_printf(arena, "%.10s %.8s", text, text + 11);
}

static int compare_title(const void *operation, const void *title)
{
	return strcmp(operation, ((const struct log_title *)title)->operation);
}

/* What is not in the contract, as of a newer one, is called by its name. What the gateway tells of
 * requests is none of its operations. */
static const char *title_of(const char *operation, enum language language)
{
	static const char *const access[2] = { "アクセス", "Requests" },
				 *const lost[2] = { "記録しきれなかったアクセス",
					 "Requests that were not recorded" };
	if (strcmp(operation, ACCESS_OPERATION) == 0)
		return access[language];
	if (strcmp(operation, ACCESS_LOST_OPERATION) == 0)
		return lost[language];
	const struct log_title *title =
		bsearch(operation, log_titles, log_titles_n, sizeof(log_titles[0]), compare_title);
	return title ? title->texts[language] : operation;
}

static const char *outcome_of(const char *line, enum language language)
{
	static const char *const words[2][2] = {
		[LANGUAGE_JA] = { "失敗", "成功" }, [LANGUAGE_EN] = { "failure", "success" }
	};
	return words[language][number_at(line, "\"status_id\":") == 1];
}

/* Only events of several requests say how many. */
static const char *count_of(struct arena *arena, const char *line)
{
	int64_t count = number_at(line, "},\"count\":");
	return count < 0 ? "" : arena_printf(arena, "%lld", (long long)count);
}

static const char *harmless(struct arena *arena, const char *text)
{
	return *text && strchr("=+-@\t\r", *text) ? arena_printf(arena, "'%s", text) : text;
}

void log_table_cells(struct arena *arena, enum language language, const char *line,
	const char *cells[LOG_RUN_COLUMNS])
{
	static const struct spot recorded[] = { { NULL, NULL, "\"api\":{\"operation\":\"" } };
	static const struct spot operations[] = { { "],\"routes\":[", "],\"requests\":[",
							  "\"operation\":\"" },
		{ NULL, NULL, "\"api\":{\"operation\":\"" } };
	static const struct spot actors[] = { { NULL, NULL, "\"actor\":{\"user\":{\"uid\":\"" },
		{ "\"unmapped\":{\"actors\":[", "],\"routes\":[", "\"uid\":\"" } };
	/* The one who did it stands behind a brace, the one it was done to behind a comma. */
	static const struct spot objects[] = { { NULL, NULL, "\"entity\":{\"uid\":\"" },
		{ NULL, NULL, ",\"user\":{\"uid\":\"" }, { NULL, NULL, "\"group\":{\"uid\":\"" },
		{ NULL, NULL, "\"resources\":[{\"uid\":\"" },
		{ "],\"requests\":[", "]},\"metadata\"", "\"object\":\"" } };
	static const struct spot sources[] = { { NULL, NULL, "\"src_endpoint\":{\"ip\":\"" },
		{ "\"unmapped\":{\"actors\":[", "],\"routes\":[", "\"ip\":\"" } };
	static const struct spot labels[] = { { NULL, NULL, "\"labels\":[\"" } };
	cells[LOG_SEQUENCE] = arena_printf(
		arena, "%llu", (unsigned long long)log_line_sequence(line, strlen(line)));
	cells[LOG_TIME] = time_of(arena, line);
	cells[LOG_OPERATION] = FIRST_OF(arena, line, operations);
	cells[LOG_TITLE] = title_of(FIRST_OF(arena, line, recorded), language);
	cells[LOG_OUTCOME] = outcome_of(line, language);
	cells[LOG_COUNT] = count_of(arena, line);
	cells[LOG_ACTOR] = FIRST_OF(arena, line, actors);
	cells[LOG_OBJECT] = FIRST_OF(arena, line, objects);
	cells[LOG_SOURCE] = FIRST_OF(arena, line, sources);
	cells[LOG_LABEL] = FIRST_OF(arena, line, labels);
	for (size_t i = 0; i < LOG_LINE; i++)
		cells[i] = harmless(arena, cells[i]);
	cells[LOG_LINE] = line;
}

void log_table_write(struct buf *out, const char *const *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_text(out, i ? ",\"" : "\"");
		for (const char *at = cells[i]; *at;) {
			size_t length = strcspn(at, "\"");
			buf_add(out, at, length);
			if (at[length])
				buf_text(out, "\"\"");
			at += length + (at[length] != '\0');
		}
		buf_char(out, '"');
	}
	buf_text(out, "\r\n");
}
