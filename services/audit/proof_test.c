/* Proofs of the service are checked here as a stranger would: from their text and the public key.
 */
#include <stdlib.h>

#include "libcommon/frame.h"
#include "libcommon/log_table.h"
#include "services/audit/log_world.h"

#define SIZE 600 /* two full tiles and a part of one */

static struct test test;

/* One log for all facts: nothing here changes it but the exports' own events, in another place. */
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

/* {"hashes":["…",…]} */
static struct merkle_proof proof_of(const char *json)
{
	struct merkle_proof proof = { 0 };
	for (const char *at = strchr(json, '['); at[1] == '"'; at++) {
		const char *rest;
		size_t n = strcspn(at + 2, "\"");
		assert_true(
			note_hash(test.arena, arena_printf(test.arena, "%.*s\n", (int)n, at + 2),
				&proof.hashes[proof.n++], &rest));
		at += 2 + n;
	}
	return proof;
}

static const char *line_at(uint64_t index)
{
	return test_sql_text(&test,
		arena_printf(test.arena, "SELECT line FROM audit.event WHERE sequence = %llu + 1",
			(unsigned long long)index));
}

static struct merkle_hash root_at(uint64_t size)
{
	struct merkle_hash root;
	const struct merkle_peaks peaks = stored_tree(&test, size);
	merkle_root(&peaks, &root);
	return root;
}

static void inclusion_is_proven_for_every_size(void **state)
{
	static const struct {
		int index, size;
	} asked[] = { { 0, 1 }, { 0, SIZE }, { SIZE - 1, SIZE }, { 255, 256 }, { 256, 257 },
		{ 100, 300 }, { 511, 512 }, { 512, 599 } };
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		uint64_t index = (uint64_t)asked[i].index, size = (uint64_t)asked[i].size;
		const char *line = line_at(index);
		const struct merkle_hash root = root_at(size);
		struct merkle_hash leaf;
		merkle_leaf(line, strlen(line), &leaf);
		const struct merkle_proof proof = proof_of(ask_text(&test, "log_inclusion",
			arena_printf(
				test.arena, "index=%d&size=%d", asked[i].index, asked[i].size)));
		assert_true(merkle_has_leaf(&root, size, index, &leaf, &proof));
	}
}

static void consistency_is_proven_between_any_sizes(void **state)
{
	static const int sizes[] = { 1, 2, 255, 256, 257, 511, 512, 513, 599, SIZE };
	size_t n = sizeof(sizes) / sizeof(sizes[0]);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) {
			const struct merkle_hash from = root_at((uint64_t)sizes[i]),
						 to = root_at((uint64_t)sizes[j]);
			const struct merkle_proof proof = proof_of(ask_text(&test,
				"log_consistency",
				arena_printf(test.arena, "from=%d&to=%d", sizes[i], sizes[j])));
			assert_true(merkle_is_beginning(
				&from, (uint64_t)sizes[i], &to, (uint64_t)sizes[j], &proof));
		}
	}
}

static void one_event_is_proven_by_one_file(void **state)
{
	static const char head[] = "c2sp.org/tlog-proof@v1\nindex 300\n";
	const char *id = test_sql_text(&test, "SELECT id FROM audit.event WHERE sequence = 301");
	const char *file =
		ask_text(&test, "event_proof", arena_printf(test.arena, "eventId=%s", id));
	const char *line = line_at(300), *rest;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	assert_int_equal(strncmp(file, head, sizeof(head) - 1), 0);
	assert_true(note_proof(test.arena, file + sizeof(head) - 1, &proof, &rest));
	const struct checkpoint checkpoint = read_checkpoint(&test, rest);
	merkle_leaf(line, strlen(line), &leaf);
	assert_true(merkle_has_leaf(&checkpoint.root, checkpoint.size, 300, &leaf, &proof));
}

