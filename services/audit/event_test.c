/* The log keeps what it is given: once, in order, per tenant, and nobody changes it. */
#include <libpq-fe.h>
#include <pthread.h>

#include "libcommon/capability_cache.h"
#include "libcommon/db.h"
#include "services/audit/audit_world.h"

static struct test test;

static int open_world(void **state)
{
	test_open(&test, &audit_under_test);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static const char *stored(const char *sql)
{
	return test_sql_text(&test, sql);
}

static void an_event_is_stored_with_its_sequence_and_nothing_else_changed(void **state)
{
	const struct happening what = { .tenant_id = TEST_TENANT, .actor_id = TEST_USER };
	const char *line = line_of(test.arena, &what);
	assert_int_equal(append_lines(&test, &line, 1).status, 204);
	assert_string_equal(stored("SELECT line FROM audit.event"),
		arena_printf(test.arena, "%.*s,\"sequence\":1}}", (int)strlen(line) - 2, line));
	assert_string_equal(stored("SELECT concat_ws(' ', tenant_id, sequence, tenancy.stamp(time),"
				   " operation, outcome, actor_id, object_id) FROM audit.event"),
		TEST_TENANT " 1 2026-04-08T00:30:00.000Z learning.try_create success " TEST_USER
			    " the \"thing\"");
}

static void an_event_that_comes_again_is_left_alone(void **state)
{
	const struct happening first = { .tenant_id = TEST_TENANT, .id = TEST_USER };
	const struct happening other = { .tenant_id = TEST_TENANT, .id = TEST_OTHER_USER };
	const char *lines[] = { line_of(test.arena, &first), line_of(test.arena, &first),
		line_of(test.arena, &other) };
	assert_int_equal(append_lines(&test, lines, 1).status, 204);
	assert_int_equal(append_lines(&test, lines, 3).status, 204);
	assert_int_equal(append_lines(&test, lines, 3).status, 204);
	assert_string_equal(stored("SELECT string_agg(sequence || ' ' || id, ',' ORDER BY sequence)"
				   " FROM audit.event"),
		"1 " TEST_USER ",2 " TEST_OTHER_USER);
	assert_string_equal(stored("SELECT sequence FROM audit.head"), "2");
}

static void each_tenant_is_numbered_by_itself(void **state)
{
	const struct happening here = { .tenant_id = TEST_TENANT };
	const struct happening there = { .tenant_id = TEST_OTHER_TENANT }, nowhere = { 0 };
	const char *lines[] = { line_of(test.arena, &here), line_of(test.arena, &there),
		line_of(test.arena, &here), line_of(test.arena, &nowhere) };
	assert_int_equal(append_lines(&test, lines, 4).status, 204);
	assert_string_equal(
		stored("SELECT string_agg(tenant_id || ' ' || sequence, ',' ORDER BY tenant_id)"
		       " FROM audit.head"),
		OPERATOR_TENANT " 1," TEST_TENANT " 2," TEST_OTHER_TENANT " 1");
}

static void what_is_no_event_is_refused_whole(void **state)
{
	const struct happening good = { .tenant_id = TEST_TENANT };
	const char *bad[] = {
		"{}",
		"not JSON",
		line_of(test.arena, &(struct happening){ .tenant_id = "everyone" }),
		line_of(test.arena, &(struct happening){ .id = "7" }),
		arena_printf(test.arena, "%s ", line_of(test.arena, &good)),
		"{\"metadata\":{\"uid\":\"" TEST_USER "\",\"sequence\":7}}",
		"{\"time\":1,\"status_id\":1,\"api\":{\"operation\":\"a.b\"},"
		"\"metadata\":{\"uid\":\"" TEST_USER "\",\"sequence\":7}}",
		"{\"time\":-1,\"status_id\":1,\"api\":{\"operation\":\"a.b\"},"
		"\"metadata\":{\"uid\":\"" TEST_USER "\"}}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *lines[] = { line_of(test.arena, &good), bad[i] };
		assert_int_equal(append_lines(&test, lines, 2).status, 422);
	}
	assert_string_equal(stored("SELECT count(*) FROM audit.event"), "0");
}

static void only_services_may_append(void **state)
{
	struct reply reply;
	const struct test_request request = {
		.operation = "event_append", .caller = "stranger", .body = "{\"lines\":[\"{}\"]}"
	};
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
}

static void a_service_tells_of_itself_alone(void **state)
{
	static const char *const callers[] = { "auth", "provisioning", "notification", "audit",
		"gateway" };
	static const char *const foreign[] = { "auth.session_create", "learningx.try_create",
		"learning", "learn.try_create", "" };
	const struct happening own = { .tenant_id = TEST_TENANT };
	const char *line = line_of(test.arena, &own);
	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++)
		assert_int_equal(append_as(&test, callers[i], &line, 1).status, 422);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		const struct happening other = { .tenant_id = TEST_TENANT,
			.operation = foreign[i] };
		const char *lines[] = { line, line_of(test.arena, &other) };
		assert_int_equal(append_lines(&test, lines, 2).status, 422);
	}
	assert_string_equal(stored("SELECT count(*) FROM audit.event"), "0");
	assert_int_equal(append_lines(&test, &line, 1).status, 204);
}

