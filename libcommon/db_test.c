/* Facts about db: transactions, errors, tenants; against a real PostgreSQL. */
#include "libcommon/db.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "libcommon/testing.h"

static const struct service learning = { .name = "learning" };
static struct test test;
static struct actor actor, other;

static const char INSERT[] = "INSERT INTO thing (id, name, amount) VALUES ($1, $2, $3)";
static const char COUNT[] = "SELECT count(*) FROM thing";
static const char DELETE[] = "DELETE FROM thing WHERE name = $1";
static const char BROKEN[] = "SELECT nothing FROM nowhere";

struct thing {
	const char *id;
	const char *name;
	int64_t amount;
	bool has_amount;
};
static const struct field thing_fields[] = {
	{ .name = "id",
		.column = "id",
		.kind = KIND_STRING,
		.offset = offsetof(struct thing, id),
		.has = NO_PRESENCE,
		.max = 36 },
	{ .name = "name",
		.column = "name",
		.kind = KIND_STRING,
		.offset = offsetof(struct thing, name),
		.has = NO_PRESENCE,
		.max = 100 },
	{ .name = "amount",
		.column = "amount",
		.kind = KIND_INTEGER,
		.offset = offsetof(struct thing, amount),
		.has = offsetof(struct thing, has_amount),
		.max = 1000 },
};
static const struct shape thing_shape = { "thing", sizeof(struct thing), thing_fields, 3,
	LABEL_NONE };

#define ID_1 "01890000-0000-7000-8000-000000000011"
#define ID_2 "01890000-0000-7000-8000-000000000012"

static int open_world(void **state)
{
	test_open(&test, &learning);
	test_sql(&test,
		"SET ROLE manabiya_owner;"
		"CREATE TABLE learning.thing (tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),"
		" id uuid NOT NULL, name text NOT NULL CHECK (name <> 'bad'), amount bigint,"
		" PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, name));"
		"CREATE TABLE learning.part (tenant_id uuid NOT NULL DEFAULT tenancy.tenant(),"
		" thing_id uuid NOT NULL, PRIMARY KEY (tenant_id, thing_id),"
		" FOREIGN KEY (tenant_id, thing_id) REFERENCES learning.thing (tenant_id, id));"
		"SELECT tenancy.protect('learning.thing'), tenancy.protect('learning.part')");
	actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_STUDENT);
	other = test_actor(&test, TEST_OTHER_TENANT, TEST_OTHER_USER, ROLE_STUDENT);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static int empty(void **state)
{
	test_sql(&test, "DELETE FROM learning.part; DELETE FROM learning.thing");
	return 0;
}

/* A call of its own, committed; its error. */
static enum err exec(const struct actor *who, const char *sql, struct db_args args)
{
	struct call c = test_call(&test, who);
	enum err e = db_exec(&c, sql, args);
	if (!e)
		return db_commit(&c);
	db_rollback(c.db);
	return e;
}

static const char *count(const struct actor *who)
{
	struct call c = test_call(&test, who);
	const char *text = NULL;
	assert_int_equal(db_text(&c, COUNT, DB_NONE, &text), OK);
	assert_int_equal(db_commit(&c), OK);
	return text;
}

static void what_is_committed_stays(void **state)
{
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", "3")), OK);
	assert_string_equal(count(&actor), "1");
}

static void what_is_rolled_back_is_gone(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_1, "mat", "3")), OK);
	db_rollback(c.db);
	assert_string_equal(count(&actor), "0");
}

