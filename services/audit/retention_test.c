/* What is old goes by tiles; what anybody could prove before, he can prove after. */
#include "libcommon/log.h"
#include "services/audit/log_world.h"
#include "services/audit/tile.h"

#define OLD_EVENTS 600 /* two tiles and a part */
#define NEW_EVENTS 100
#define SIZE (OLD_EVENTS + NEW_EVENTS)
#define MINUTES_A_DAY (24 * 60)

#define GRAVE 300 /* in the second tile, an event about what is of class II */

static struct test test;

static const char *grave_line(const struct happening *what)
{
	const char *line = line_of(test.arena, what), *metadata = strstr(line, "\"metadata\":{");
	return arena_printf(test.arena, "%.*s\"metadata\":{\"labels\":[\"II\"],%s",
		(int)(metadata - line), line, metadata + strlen("\"metadata\":{"));
}

static void grow_of(const char *tenant_id, int n, int days_ago)
{
	int64_t minutes = (clock_unix_ms() - TIME_MS) / 60000 - (int64_t)days_ago * MINUTES_A_DAY;
	const struct happening what = {
		.tenant_id = tenant_id, .actor_id = TEST_USER, .minute = (int)minutes
	};
	const char *lines[SIZE];
	for (int i = 0; i < n; i++)
		lines[i] = i == GRAVE ? grave_line(&what) : line_of(test.arena, &what);
	for (int i = 0; i < n; i += 100)
		assert_int_equal(append_lines(&test, lines + i, 100).status, 204);
}

static void grow(int n, int days_ago)
{
	grow_of(TEST_TENANT, n, days_ago);
}

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	if (checkpoint_open(LOG_NAME, LOG_KEY, ""))
		return -1;
	grow(OLD_EVENTS, 420);
	grow(NEW_EVENTS, 380);
	sign_log(&test);
	retention = (struct retention){ .days = 400 };
	return 0;
}

static int close_world(void **state)
{
	checkpoint_close();
	test_close(&test);
	return 0;
}

static void prune(void)
{
	for (bool more = true; more;) {
		struct call c = test_call(&test, NULL);
		assert_int_equal(retention_run(&c, &more), OK);
		assert_int_equal(db_commit(&c), OK);
	}
}

static const char *count(const char *where)
{
	return test_sql_text(&test,
		arena_printf(test.arena, "SELECT count(*) FROM audit.event WHERE %s", where));
}

/* Questions whose answers must not change. */
static const struct {
	const char *operation, *params;
} proofs[] = {
	{ "log_tile", "level=0&n=000" },
	{ "log_tile", "level=0&n=001" },
	{ "log_tile_deep", "level=0&x=001.p&n=7" },
	{ "log_tile_deep", "level=0&x=002.p&n=100" },
	{ "log_inclusion", "index=3&size=700" },
	{ "log_inclusion", "index=600&size=700" },
	{ "log_consistency", "from=100&to=700" },
	{ "log_consistency", "from=513&to=700" },
	{ "log_range", "first=512&end=700" },
	{ "log_export", "first=512&end=700" },
	{ "log_table", "first=512&end=700" },
	{ "log_checkpoint", NULL },
};
#define PROOFS_N (sizeof(proofs) / sizeof(proofs[0]))

static struct bytes answer(size_t i)
{
	const struct reply reply = ask_log(&test, proofs[i].operation, proofs[i].params);
	assert_int_equal(reply.status, 200);
	return reply.body;
}

static void every_proof_is_the_same_as_before(void **state)
{
	struct bytes before[PROOFS_N];
	for (size_t i = 0; i < PROOFS_N; i++)
		before[i] = answer(i);
	prune();
	assert_string_equal(count("sequence <= 512"), "0");
	assert_string_equal(count("true"), "188");
	for (size_t i = 0; i < PROOFS_N; i++) {
		const struct bytes after = answer(i);
		assert_int_equal(after.n, before[i].n);
		assert_memory_equal(after.data, before[i].data, after.n);
	}
}

/* What a search looks up of them goes as well. */
static void so_does_what_they_are_found_by(void **state)
{
	static const char TILES[] =
		"SELECT string_agg(DISTINCT tile::text, ' ' ORDER BY tile::text) FROM (SELECT tile"
		" FROM audit.tile_term UNION SELECT tile FROM audit.noted_tile) t";
	grow_log(&test, 100);
	note_terms(&test);
	assert_string_equal(test_sql_text(&test, TILES), "0 1 2");
	prune();
	assert_string_equal(test_sql_text(&test, TILES), "2");
}

