/* What is signed is what is stored, and soon. */
#include "libcommon/log.h"
#include "services/audit/log_world.h"

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	return checkpoint_open(LOG_NAME, LOG_KEY, "") ? -1 : 0;
}

static int close_world(void **state)
{
	checkpoint_close();
	test_close(&test);
	return 0;
}

static void the_signed_root_is_that_of_the_stored_lines(void **state)
{
	static const int steps[] = { 1, 1, 1, 4, 248, 1, 1, 300, 700 };
	uint64_t size = 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct merkle_hash root;
		grow_log(&test, steps[i]);
		sign_log(&test);
		size += (uint64_t)steps[i];
		const struct checkpoint checkpoint = latest_checkpoint(&test);
		const struct merkle_peaks peaks = stored_tree(&test, size);
		merkle_root(&peaks, &root);
		assert_int_equal(checkpoint.size, size);
		assert_true(merkle_equal(&checkpoint.root, &root));
	}
}

static void each_tenant_has_a_log_of_its_own(void **state)
{
	struct reply reply;
	const struct actor other =
		test_actor(&test, TEST_OTHER_TENANT, TEST_OTHER_USER, ROLE_CONTRACTOR);
	const struct test_request request = { .operation = "log_checkpoint", .actor = &other };
	grow_log(&test, 3);
	sign_log(&test);
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 404);
	happen(&test, (struct happening){ .tenant_id = TEST_OTHER_TENANT });
	happen(&test, (struct happening){ 0 });
	sign_log(&test);
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	static const char beginning[] = LOG_NAME "/log/" TEST_OTHER_TENANT "\n1\n";
	assert_int_equal(strncmp(text_of(&test, &reply), beginning, sizeof(beginning) - 1), 0);
	assert_int_equal(latest_checkpoint(&test).size, 3);
}

static void nothing_new_is_not_signed_again(void **state)
{
	grow_log(&test, 2);
	sign_log(&test);
	const char *first = ask_text(&test, "log_checkpoint", NULL);
	sign_log(&test);
	assert_string_equal(ask_text(&test, "log_checkpoint", NULL), first);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.checkpoint"), "1");
}

/* While one key follows another, both sign: whoever knows either can check. */
static void keys_overlap(void **state)
{
	checkpoint_close();
	assert_int_equal(checkpoint_open(LOG_NAME, LOG_KEY_NEXT, LOG_KEY), OK);
	grow_log(&test, 1);
	sign_log(&test);
	const char *text = ask_text(&test, "log_checkpoint", NULL);
	const struct note_verifier before = verifier_of(LOG_KEY), next = verifier_of(LOG_KEY_NEXT);
	struct note note;
	assert_int_equal(note_read(test.arena, text, strlen(text), &note), OK);
	assert_int_equal(note.signatures_n, 2);
	assert_true(note_is_signed(test.arena, &note, &before, NULL));
	assert_true(note_is_signed(test.arena, &note, &next, NULL));
	const char *keys = ask_text(&test, "log_key", NULL);
	assert_non_null(strstr(keys, note_verifier_text(test.arena, &before)));
	assert_non_null(strstr(keys, note_verifier_text(test.arena, &next)));
}

static void a_key_that_is_none_stops_the_start(void **state)
{
	checkpoint_close();
	log_open("test", LOG_LEVEL_ERROR + 1);
	assert_int_equal(checkpoint_open(LOG_NAME, "not a key", ""), ERR_INVALID);
	assert_int_equal(checkpoint_open("two words", LOG_KEY, ""), ERR_INVALID);
	log_open("test", LOG_LEVEL_ERROR);
}

static const char *checkpoint_of_range(const char *end)
{
	const char *params = arena_printf(test.arena, "first=0&end=%s", end);
	return strstr(strstr(ask_text(&test, "log_range", params), "\n\n") + 2, "\n") + 1;
}

/* What a witness has signed is kept beside the latest, and is what proofs use where it is enough.
 */