static void a_tenant_sees_its_own_rows(void **state)
{
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	assert_int_equal(exec(&other, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	assert_int_equal(exec(&other, INSERT, DB_ARGS(ID_2, "bar", NULL)), OK);
	assert_string_equal(count(&actor), "1");
	assert_string_equal(count(&other), "2");
	assert_string_equal(count(NULL), "0");
}

static void reads_enter_the_tenant_each_time(void **state)
{
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	struct call c = test_call(&test, &actor);
	db_rollback(c.db);
	db_begin(c.db, actor.tenant_key, false);
	for (int i = 0; i < 3; i++) {
		const char *text = NULL;
		assert_int_equal(db_text(&c, COUNT, DB_NONE, &text), OK);
		assert_string_equal(text, "1");
	}
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(count(NULL), "0");
}

static void an_expired_or_forged_key_enters_nothing(void **state)
{
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	struct actor late = actor, forged = actor;
	late.tenant_key = test_tenant_key(&test, TEST_TENANT, clock_unix_ms() - 1000);
	char *key = arena_strdup(test.arena, actor.tenant_key);
	key[35] = key[35] == 'a' ? 'b' : 'a'; /* another tenant, the same MAC */
	forged.tenant_key = key;
	assert_string_equal(count(&late), "0");
	assert_string_equal(count(&forged), "0");
}

static void another_tenant_can_be_entered_on_the_way(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	assert_int_equal(db_enter(&c, other.tenant_key), OK);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_2, "bar", NULL)), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(count(&actor), "1");
	assert_string_equal(count(&other), "1");
}

static void answers_become_our_errors(void **state)
{
	static const char part[] = "INSERT INTO part (thing_id) VALUES ($1)";
	static const char divide[] = "SELECT 1 / $1::integer";
	static const char sleep_long[] =
		"SELECT pg_sleep(2), set_config('statement_timeout', $1, true)";
	static const char cancel[] = "SELECT set_config('statement_timeout', $1, true)";
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	const struct {
		const char *sql;
		struct db_args args;
		enum err expected;
	} rows[] = {
		{ INSERT, DB_ARGS(ID_2, "mat", NULL), ERR_CONFLICT },
		{ INSERT, DB_ARGS(ID_2, "bad", NULL), ERR_INVALID },
		{ part, DB_ARGS(ID_2), ERR_NOT_FOUND },
		{ divide, DB_ARGS("0"), ERR_INTERNAL },
		{ BROKEN, DB_NONE, ERR_INTERNAL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(exec(&actor, rows[i].sql, rows[i].args), rows[i].expected);
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, cancel, DB_ARGS("50")), OK);
	assert_int_equal(db_exec(&c, sleep_long, DB_ARGS("0")), ERR_UNAVAILABLE);
	db_rollback(c.db);
	assert_string_equal(count(&actor), "1");
}

static void a_value_of_a_row_is_never_in_the_error_text(void **state)
{
	static const char cast[] = "SELECT $1::text::uuid";
	assert_int_equal(exec(&actor, cast, DB_ARGS("山田太郎")), ERR_INTERNAL);
	assert_null(strstr(db_error_text(test.db), "山田"));
	assert_non_null(strstr(db_error_text(test.db), "22P02"));
}

static void no_affected_row_is_not_found(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec_one(&c, DELETE, DB_ARGS("mat")), ERR_NOT_FOUND);
	int64_t affected = -1;
	assert_int_equal(db_count(&c, DELETE, DB_ARGS("mat"), &affected), OK);
	assert_int_equal(affected, 0);
	assert_int_equal(db_commit(&c), OK);
}

static void rows_fill_shapes(void **state)
{
	static const char all[] = "SELECT id, name, amount FROM thing ORDER BY name";
	static const char one[] = "SELECT id, name FROM thing WHERE id = $1";
	struct {
		struct thing *items;
		size_t n;
	} list;
	struct thing thing = { 0 };
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "マット", NULL)), OK);
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_2, "bar", "7")), OK);
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_rows(&c, all, DB_NONE, &thing_shape, &list), OK);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.items[0].name, "bar");
	assert_int_equal(list.items[0].amount, 7);
	assert_true(list.items[0].has_amount);
	assert_string_equal(list.items[1].name, "マット");
	assert_false(list.items[1].has_amount);
	assert_int_equal(db_row(&c, one, DB_ARGS(ID_2), &thing_shape, &thing), OK);
	assert_string_equal(thing.id, ID_2);
	assert_int_equal(db_row(&c, one, DB_ARGS(TEST_USER), &thing_shape, &thing), ERR_NOT_FOUND);
	db_rollback(c.db);
}