/* As the service's own role, with a tenant entered or not: the log cannot be changed. */
static void not_even_the_service_can_change_the_log(void **state)
{
	static const char *const attempts[] = {
		"UPDATE audit.event SET line = '{}'",
		"DELETE FROM audit.event",
		"TRUNCATE audit.event",
		"INSERT INTO audit.event (tenant_id, id, sequence, time, operation, outcome, line)"
		" VALUES ('" TEST_TENANT "', '" TEST_USER "', 9, now(), 'a', 'success', '{}')",
		"UPDATE audit.head SET sequence = 0",
		"ALTER TABLE audit.event DISABLE ROW LEVEL SECURITY",
		"SET ROLE manabiya_owner",
	};
	happen(&test, (struct happening){ .tenant_id = TEST_TENANT });
	PGconn *connection = PQconnectdb(test.database);
	assert_int_equal(PQstatus(connection), CONNECTION_OK);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		PGresult *result = PQexec(connection, attempts[i]);
		assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
		assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "42501");
		PQclear(result);
	}
	PGresult *result = PQexec(connection, "SELECT count(*) FROM audit.event");
	assert_string_equal(PQgetvalue(result, 0, 0), "0"); /* no tenant, no rows */
	PQclear(result);
	PQfinish(connection);
}

/* ---- many at once ---- */

#define WRITERS 4
#define BATCHES 30

static void *write_many(void *arg)
{
	struct test mine = test; /* its own arena and connection */
	mine.arena = arena_new();
	mine.db = db_open(test.database, "audit");
	unsigned *refused = arg;
	for (int i = 0; i < BATCHES; i++) {
		const struct happening one = { .tenant_id = TEST_TENANT };
		const struct happening two = { .tenant_id = TEST_OTHER_TENANT };
		const char *lines[] = { line_of(mine.arena, i % 2 ? &one : &two),
			line_of(mine.arena, i % 2 ? &two : &one) };
		*refused += append_lines(&mine, lines, 2).status != 204;
	}
	db_close(mine.db);
	arena_free(mine.arena);
	capability_cache_free();
	return NULL;
}

static void writers_at_once_leave_no_gap(void **state)
{
	pthread_t threads[WRITERS];
	unsigned refused[WRITERS] = { 0 };
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &refused[i]), 0);
	for (int i = 0; i < WRITERS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(refused[i], 0);
	}
	assert_string_equal(
		stored("SELECT string_agg(n || ' ' || last, ',') FROM (SELECT count(*) AS n,"
		       " max(sequence) AS last FROM audit.event GROUP BY tenant_id) t"),
		"120 120,120 120");
	/* The order of arrival, which the pipeline follows, is each tenant's order. */
	assert_string_equal(stored("SELECT count(*) FROM audit.event a JOIN audit.event b"
				   " ON a.tenant_id = b.tenant_id"
				   " AND a.sequence < b.sequence AND a.arrival > b.arrival"),
		"0");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(an_event_is_stored_with_its_sequence_and_nothing_else_changed),
		FACT(an_event_that_comes_again_is_left_alone),
		FACT(each_tenant_is_numbered_by_itself),
		FACT(what_is_no_event_is_refused_whole),
		FACT(only_services_may_append),
		FACT(a_service_tells_of_itself_alone),
		FACT(not_even_the_service_can_change_the_log),
		FACT(writers_at_once_leave_no_gap),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