static void what_is_gone_is_said_to_be_gone(void **state)
{
	prune();
	assert_int_equal(ask_log(&test, "log_export", "first=0&end=700").status, 410);
	assert_int_equal(ask_log(&test, "log_export", "first=511&end=700").status, 410);
	assert_int_equal(ask_log(&test, "log_table", "first=511&end=700").status, 410);
	assert_int_equal(ask_log(&test, "log_entries", "n=000").status, 410);
	assert_int_equal(ask_log(&test, "log_entries_deep", "x=002.p&n=100").status, 200);
}

static const char *gaps_found(void)
{
	bool more;
	struct call c = test_call(&test, NULL);
	assert_int_equal(compare_run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
	return test_sql_text(&test, "SELECT count(*) FROM audit.gap");
}

/* Where the log is compared with its tree (completeness_test.c). */
static void what_is_gone_is_not_missed(void **state)
{
	prune();
	assert_string_equal(gaps_found(), "0");
	test_sql(&test, "DELETE FROM audit.event WHERE sequence = 513");
	log_open("test", LOG_LEVEL_ERROR + 1);
	assert_string_equal(gaps_found(), "1");
}

static const char *pruned_of(const char *tenant_id)
{
	return test_sql_text(&test,
		arena_printf(test.arena, "SELECT pruned FROM audit.head WHERE tenant_id = '%s'",
			tenant_id));
}

/* Nobody knows its hash any more, so its tile stays, and what comes after; other logs go on. */
static void a_line_that_is_missing_holds_up_its_own_log_only(void **state)
{
	test_sql(&test, "UPDATE audit.event SET sequence = -100 WHERE sequence = 100");
	grow_of(TEST_OTHER_TENANT, 300, 420);
	sign_log(&test);
	prune();
	assert_string_equal(pruned_of(TEST_TENANT), "0");
	assert_string_equal(pruned_of(TEST_OTHER_TENANT), "256");
	test_sql(&test, "UPDATE audit.event SET sequence = 100 WHERE sequence = -100");
	prune();
	assert_string_equal(pruned_of(TEST_TENANT), "512");
}

/* Most logs have a tile in which old and young lie together; a turn takes others. */
static void what_waits_for_its_age_keeps_no_other_log_from_its_turn(void **state)
{
	grow(100, 380);
	sign_log(&test);
	prune();
	assert_string_equal(pruned_of(TEST_TENANT), "512");
	grow_of(TEST_OTHER_TENANT, 300, 420);
	sign_log(&test);
	assert_string_equal(
		test_sql_text(&test, "SELECT audit.prune('{400,400,400,400}', 1)"), "1");
	assert_string_equal(pruned_of(TEST_OTHER_TENANT), "256");
}

static void the_log_goes_on(void **state)
{
	prune();
	grow_log(&test, 100);
	sign_log(&test);
	assert_int_equal(latest_checkpoint(&test).size, SIZE + 100);
	assert_int_equal(ask_log(&test, "log_consistency", "from=700&to=800").status, 200);
}

/* The job asks for days, the database keeps thirteen months whatever is asked: here a whole tile
 * that is younger, behind the one in which old and young lie together. */
static void nobody_empties_the_log(void **state)
{
	grow(400, 380);
	sign_log(&test);
	retention.days = 1;
	prune();
	assert_string_equal(count("true"), "588");
}

static void what_may_still_be_needed_stays(void **state)
{
	retention.days = 430;
	prune();
	assert_string_equal(count("true"), "700");
}

/* And what came after it in the log, since that goes from its beginning. */
static void a_graver_event_stays_longer(void **state)
{
	retention.class_days[1] = 430;
	prune();
	assert_string_equal(count("sequence <= 256"), "0");
	assert_string_equal(count("true"), "444");
	retention.class_days[1] = 410;
	prune();
	assert_string_equal(count("true"), "188");
}

/* A class that is given fewer days than all is kept as long as all. */
static void no_class_goes_sooner(void **state)
{
	retention = (struct retention){ .days = 430, .class_days = { 1, 1, 1 } };
	prune();
	assert_string_equal(count("true"), "700");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(every_proof_is_the_same_as_before),
		FACT(so_does_what_they_are_found_by),
		FACT(what_is_gone_is_said_to_be_gone),
		FACT(what_is_gone_is_not_missed),
		FACT(a_line_that_is_missing_holds_up_its_own_log_only),
		FACT(what_waits_for_its_age_keeps_no_other_log_from_its_turn),
		FACT(the_log_goes_on),
		FACT(nobody_empties_the_log),
		FACT(what_may_still_be_needed_stays),
		FACT(a_graver_event_stays_longer),
		FACT(no_class_goes_sooner),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