static void a_column_without_a_field_is_our_bug(void **state)
{
	static const char sql[] = "SELECT 1 AS surprise";
	struct thing thing = { 0 };
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_row(&c, sql, DB_NONE, &thing_shape, &thing), ERR_INTERNAL);
	db_rollback(c.db);
}

static void a_savepoint_saves_what_was_before(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	assert_int_equal(db_savepoint(&c), OK);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_2, "mat", NULL)), ERR_CONFLICT);
	assert_int_equal(db_savepoint_rollback(&c), OK);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_2, "bar", NULL)), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(count(&actor), "2");
}

static void what_is_sent_later_fails_the_commit(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_later(&c, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(count(&actor), "1");
	c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_2, "bar", NULL)), OK);
	assert_int_equal(db_later(&c, INSERT, DB_ARGS(ID_1, "vault", NULL)), OK);
	assert_int_equal(db_commit(&c), ERR_CONFLICT);
	assert_string_equal(count(&actor), "1");
}

static void many_statements_may_be_sent_later(void **state)
{
	struct call c = test_call(&test, &actor);
	for (int i = 0; i < 50; i++)
		assert_int_equal(
			db_later(&c, INSERT,
				DB_ARGS(arena_printf(c.arena,
						"01890000-0000-7000-8000-0000000001%02d", i),
					arena_printf(c.arena, "n%d", i), NULL)),
			OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(count(&actor), "50");
}

static void a_failed_transaction_never_commits(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_1, "mat", NULL)), ERR_CONFLICT);
	assert_int_equal(db_commit(&c), ERR_INTERNAL);
	assert_string_equal(count(&actor), "0");
}

static void nothing_sent_costs_nothing_to_end(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_commit(&c), OK);
	c = test_call(&test, &actor);
	db_rollback(c.db);
	assert_int_equal(db_ping(test.db), OK);
}

#define KILL                                                                                       \
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "                  \
	"'manabiya_learning' AND datname = current_database()"

/* KILL has only asked for it. */
static void wait_until_gone(void)
{
	for (int i = 0; i < 2000; i++) {
		const char *left = test_sql_text(&test,
			"SELECT count(*) FROM pg_stat_activity WHERE usename = 'manabiya_learning'"
			" AND datname = current_database()");
		if (strcmp(left, "0") == 0)
			return;
		(void)usleep(10000);
	}
	fail_msg("connections that were ended are still there");
}

static void a_connection_lost_between_calls_is_not_noticed(void **state)
{
	assert_int_equal(db_ping(test.db), OK);
	test_sql(&test, KILL);
	wait_until_gone();
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
}

/* At once, and again in the middle of a handler's reads: they are not one transaction. */
static void a_read_survives_a_restart_that_nobody_has_noticed(void **state)
{
	static const char all[] = "SELECT count(*) FROM thing";
	const char *text = NULL;
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	struct call c = test_call(&test, &actor);
	db_rollback(c.db);
	db_begin(c.db, actor.tenant_key, false);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(db_text(&c, all, DB_NONE, &text), OK);
		assert_string_equal(text, "1");
		test_sql(&test, KILL);
		wait_until_gone();
	}
	assert_int_equal(db_commit(&c), OK);
}

static const char NAME[] = "SELECT name FROM thing WHERE id = $1::uuid";

static void what_is_asked_ahead_comes_with_the_next_statement(void **state)
{
	static const char all[] = "SELECT count(*) FROM thing";
	const char *text = NULL, *name = NULL;
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	for (int write = 0; write < 2; write++) {
		struct call c = test_call(&test, &actor);
		db_rollback(c.db);
		db_begin(c.db, actor.tenant_key, write);
		db_ahead(&c, NAME, ID_1);
		assert_int_equal(db_text(&c, all, DB_NONE, &text), OK);
		test_sql(&test, KILL); /* it is known already */
		assert_int_equal(db_ahead_end(&c, &name), OK);
		assert_string_equal(name, "mat");
		db_rollback(c.db);
		wait_until_gone();
	}
}

