/* What is told of the use of keys, in whose log, how often, and what happens while auth is away. */
#include "libcommon/key_use.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/testing.h"
#include "libcommon/worker.h"

#define HOUR_MS 3600000
#define VERSIONS 14 /* of the tenant's key, each opened once: so many openings there can be */

static struct test test;
static bool auth_is_away;
static uint32_t opened; /* versions */

static enum err mint(struct call *c, const char *tenant_id, const char **capability)
{
	if (auth_is_away)
		return ERR_UNAVAILABLE;
	const struct actor actor = test_actor(&test, tenant_id, TEST_USER, ROLE_SERVICE);
	*capability = test_capability(&test, &actor);
	return OK;
}

static const struct service learning = {
	.name = "learning", .keyring = KEYRING_READS, .service_capability = mint
};

/* One world for all, since what was counted outlives a test. */
static int open_world(void **state)
{
	key_use_conf.opened_max = 2;
	test_open(&test, &learning);
	for (int i = 1; i < VERSIONS; i++)
		assert_int_equal(keyring_rotate(test.keyring, TEST_TENANT), OK);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static void watch(void)
{
	struct call c = test_call(&test, NULL);
	assert_int_equal(key_use_watch(&c), OK);
	assert_int_equal(db_commit(&c), OK);
}

/* So many hours from when the program started: in the future, but not far, or the database takes no
 * capability. */
static void go_to(int64_t hour)
{
	static int64_t began;
	began = began ? began : clock_unix_ms() / HOUR_MS;
	clock_shift_ms((began + hour) * HOUR_MS + 60000 - clock_unix_ms());
}

/* Another hour than before, an outbox with nothing in it. */
static int begin(void **state)
{
	static int tests;
	watch();
	test_sql(&test, "DELETE FROM learning.outbox");
	auth_is_away = false;
	go_to(1 + ++tests % 2);
	return 0;
}

static void open_keys(int n)
{
	unsigned char key[KEY_SIZE];
	for (int i = 0; i < n; i++) {
		const struct data_key which = { .domain = "outbox", .version = ++opened };
		assert_int_equal(keyring_data_key(test.keyring, TEST_TENANT, which, key), OK);
	}
}

/* A byte of the other tenant's key is another. */
static void refuse_keys(int n)
{
	unsigned char key[KEY_SIZE];
	const struct data_key which = { .domain = "outbox", .version = 1 };
	int file = openat(
		keyring_directory(test.keyring), TEST_OTHER_TENANT ".1.key", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(file, "xxxxxxxx", 8, 20), 8);
	close(file);
	for (int i = 0; i < n; i++)
		assert_int_equal(keyring_data_key(test.keyring, TEST_OTHER_TENANT, which, key),
			ERR_INTERNAL);
}

/* The world's service keeps nothing but its outbox. */
static void ask_for_foreign_keys(int n)
{
	unsigned char key[KEY_SIZE];
	const struct data_key which = { .domain = "media", .version = 1 };
	for (int i = 0; i < n; i++)
		assert_int_equal(
			keyring_data_key(test.keyring, TEST_TENANT, which, key), ERR_FORBIDDEN);
}

static const char *told(const char *tenant_id)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT coalesce(string_agg(concat_ws(' ', type,"
			" body::jsonb #>> '{unmapped,opened}', body::jsonb #>> '{unmapped,most}',"
			" body::jsonb #>> '{unmapped,refused}',"
			" body::jsonb #>> '{unmapped,foreign}',"
			" body::jsonb #>> '{unmapped,domain}',"
			" body::jsonb #>> '{unmapped,tenants}'), ', ' ORDER BY id), '')"
			" FROM learning.outbox WHERE tenant_id = '%s'",
			tenant_id));
}

static void as_many_as_expected_are_no_event(void **state)
{
	open_keys(2);
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "");
}

static void more_are_told_once_and_when_they_have_doubled(void **state)
{
	open_keys(3);
	watch();
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "learning.keys_opened 3 2");
	open_keys(2);
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "learning.keys_opened 3 2");
	open_keys(1);
	watch();
	assert_string_equal(
		told(OPERATOR_TENANT), "learning.keys_opened 3 2, learning.keys_opened 6 2");
	assert_string_equal(told(TEST_TENANT), "");
	assert_string_equal(
		test_sql_text(&test,
			"SELECT count(DISTINCT body::jsonb #>> '{unmapped,from}')"
			" || ' ' || bool_and(body::jsonb #>> '{entity,uid}' = 'keyring')"
			" FROM learning.outbox"),
		"1 true");
}