static void what_is_not_there_is_not_proven(void **state)
{
	static const struct {
		const char *operation, *params;
		unsigned status;
	} asked[] = {
		{ "event_proof", "eventId=" TEST_USER, 404 },
		{ "log_inclusion", "index=1&size=601", 409 },
		{ "log_inclusion", "index=7&size=7", 422 },
		{ "log_consistency", "from=8&to=7", 422 },
		{ "log_consistency", "from=8&to=601", 409 },
		{ "log_consistency", "from=0&to=7", 422 },
		{ "log_range", "first=8&end=7", 422 },
		{ "log_range", "first=8&end=601", 409 },
		{ "log_export", "first=7&end=7", 404 },
		{ "log_export", "first=0&end=601", 404 },
		{ "log_table", "first=7&end=7", 404 },
		{ "log_table", "first=0&end=601", 404 },
		{ "event_table", "provenIn=601", 409 },
	};
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		assert_int_equal(ask_log(&test, asked[i].operation, asked[i].params).status,
			asked[i].status);
}

/* ---- exports ---- */

/* The whole export in windows of the size given, as the gateway asks for them. */
static const char *exported(const char *params, int64_t window)
{
	struct buf all = { .arena = test.arena };
	const struct actor actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	int64_t total = 1;
	while ((int64_t)all.n < total) {
		struct audit_log_export_in in = { 0 };
		struct audit_log_export_out out = { 0 };
		struct call c = test_call(&test, &actor);
		c.window = (struct window){ .offset = (int64_t)all.n, .length = window };
		assert_int_equal(shape_read_params(&c, &audit_log_export_in_shape, params,
					 strlen(params), &in),
			OK);
		assert_int_equal(audit_log_export(&c, &in, &out), OK);
		db_rollback(test.db);
		assert_true(out.body.n > 0 && (int64_t)out.body.n <= window);
		buf_add(&all, out.body.data, out.body.n);
		total = c.total_bytes;
	}
	assert_int_equal(all.n, total);
	return all.data;
}

static const char *stored_lines(int first, int end)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT string_agg(line || chr(10), '' ORDER BY sequence) FROM audit.event"
			" WHERE sequence > %d AND sequence <= %d",
			first, end));
}

static void an_export_is_the_stored_lines_in_any_windows(void **state)
{
	static const int ranges[][2] = { { 0, 1 }, { 0, SIZE }, { 255, 257 }, { 256, 512 },
		{ 3, 590 }, { 512, SIZE }, { SIZE - 1, SIZE } };
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const char *params =
			arena_printf(test.arena, "first=%d&end=%d", ranges[i][0], ranges[i][1]);
		const char *wanted = stored_lines(ranges[i][0], ranges[i][1]);
		assert_string_equal(exported(params, 262144), wanted);
		assert_string_equal(exported(params, 9973), wanted);
	}
	assert_string_equal(exported("first=255&end=257", 7), stored_lines(255, 257));
}

static void an_export_is_proven_by_its_range(void **state)
{
	static const char head[] = "manabiya-log-range@v1\nrange 100 530\n";
	const char *file = ask_text(&test, "log_range", "first=100&end=530"), *rest;
	const char *lines = exported("first=100&end=530", 262144);
	struct merkle_proof proof;
	struct merkle_peaks peaks;
	struct merkle_hash root;
	size_t used;
	assert_int_equal(strncmp(file, head, sizeof(head) - 1), 0);
	assert_true(note_proof(test.arena, file + sizeof(head) - 1, &proof, &rest));
	const struct checkpoint checkpoint = read_checkpoint(&test, rest);
	assert_true(merkle_range_begin(&peaks, 100, &proof, &used));
	for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		struct merkle_hash leaf;
		merkle_leaf(lines, (size_t)(end - lines), &leaf);
		merkle_append(&peaks, &leaf);
	}
	assert_int_equal(peaks.size, 530);
	assert_true(merkle_range_end(&peaks, checkpoint.size, &proof, &used));
	merkle_root(&peaks, &root);
	assert_true(merkle_equal(&root, &checkpoint.root));
}

/* ---- tables ---- */

static struct bytes ask_run(struct call *c, const char *params)
{
	struct audit_log_table_in in = { 0 };
	struct audit_log_table_out out = { 0 };
	assert_int_equal(
		shape_read_params(c, &audit_log_table_in_shape, params, strlen(params), &in), OK);
	assert_int_equal(audit_log_table(c, &in, &out), OK);
	return out.body;
}