static void what_is_asked_ahead_is_asked_alone_if_nothing_follows(void **state)
{
	const char *name = NULL;
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	struct call c = test_call(&test, &actor);
	db_ahead(&c, NAME, ID_1);
	assert_int_equal(db_ahead_end(&c, &name), OK);
	assert_string_equal(name, "mat");
	db_ahead(&c, NAME, ID_2);
	assert_int_equal(db_ahead_end(&c, &name), OK);
	assert_null(name);
	assert_int_equal(db_commit(&c), OK);
}

static void what_is_asked_ahead_is_asked_again_on_a_new_connection(void **state)
{
	static const char all[] = "SELECT count(*) FROM thing";
	const char *text = NULL, *name = NULL;
	assert_int_equal(exec(&actor, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	struct call c = test_call(&test, &actor);
	db_rollback(c.db);
	test_sql(&test, KILL);
	wait_until_gone();
	db_begin(c.db, actor.tenant_key, false);
	db_ahead(&c, NAME, ID_1);
	assert_int_equal(db_text(&c, all, DB_NONE, &text), OK);
	assert_string_equal(text, "1");
	assert_int_equal(db_ahead_end(&c, &name), OK);
	assert_string_equal(name, "mat");
	assert_int_equal(db_commit(&c), OK);
}

static void half_a_transaction_is_not_continued_on_a_new_connection(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_1, "mat", NULL)), OK);
	test_sql(&test, KILL);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_2, "bar", NULL)), ERR_UNAVAILABLE);
	assert_int_equal(db_exec(&c, INSERT, DB_ARGS(ID_2, "bar", NULL)), ERR_UNAVAILABLE);
	assert_int_equal(db_commit(&c), ERR_UNAVAILABLE);
	assert_string_equal(count(&actor), "0");
}

static void an_unreachable_server_is_unavailable_at_once(void **state)
{
	struct db *db = db_open("host=/nowhere user=manabiya_learning dbname=x", "learning");
	int64_t begin_ms = clock_steady_ms();
	for (int i = 0; i < 1000; i++)
		assert_int_equal(db_ping(db), ERR_UNAVAILABLE);
	assert_true(clock_steady_ms() - begin_ms < 20000); /* idle: milliseconds */
	db_close(db);
}

/* The exit status of a process that connects with this conninfo. */
static int status_as(const char *conninfo)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct db *db = db_open(conninfo, "learning");
		_exit(db_ping(db) ? 1 : 0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void a_role_that_sees_past_row_security_is_refused(void **state)
{
	test_sql(&test,
		"CREATE ROLE past LOGIN BYPASSRLS; CREATE ROLE member LOGIN IN ROLE "
		"manabiya_owner");
	const char *as[] = { "postgres", "past", "member" };
	for (size_t i = 0; i < sizeof(as) / sizeof(as[0]); i++)
		assert_int_equal(
			status_as(arena_printf(test.arena, "%s user=%s", test.database, as[i])),
			78);
	assert_int_equal(status_as(test.database), 0);
	test_sql(&test, "DROP ROLE past; DROP ROLE member");
}

static enum err collect(struct call *c, void *arg, const char *const *columns, size_t n)
{
	assert_int_equal(n, 1);
	buf_text(arg, columns[0]);
	return OK;
}

static void arrays_are_quoted(void **state)
{
	static const char sql[] = "SELECT unnest($1::text[])";
	static const char octets[] = "SELECT encode($1::bytea, 'escape')";
	const char *items[] = { "a\"b", "c\\d", "{e,f}", "" };
	struct call c = test_call(&test, &actor);
	struct buf out = { .arena = c.arena };
	const char *text = NULL;
	assert_int_equal(db_each(&c, sql, DB_ARGS(db_text_array(&c, items, 4)), collect, &out), OK);
	assert_string_equal(out.data, "a\"bc\\d{e,f}");
	assert_string_equal(db_text_array(&c, NULL, 0), "{}");
	assert_int_equal(db_text(&c, octets, DB_ARGS(db_bytea(&c, "ab\\", 3)), &text), OK);
	assert_string_equal(text, "ab\\\\");
	db_rollback(c.db);
}

static void a_text_that_changes_is_refused(void **state)
{
	char sql[64] = "SELECT 'one'";
	const char *text = NULL;
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_text(&c, sql, DB_NONE, &text), OK);
	memcpy(sql, "SELECT 'two'", sizeof("SELECT 'two'"));
	assert_int_equal(db_text(&c, sql, DB_NONE, &text), ERR_INTERNAL);
	db_rollback(c.db);
}