static void each_hour_is_counted_by_itself(void **state)
{
	open_keys(2);
	watch();
	go_to(3);
	open_keys(1);
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "");
}

static void one_that_does_not_open_is_told_to_its_tenant_too(void **state)
{
	refuse_keys(1);
	watch();
	watch();
	assert_string_equal(
		told(OPERATOR_TENANT), "learning.keys_refused 1 [\"" TEST_OTHER_TENANT "\"]");
	assert_string_equal(told(TEST_OTHER_TENANT), "learning.keys_refused 1");
	assert_string_equal(told(TEST_TENANT), "");
	refuse_keys(1);
	watch();
	assert_string_equal(
		told(TEST_OTHER_TENANT), "learning.keys_refused 1, learning.keys_refused 2");
}

static void a_key_that_is_not_the_services_is_told_the_operator(void **state)
{
	ask_for_foreign_keys(1);
	watch();
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "learning.keys_foreign 1 media");
	assert_string_equal(told(TEST_TENANT), "");
	ask_for_foreign_keys(1);
	watch();
	assert_string_equal(told(OPERATOR_TENANT),
		"learning.keys_foreign 1 media, learning.keys_foreign 2 media");
}

static void what_cannot_be_told_now_is_told_later(void **state)
{
	auth_is_away = true;
	open_keys(3);
	refuse_keys(2);
	watch();
	go_to(3);
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "");
	auth_is_away = false;
	watch();
	assert_string_equal(told(OPERATOR_TENANT),
		"learning.keys_opened 3 2, learning.keys_refused 2 [\"" TEST_OTHER_TENANT "\"]");
	assert_string_equal(told(TEST_OTHER_TENANT), "learning.keys_refused 2");
}

/* Its file is noise for a moment. */
static void one_that_is_being_destroyed_is_not_told(void **state)
{
	const struct erasure erasure = { .tenant_id = TEST_OTHER_TENANT,
		.user_id = ERASURE_ALL,
		.at = clock_now_text(test.arena),
		.keys = "-" };
	assert_int_equal(erasure_add(keyring_ledger(test.keyring), &erasure), OK);
	refuse_keys(1);
	watch();
	assert_string_equal(told(OPERATOR_TENANT), "");
	assert_string_equal(told(TEST_OTHER_TENANT), "");
}

static void run_keys_job(void)
{
	size_t i = 0;
	while (i < skeleton_jobs_n && strcmp(skeleton_jobs[i].name, "keys") != 0)
		i++;
	assert_true(i < skeleton_jobs_n);
	struct call c = test_call(&test, NULL);
	bool more = false;
	assert_int_equal(skeleton_jobs[i].run(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
}

static uint64_t openings_after_use(void)
{
	unsigned char key[KEY_SIZE];
	const struct data_key which = { .domain = "outbox", .version = 1 };
	assert_int_equal(keyring_data_key(test.keyring, TEST_TENANT, which, key), OK);
	return keyring_openings(test.keyring).opened;
}

/* Asked for at the time at which it was used, so that it is the job that has forgotten it. */
static void what_is_idle_is_forgotten_by_the_process_itself(void **state)
{
	uint64_t opened_before = openings_after_use();
	run_keys_job();
	assert_int_equal(openings_after_use(), opened_before);
	clock_shift_ms(KEYRING_IDLE_MS);
	run_keys_job();
	clock_shift_ms(-KEYRING_IDLE_MS);
	assert_int_equal(openings_after_use(), opened_before + 1);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup(fact_, begin)
	const struct CMUnitTest tests[] = {
		FACT(as_many_as_expected_are_no_event),
		FACT(more_are_told_once_and_when_they_have_doubled),
		FACT(each_hour_is_counted_by_itself),
		FACT(one_that_does_not_open_is_told_to_its_tenant_too),
		FACT(a_key_that_is_not_the_services_is_told_the_operator),
		FACT(what_cannot_be_told_now_is_told_later),
		FACT(one_that_is_being_destroyed_is_not_told),
		FACT(what_is_idle_is_forgotten_by_the_process_itself),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