static struct bytes ask_found(struct call *c, const char *params)
{
	struct audit_event_table_in in = { 0 };
	struct audit_event_table_out out = { 0 };
	assert_int_equal(
		shape_read_params(c, &audit_event_table_in_shape, params, strlen(params), &in), OK);
	assert_int_equal(audit_event_table(c, &in, &out), OK);
	return out.body;
}

static size_t count_rows(struct bytes body)
{
	size_t n = 0;
	for (size_t i = 0; i < body.n; i++)
		n += body.data[i] == '\n';
	return n;
}

/* The whole table in windows of the size given, which is exceeded by a single row alone. */
static const char *tabled(
	struct bytes (*ask)(struct call *c, const char *params), const char *params, int64_t window)
{
	struct buf all = { .arena = test.arena };
	const struct actor actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	int64_t next = 0;
	do {
		struct call c = test_call(&test, &actor);
		c.window = (struct window){ next, window, .continued = next > 0 };
		const struct bytes body = ask(&c, params);
		db_rollback(test.db);
		assert_int_equal(c.total_bytes, BYTES_UNKNOWN);
		assert_true((int64_t)body.n <= window || count_rows(body) == 1 + !next);
		assert_true(!c.next_offset || c.next_offset != next);
		buf_add(&all, body.data, body.n);
		next = c.next_offset;
	} while (next);
	return all.data;
}

static const char *stored_rows(uint64_t first, uint64_t end)
{
	struct buf all = { .arena = test.arena };
	buf_text(&all, LOG_TABLE_MARK);
	log_table_write(&all, log_table_names(LANGUAGE_JA), LOG_RUN_COLUMNS);
	for (uint64_t i = first; i < end; i++) {
		const char *cells[LOG_RUN_COLUMNS];
		log_table_cells(test.arena, LANGUAGE_JA, line_at(i), cells);
		assert_string_equal(cells[LOG_SEQUENCE],
			arena_printf(test.arena, "%llu", (unsigned long long)i + 1));
		log_table_write(&all, cells, LOG_RUN_COLUMNS);
	}
	return all.data;
}

static void a_table_is_the_stored_lines_in_any_windows(void **state)
{
	const char *wanted = stored_rows(0, SIZE),
		   *params = arena_printf(test.arena, "first=0&end=%d", SIZE);
	assert_string_equal(tabled(ask_run, params, 262144), wanted);
	assert_string_equal(tabled(ask_run, params, 9973), wanted);
	assert_string_equal(tabled(ask_run, "first=255&end=300", 1), stored_rows(255, 300));
	assert_string_equal(tabled(ask_run, "first=599&end=600", 1), stored_rows(599, 600));
}

/* Its proofs are checked by the program that customers have (tests/attack/log). */
static void so_is_what_a_search_has_found(void **state)
{
	const char *params = arena_printf(test.arena, "provenIn=%d", SIZE),
		   *all = tabled(ask_found, params, 262144), *at = all;
	assert_string_equal(tabled(ask_found, params, 9973), all);
	for (int i = SIZE; i > 0; i--) {
		at = strstr(at, "\r\n") + 2;
		const char *row = arena_printf(test.arena, "\"%d\",", i);
		assert_memory_equal(at, row, strlen(row));
		at = strstr(at, arena_printf(test.arena, ",\"index %d ", i - 1));
		assert_non_null(at);
	}
	assert_string_equal(strstr(at, "\r\n"), "\r\n");
	assert_non_null(strstr(tabled(ask_found, "provenIn=7", 262144), ",\"index 6 "));
	assert_null(strstr(tabled(ask_found, "provenIn=7", 262144), ",\"index 7 "));
	assert_string_equal(
		tabled(ask_found, "provenIn=7", 1), tabled(ask_found, "provenIn=7", 262144));
	assert_null(strstr(
		tabled(ask_found, "provenIn=7&operation=auth.account_put", 262144), ",\"index "));
}

/* ---- archives ---- */