static void a_plan_is_kept_for_the_statement_that_asks_for_it(void **state)
{
	static const char once[] = DB_PLAN_ONCE "SELECT current_setting('plan_cache_mode')";
	static const char planned_anew[] = "SELECT current_setting('plan_cache_mode')";
	const char *text = NULL;
	struct call c = test_call(&test, &actor);
	db_rollback(c.db);
	db_begin(c.db, actor.tenant_key, false);
	assert_int_equal(db_text(&c, once, DB_NONE, &text), OK);
	assert_string_equal(text, "force_generic_plan");
	assert_int_equal(db_text(&c, planned_anew, DB_NONE, &text), OK);
	assert_string_equal(text, "auto");
	assert_int_equal(db_commit(&c), OK);
}

static void the_session_is_set_up(void **state)
{
	static const char sql[] = "SELECT current_setting('TimeZone') || ' ' || "
				  "current_setting('search_path') || ' ' || "
				  "current_setting('statement_timeout') || ' ' || "
				  "current_setting('jit')";
	const char *text = NULL;
	struct call c = test_call(&test, NULL);
	assert_int_equal(db_text(&c, sql, DB_NONE, &text), OK);
	assert_string_equal(text, "UTC learning 10s off");
	db_rollback(c.db);
}

#define FACT(test_) cmocka_unit_test_setup(test_, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(what_is_committed_stays),
		FACT(what_is_rolled_back_is_gone),
		FACT(a_tenant_sees_its_own_rows),
		FACT(reads_enter_the_tenant_each_time),
		FACT(an_expired_or_forged_key_enters_nothing),
		FACT(another_tenant_can_be_entered_on_the_way),
		FACT(answers_become_our_errors),
		FACT(a_value_of_a_row_is_never_in_the_error_text),
		FACT(no_affected_row_is_not_found),
		FACT(rows_fill_shapes),
		FACT(a_column_without_a_field_is_our_bug),
		FACT(a_savepoint_saves_what_was_before),
		FACT(what_is_sent_later_fails_the_commit),
		FACT(many_statements_may_be_sent_later),
		FACT(a_failed_transaction_never_commits),
		FACT(nothing_sent_costs_nothing_to_end),
		FACT(a_connection_lost_between_calls_is_not_noticed),
		FACT(a_read_survives_a_restart_that_nobody_has_noticed),
		FACT(what_is_asked_ahead_comes_with_the_next_statement),
		FACT(what_is_asked_ahead_is_asked_alone_if_nothing_follows),
		FACT(what_is_asked_ahead_is_asked_again_on_a_new_connection),
		FACT(half_a_transaction_is_not_continued_on_a_new_connection),
		FACT(an_unreachable_server_is_unavailable_at_once),
		FACT(a_role_that_sees_past_row_security_is_refused),
		FACT(arrays_are_quoted),
		FACT(a_text_that_changes_is_refused),
		FACT(a_plan_is_kept_for_the_statement_that_asks_for_it),
		FACT(the_session_is_set_up),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