static void what_is_witnessed_is_kept_until_the_next(void **state)
{
	static const char witnessed[] = "witnessed=true";
	grow_log(&test, 3);
	sign_log(&test);
	assert_int_equal(ask_log(&test, "log_checkpoint", witnessed).status, 404);
	test_sql(&test, "SELECT audit.witness_put(tenant_id, size, note) FROM audit.checkpoint");
	grow_log(&test, 2);
	sign_log(&test);
	assert_int_equal(latest_checkpoint(&test).size, 5);
	const char *kept = ask_text(&test, "log_checkpoint", witnessed);
	assert_int_equal(read_checkpoint(&test, kept).size, 3);
	assert_int_equal(strncmp(checkpoint_of_range("3"), "3\n", 2), 0);
	assert_int_equal(strncmp(checkpoint_of_range("4"), "5\n", 2), 0);
	assert_int_equal(ask_log(&test, "log_range", "first=0&end=6").status, 409);
	test_sql(&test,
		"SELECT audit.witness_put(tenant_id, size, note) FROM audit.checkpoint"
		" WHERE size = 5");
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.checkpoint"), "1");
}

/* Somebody put the log back between its being read and its being signed. */
static void what_was_signed_of_a_larger_log_is_not_kept(void **state)
{
	static const char kept[] = "SELECT h.signed || '/' || string_agg(c.size::text, ' ')"
				   " FROM audit.head h JOIN audit.checkpoint c USING (tenant_id)"
				   " GROUP BY h.signed";
	grow_log(&test, 3);
	sign_log(&test);
	test_sql(&test,
		"SELECT audit.checkpoint_put(ARRAY['" TEST_TENANT
		"'::uuid], ARRAY[5], ARRAY['x'])");
	assert_string_equal(test_sql_text(&test, kept), "3/3");
	grow_log(&test, 1);
	sign_log(&test);
	assert_string_equal(test_sql_text(&test, kept), "4/4");
}

/* Somebody put the log back while its witness thought. */
static void what_was_witnessed_of_a_larger_log_is_not_kept(void **state)
{
	static const char late[] = "SELECT audit.witness_put('" TEST_TENANT "', 5, 'x')";
	static const char offered[] =
		"SELECT witnessed || '/' || size FROM"
		" audit.witness_take('00000000-0000-0000-0000-000000000000', 9)";
	grow_log(&test, 3);
	sign_log(&test);
	assert_string_equal(test_sql_text(&test, offered), "0/3");
	test_sql(&test, late);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM audit.checkpoint"), "1");
	assert_string_equal(test_sql_text(&test, offered), "0/3");
	test_sql(&test, "UPDATE audit.head SET witnessed = 5");
	assert_string_equal(test_sql_text(&test, offered), "5/3");
	test_sql(&test, "SELECT audit.witness_put(tenant_id, size, note) FROM audit.checkpoint");
	assert_string_equal(test_sql_text(&test, offered), "");
}

static void options_that_name_no_witness_stop_the_start(void **state)
{
	static const char key[] = "w+680f52bc+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	static const struct witness_conf bad[] = {
		{ "https://w.example", "", "" },
		{ "", key, "" },
		{ "https://w.example", "not a key", "" },
		{ "http://w.example", key, "" },
		{ "https://w.example,https://v.example", key, "" },
	};
	log_open("test", LOG_LEVEL_ERROR + 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(witness_open(&bad[i]), ERR_INVALID);
	assert_int_equal(witness_open(&(struct witness_conf){ "", "", "" }), OK);
	log_open("test", LOG_LEVEL_ERROR);
}

/* As the service's own role: it can sign, but neither hash nor forget. */
static void the_service_cannot_touch_the_tree(void **state)
{
	static const char *const attempts[] = {
		"UPDATE audit.node SET hash = sha256('')",
		"DELETE FROM audit.checkpoint",
		"INSERT INTO audit.checkpoint (tenant_id, size, note) VALUES ('" TEST_TENANT
		"', 9, 'x')",
		"SELECT audit.grow('" TEST_TENANT "', '{x}', '{2}')",
		"SELECT audit.write('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
		"SELECT peaks FROM audit.head",
	};
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		struct call c = test_call(&test, NULL);
		assert_int_equal(db_exec(&c, attempts[i], DB_NONE), ERR_INTERNAL);
		assert_non_null(strstr(db_error_text(test.db), "permission denied"));
		db_rollback(test.db);
	}
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(the_signed_root_is_that_of_the_stored_lines),
		FACT(each_tenant_has_a_log_of_its_own),
		FACT(nothing_new_is_not_signed_again),
		FACT(keys_overlap),
		FACT(a_key_that_is_none_stops_the_start),
		FACT(what_is_witnessed_is_kept_until_the_next),
		FACT(what_was_signed_of_a_larger_log_is_not_kept),
		FACT(what_was_witnessed_of_a_larger_log_is_not_kept),
		FACT(options_that_name_no_witness_stop_the_start),
		FACT(the_service_cannot_touch_the_tree),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
