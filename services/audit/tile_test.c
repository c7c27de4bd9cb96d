/* Tiles have the paths and the contents that C2SP's tlog-tiles gives them. */
#include "services/audit/log_world.h"
#include "services/audit/tile.h"

#define SIZE 513

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	if (checkpoint_open(LOG_NAME, LOG_KEY, ""))
		return -1;
	grow_log(&test, SIZE);
	sign_log(&test);
	return 0;
}

static int close_world(void **state)
{
	checkpoint_close();
	test_close(&test);
	return 0;
}

static void paths_have_one_meaning(void **state)
{
	static const struct {
		const char *elements[3];
		uint64_t index, width;
	} good[] = {
		{ { "000" }, 0, 256 },
		{ { "067" }, 67, 256 },
		{ { "067.p", "5" }, 67, 5 },
		{ { "x001", "067" }, 1067, 256 },
		{ { "x001", "067.p", "255" }, 1067, 255 },
		{ { "x001", "x234", "067" }, 1234067, 256 },
	};
	static const char *const bad[][3] = { { "0" }, { "67" }, { "0067" }, { "x067" },
		{ "067.p" }, { "067", "5" }, { "067.p", "0" }, { "067.p", "256" },
		{ "067.p", "05" }, { "067.q", "5" }, { "001", "067" }, { "x001", "x067" },
		{ "x001", "067", "5" }, { "+67" }, { "x001.p", "067", "5" } };
	uint64_t index, width;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t n = 1;
		while (n < 3 && good[i].elements[n])
			n++;
		assert_true(tile_path_read(test.arena, good[i].elements, n, &index, &width));
		assert_int_equal(index, good[i].index);
		assert_int_equal(width, good[i].width);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = 1;
		while (n < 3 && bad[i][n])
			n++;
		assert_false(tile_path_read(test.arena, bad[i], n, &index, &width));
	}
}

static void tiles_hold_the_hashes_of_their_level(void **state)
{
	const struct reply leaves = ask_log(&test, "log_tile", "level=0&n=001");
	const struct reply nodes = ask_log(&test, "log_tile_deep", "level=1&x=000.p&n=2");
	const struct reply edge = ask_log(&test, "log_tile_deep", "level=0&x=002.p&n=1");
	assert_int_equal(leaves.status, 200);
	assert_int_equal(leaves.body.n, 256 * HASH_SIZE);
	assert_int_equal(nodes.body.n, 2 * HASH_SIZE);
	assert_int_equal(edge.body.n, HASH_SIZE);
	/* The second hash of level 1 is the root of the tile below. */
	struct merkle_peaks peaks = { 0 };
	struct merkle_hash root;
	for (size_t i = 0; i < TILE_WIDTH; i++) {
		struct merkle_hash leaf;
		memcpy(leaf.bytes, leaves.body.data + i * HASH_SIZE, HASH_SIZE);
		merkle_append(&peaks, &leaf);
	}
	merkle_root(&peaks, &root);
	assert_memory_equal(nodes.body.data + HASH_SIZE, root.bytes, HASH_SIZE);
}

static void bundles_hold_the_lines_behind_their_lengths(void **state)
{
	const struct reply bundle = ask_log(&test, "log_entries", "n=001");
	assert_int_equal(bundle.status, 200);
	size_t at = 0, n = 0;
	for (; at + 2 <= bundle.body.n; n++) {
		const unsigned char *entry = bundle.body.data + at;
		size_t length = (size_t)(entry[0] << 8 | entry[1]);
		const char *line = test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT line FROM audit.event WHERE sequence = %zu", 257 + n));
		assert_int_equal(length, strlen(line));
		assert_memory_equal(entry + 2, line, length);
		at += 2 + length;
	}
	assert_int_equal(at, bundle.body.n);
	assert_int_equal(n, TILE_WIDTH);
}

static void only_what_is_signed_is_shown(void **state)
{
	static const struct {
		const char *operation, *params;
	} asked[] = { { "log_tile", "level=0&n=002" }, { "log_tile_deep", "level=0&x=002.p&n=2" },
		{ "log_tile", "level=1&n=000" }, { "log_tile_deep", "level=2&x=000.p&n=1" },
		{ "log_tile", "level=7&n=000" }, { "log_tile", "level=00&n=000" },
		{ "log_entries_deep", "x=002.p&n=2" },
		{ "log_entries_deeper", "x=x001&y=x000&n=000" },
		{ "log_tile_deeper", "level=0&x=x999&y=x999&n=999" } };
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		assert_int_equal(ask_log(&test, asked[i].operation, asked[i].params).status, 404);
	grow_log(&test, 1);
	assert_int_equal(ask_log(&test, "log_tile_deep", "level=0&x=002.p&n=2").status, 404);
	sign_log(&test);
	assert_int_equal(ask_log(&test, "log_tile_deep", "level=0&x=002.p&n=2").status, 200);
}

/* Last, because it breaks the log of the facts before it. */
static void what_was_taken_out_is_not_glossed_over(void **state)
{
	static const char *const operations[] = { "log_tile", "log_entries", "log_inclusion" };
	static const char *const params[] = { "level=0&n=001", "n=001", "index=300&size=512" };
	test_sql(&test, "DELETE FROM audit.event WHERE sequence = 310");
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const struct reply reply = ask_log(&test, operations[i], params[i]);
		assert_int_equal(reply.status, 404);
		assert_non_null(strstr(text_of(&test, &reply), "log_missing"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_have_one_meaning),
		cmocka_unit_test(tiles_hold_the_hashes_of_their_level),
		cmocka_unit_test(bundles_hold_the_lines_behind_their_lengths),
		cmocka_unit_test(only_what_is_signed_is_shown),
		cmocka_unit_test(what_was_taken_out_is_not_glossed_over),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
