/* Facts about rows of a table of the log: what people read follows from the line, whatever that is.
 */
#include "libcommon/log_table.h"

#include <string.h>

#include "libcommon/cmocka_call.h"

#define ACTOR "0190f5fe-0000-7000-8000-000000000001"
#define PUPIL "0190f5fe-0000-7000-8000-000000000002"
#define END "\"metadata\":{\"labels\":[\"II\"],\"uid\":\"x\",\"sequence\":42}}"

/* In place of the contract's. */
const struct log_title log_titles[] = {
	{ "auth.session_create", { "ログイン", "Logged in" } },
	{ "provisioning.user_update", { "利用者の変更", "Changed a user" } },
};
const size_t log_titles_n = 2;

static struct arena *arena;

static int make_arena(void **state)
{
	arena = arena_new();
	return 0;
}

static int free_arena(void **state)
{
	arena_free(arena);
	return 0;
}

static void has(const char *line, enum log_column column, const char *wanted)
{
	const char *cells[LOG_RUN_COLUMNS];
	log_table_cells(arena, LANGUAGE_JA, line, cells);
	assert_string_equal(cells[column], wanted);
}

static void an_event_is_told_in_words(void **state)
{
	static const char *const wanted[] = { "42", "2026-04-08 09:30:00", "利用者の変更",
		"provisioning.user_update", "失敗", "", ACTOR, PUPIL, "192.0.2.7", "II" };
	static const char line[] =
		"{\"class_uid\":3001,\"time\":1775608200123,\"severity_id\":2,\"status_id\":2,"
		"\"actor\":{\"user\":{\"uid\":\"" ACTOR "\",\"type\":\"contractor\"},"
		"\"session\":{\"uid\":\"s\"}},\"user\":{\"uid\":\"" PUPIL "\"},"
		"\"api\":{\"operation\":\"provisioning.user_update\",\"request\":{\"uid\":\"r\"}},"
		"\"src_endpoint\":{\"ip\":\"192.0.2.7\"}," END;
	for (enum log_column i = 0; i < LOG_LINE; i++)
		has(line, i, wanted[i]);
	has(line, LOG_LINE, line);
}

static void the_object_is_found_in_whatever_member_it_is(void **state)
{
	has("{\"entity\":{\"uid\":\"e\"}," END, LOG_OBJECT, "e");
	has("{\"group\":{\"uid\":\"g\"}," END, LOG_OBJECT, "g");
	has("{\"resources\":[{\"uid\":\"v\",\"owner\":{\"uid\":\"p\"}}]," END, LOG_OBJECT, "v");
	has("{\"actor\":{\"user\":{\"uid\":\"a\"}}," END, LOG_OBJECT, "");
}

static void an_event_of_several_requests_names_all(void **state)
{
	static const char line[] =
		"{\"time\":1775608200000,\"status_id\":1,\"actor\":{\"app_name\":\"gateway\"},"
		"\"api\":{\"operation\":\"gateway.request\"},\"count\":3,\"end_time\":1,"
		"\"unmapped\":{\"actors\":[{\"type\":\"student\",\"uid\":\"a\",\"ip\":\"::1\"},"
		"{\"type\":\"student\",\"uid\":\"b\",\"ip\":\"::1\"}],"
		"\"routes\":[{\"operation\":\"learning.unit_list\",\"method\":\"GET\"},"
		"{\"operation\":\"learning.unit_get\",\"method\":\"GET\"}],"
		"\"requests\":[{\"uid\":\"r\",\"object\":\"o\"},{\"uid\":\"q\",\"object\":\"o\"},"
		"{\"uid\":\"p\",\"object\":\"u\"}]}," END;
	has(line, LOG_COUNT, "3");
	has(line, LOG_ACTOR, "a b");
	has(line, LOG_SOURCE, "::1");
	has(line, LOG_OBJECT, "o u");
	has(line, LOG_TITLE, "アクセス");
	has(line, LOG_OPERATION, "learning.unit_list learning.unit_get");
	has("{\"api\":{\"operation\":\"gateway.access_lost\"},\"count\":9," END, LOG_TITLE,
		"記録しきれなかったアクセス");
}

static void text_within_a_line_is_no_mark(void **state)
{
	has("{\"message\":\"\\\"entity\\\":{\\\"uid\\\":\\\"no\\\"}\",\"entity\":{\"uid\":\"yes\"}"
	    "," END,
		LOG_OBJECT, "yes");
}

static void a_line_that_says_nothing_has_cells(void **state)
{
	static const char *const lines[] = { "", "{",
		"{\"time\":", "{\"time\":99999999999999999999}", "{\"time\":-1}",
		"\"api\":{\"operation\":\"", "\"unmapped\":{\"actors\":[" };
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		has(lines[i], LOG_SEQUENCE, "0");
		has(lines[i], LOG_TIME, "");
		has(lines[i], LOG_OPERATION, "");
	}
}

static void what_a_spreadsheet_would_calculate_is_text(void **state)
{
	static const char *const begun[] = { "=", "+", "-", "@", "\t", "\r" };
	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++)
		has(arena_printf(arena, "{\"entity\":{\"uid\":\"%sHYPERLINK()\"}," END, begun[i]),
			LOG_OBJECT, arena_printf(arena, "'%sHYPERLINK()", begun[i]));
	has("{\"entity\":{\"uid\":\"a=b\"}," END, LOG_OBJECT, "a=b");
}

static void a_row_has_its_line_within_quotes(void **state)
{
	struct buf out = { .arena = arena };
	const char *cells[LOG_RUN_COLUMNS];
	log_table_cells(arena, LANGUAGE_EN, "{\"a\":\"b,c\"}", cells);
	log_table_write(&out, cells, LOG_RUN_COLUMNS);
	assert_string_equal(out.data,
		"\"0\",\"\",\"\",\"\",\"failure\",\"\",\"\",\"\",\"\",\"\",\"{\"\"a\"\":\"\"b,"
		"c\"\"}\"\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_told_in_words),
		cmocka_unit_test(the_object_is_found_in_whatever_member_it_is),
		cmocka_unit_test(an_event_of_several_requests_names_all),
		cmocka_unit_test(text_within_a_line_is_no_mark),
		cmocka_unit_test(a_line_that_says_nothing_has_cells),
		cmocka_unit_test(what_a_spreadsheet_would_calculate_is_text),
		cmocka_unit_test(a_row_has_its_line_within_quotes),
	};
	return cmocka_run_group_tests(tests, make_arena, free_arena);
}