static enum err range_since(const char *since, struct audit_archive_range_out *out)
{
	const struct actor actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	const struct audit_archive_range_in in = { .since = since };
	struct call c = test_call(&test, &actor);
	enum err e = audit_archive_range(&c, &in, out);
	db_rollback(test.db);
	return e;
}

static void an_archive_waits_for_what_was_done_before_it_was_asked_for(void **state)
{
	struct audit_archive_range_out out = { 0 };
	const char *since = "2026-07-01T00:00:00.500Z";
	assert_int_equal(range_since(since, &out), OK);
	assert_int_equal(out.end, SIZE);
	test_sql(&test,
		"INSERT INTO learning.outbox (tenant_id, consumer, kind, type, event_id, body,"
		" created_at) VALUES ('" TEST_TENANT "', 'audit', 'audit', 'x',"
		" gen_random_uuid(), '{}', '2026-07-01T00:00:00.5004Z')");
	assert_int_equal(range_since(since, &out), ERR_CONFLICT);
	assert_int_equal(range_since("2026-07-01T00:00:00.499Z", &out), OK);
	test_sql(&test, "UPDATE learning.outbox SET dead_reason = 'refused'");
	assert_int_equal(range_since(since, &out), OK);
	test_sql(&test, "DELETE FROM learning.outbox");

	grow_log(&test, 1);
	assert_int_equal(range_since(since, &out), ERR_CONFLICT);
	sign_log(&test);
	assert_int_equal(range_since(since, &out), OK);
	assert_int_equal(out.end, SIZE + 1);
}

/* ---- certificates ---- */

/* The operator's log signs no event of a customer's, and nobody's log one of another. */
static void a_certificate_is_of_an_event_of_its_own_log(void **state)
{
	const struct actor own = test_actor(&test, TEST_TENANT, "provisioning", ROLE_SERVICE);
	const struct actor other =
		test_actor(&test, TEST_OTHER_TENANT, "provisioning", ROLE_SERVICE);
	const char *event_id =
		test_sql_text(&test, "SELECT id FROM audit.event WHERE sequence = 1");
	const struct audit_erasure_certify_in contract = { .contract_id = TEST_TENANT,
		.tenant_id = TEST_TENANT,
		.code = "x",
		.name = "x",
		.event_id = event_id,
		.keys = "-",
		.keys_at = "2026-07-01T00:00:00.000Z",
		.ledger_hash = "x" };
	const struct audit_user_erasure_certify_in user = { .user_id = TEST_USER,
		.event_id = event_id,
		.keys = "-",
		.keys_at = "2026-07-01T00:00:00.000Z",
		.ledger_hash = "x" };
	struct audit_erasure_certify_out of_contract = { 0 };
	struct audit_user_erasure_certify_out of_user = { 0 };
	struct call c = test_call(&test, &own);
	assert_int_equal(audit_erasure_certify(&c, &contract, &of_contract), ERR_FORBIDDEN);
	assert_null(of_contract.certificate);
	assert_int_equal(audit_user_erasure_certify(&c, &user, &of_user), OK);
	assert_non_null(strstr(of_user.certificate, "\nuser " TEST_USER "\n"));
	db_rollback(test.db);
	c = test_call(&test, &other);
	of_user = (struct audit_user_erasure_certify_out){ 0 };
	assert_int_equal(audit_user_erasure_certify(&c, &user, &of_user), ERR_NOT_FOUND);
	assert_null(of_user.certificate);
	db_rollback(test.db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inclusion_is_proven_for_every_size),
		cmocka_unit_test(consistency_is_proven_between_any_sizes),
		cmocka_unit_test(one_event_is_proven_by_one_file),
		cmocka_unit_test(what_is_not_there_is_not_proven),
		cmocka_unit_test(an_export_is_the_stored_lines_in_any_windows),
		cmocka_unit_test(an_export_is_proven_by_its_range),
		cmocka_unit_test(a_table_is_the_stored_lines_in_any_windows),
		cmocka_unit_test(so_is_what_a_search_has_found),
		cmocka_unit_test(an_archive_waits_for_what_was_done_before_it_was_asked_for),
		cmocka_unit_test(a_certificate_is_of_an_event_of_its_own_log),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
