#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/provisioning/csv.h"

static int new_arena(void **state)
{
	*state = arena_new();
	return 0;
}

static int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const unsigned char *)text, strlen(text) };
}

static struct csv parsed(struct arena *arena, const char *text)
{
	struct csv csv;
	struct csv_fault fault = { 0 };
	if (csv_parse(arena, bytes_of(text), &csv, &fault))
		fail_msg("%s: row %d %s", text, (int)fault.row, fault.code);
	return csv;
}

static void cells_are_read_as_spreadsheets_write_them(void **state)
{
	struct csv csv = parsed(*state, "a,b\r\n\"1,\"\"2\"\"\r\n3\", x \n,\n　佐藤　,c");
	assert_int_equal(csv.n, 3);
	assert_string_equal(csv.rows[1].cells[0], "1,\"2\"\r\n3");
	assert_string_equal(csv.rows[1].cells[1], "x");
	assert_int_equal(csv.rows[2].number, 4);
	assert_string_equal(csv.rows[2].cells[0], "佐藤");
}

static void blank_rows_count_but_are_left_out(void **state)
{
	struct csv csv = parsed(*state, "a\n\n \n,,\nb\n\n");
	assert_int_equal(csv.n, 2);
	assert_int_equal(csv.rows[1].number, 5);
	assert_int_equal(parsed(*state, "").n, 0);
}

static void the_byte_order_mark_is_not_text(void **state)
{
	assert_string_equal(parsed(*state,
				    "\xef\xbb\xbf"
				    "a,b")
				    .rows[0]
				    .cells[0],
		"a");
}

static void shift_jis_is_understood(void **state)
{
	/* 佐藤,髙橋 as Excel saves it: the second name's 髙 exists only in CP932. */
	struct csv csv = parsed(*state, "\x8d\xb2\x93\xa1,\xfb\xfc\x8b\xb4\r\n");
	assert_string_equal(csv.rows[0].cells[0], "佐藤");
	assert_string_equal(csv.rows[0].cells[1], "髙橋");
}

static void what_is_not_csv_is_refused_with_its_row(void **state)
{
	static const struct {
		const char *text, *code;
		int64_t row;
	} rows[] = {
		{ "a\n\"b", "csv_quote_open", 2 },
		{ "\"", "csv_quote_open", 1 },
		{ "a\nb\n\"c\"d", "csv_after_quote", 3 },
		{ "a\nb\"c", "csv_quote_inside", 2 },
		{ "\xff\xff\xff", "encoding", 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct csv csv;
		struct csv_fault fault = { 0 };
		assert_int_equal(
			csv_parse(*state, bytes_of(rows[i].text), &csv, &fault), ERR_INVALID);
		assert_string_equal(fault.code, rows[i].code);
		assert_int_equal(fault.row, rows[i].row);
	}
	struct csv csv;
	struct csv_fault fault = { 0 };
	struct bytes nul = { (const unsigned char *)"a\0b", 3 };
	assert_int_equal(csv_parse(*state, nul, &csv, &fault), ERR_INVALID);
	assert_string_equal(fault.code, "encoding");
}

static void the_size_of_a_table_is_bounded(void **state)
{
	struct csv csv;
	struct csv_fault fault = { 0 };
	struct buf text = { .arena = *state };
	for (int i = 0; i < CSV_ROWS_MAX; i++)
		buf_text(&text, "a\n");
	struct bytes all = { (unsigned char *)text.data, text.n };
	assert_int_equal(csv_parse(*state, all, &csv, &fault), OK);
	buf_text(&text, "a");
	all = (struct bytes){ (unsigned char *)text.data, text.n };
	assert_int_equal(csv_parse(*state, all, &csv, &fault), ERR_INVALID);
	assert_string_equal(fault.code, "csv_too_many_rows");
	text.n = 0;
	for (int i = 0; i < CSV_COLUMNS_MAX; i++)
		buf_text(&text, "a,");
	all = (struct bytes){ (unsigned char *)text.data, text.n };
	assert_int_equal(csv_parse(*state, all, &csv, &fault), ERR_INVALID);
	assert_string_equal(fault.code, "csv_too_many_columns");
}

#define IN_ARENA(test_) cmocka_unit_test_setup_teardown(test_, new_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ARENA(cells_are_read_as_spreadsheets_write_them),
		IN_ARENA(blank_rows_count_but_are_left_out),
		IN_ARENA(the_byte_order_mark_is_not_text),
		IN_ARENA(shift_jis_is_understood),
		IN_ARENA(what_is_not_csv_is_refused_with_its_row),
		IN_ARENA(the_size_of_a_table_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
