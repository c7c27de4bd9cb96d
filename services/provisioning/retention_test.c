/* The rules of a contract: who sets them, within which bounds, and that what keeps less waits. What
 * goes by them is tested where it lies, and with all services in tests/flow/retention_flow_test.py.
 */
#include <libpq-fe.h>

#include "services/provisioning/turn_test.h"

static const char *rules(const char *kind, const char *label, int days)
{
	return arena_printf(test.arena,
		"{\"rules\":[{\"kind\":\"%s\",\"label\":\"%s\",\"days\":%d}]}", kind, label, days);
}

static const char *etag_of(const struct answer *answer)
{
	const char *headers = answer->reply.headers.data;
	return arena_strndup(test.arena, headers, (size_t)(strchr(headers, '\r') - headers));
}

/* With the version that it has. */
static struct answer put(unsigned status, const char *body)
{
	return expect(status, &head, "retention_put",
		test_sql_text(&test,
			"SELECT 'ifMatch=%22v' || coalesce((SELECT version FROM"
			" provisioning.retention WHERE tenant_id = '" TEST_TENANT "'), 0) ||"
			" '%22'"),
		body);
}

static const char *rule(void)
{
	return test_sql_text(&test,
		"SELECT concat(days, ' ', former_days, ' ', ceil(extract(epoch FROM greatest("
		"in_force_at, now()) - now()) / 86400)) FROM provisioning.retention_rule");
}

/* The days of waiting are over. */
static void wait_for_it(void)
{
	test_sql(&test,
		"UPDATE provisioning.retention_rule SET in_force_at = now() - interval '1 "
		"second'");
}

static int forget(void **state)
{
	test_sql(&test,
		"DELETE FROM provisioning.retention_rule; DELETE FROM provisioning.retention");
	return 0;
}

static void without_rules_everything_is_kept(void **state)
{
	struct answer answer = expect(200, &head, "retention_get", NULL, NULL);
	assert_string_equal(body_text(&answer), "{\"held\":false,\"rules\":[]}");
	assert_string_equal(etag_of(&answer), "ETag: \"v0\"");
}

/* Two weeks, and what is left of today in Japan. */
static void a_rule_that_keeps_less_waits(void **state)
{
	struct answer answer = put(200, rules("record", "III", 400));
	const struct json *set = json_item(json_member(answer.json, "rules"), 0);
	assert_non_null(json_text(json_member(set, "inForceAt")));
	assert_null(json_member(set, "formerDays"));
	assert_string_equal(rule(), "400  15");
	wait_for_it();
	(void)put(200, rules("record", "III", 100));
	assert_string_equal(rule(), "100 400 15");
	(void)put(200, rules("record", "III", 40));
	assert_string_equal(rule(), "40 400 15");
}

static void what_is_saved_again_does_not_wait_again(void **state)
{
	(void)put(200, rules("record", "III", 100));
	test_sql(&test,
		"UPDATE provisioning.retention_rule SET in_force_at = now() + interval "
		"'90000 seconds'");
	(void)put(200, rules("record", "III", 100));
	assert_string_equal(rule(), "100  2");
}

static void a_rule_that_keeps_longer_is_in_force_at_once(void **state)
{
	(void)put(200, rules("record", "III", 100));
	wait_for_it();
	struct answer answer = put(200, rules("record", "III", 200));
	const struct json *set = json_item(json_member(answer.json, "rules"), 0);
	assert_null(json_member(set, "inForceAt"));
	assert_string_equal(rule(), "200 100 0");
}

/* Also while the shorter one waits. */
static void a_mistake_is_taken_back(void **state)
{
	(void)put(200, rules("record", "III", 365));
	wait_for_it();
	(void)put(200, rules("record", "III", 36));
	(void)put(200, rules("record", "III", 365));
	assert_string_equal(rule(), "365 365 0");
	struct answer answer = put(200, "{\"rules\":[]}");
	assert_string_equal(body_text(&answer), "{\"held\":false,\"rules\":[]}");
}

static void numbers_have_bounds(void **state)
{
	(void)put(422, rules("record", "III", 29));
	(void)put(422, rules("record", "III", 3651));
	(void)put(200, rules("record", "III", 30));
	(void)put(200, rules("record", "III", 3650));
}

static void a_kind_has_its_own_classes_once_each(void **state)
{
	(void)put(422, rules("record", "IV", 100));
	(void)put(422, rules("notice", "III", 100));
	(void)put(422,
		"{\"rules\":[{\"kind\":\"record\",\"label\":\"I\",\"days\":50},"
		"{\"kind\":\"record\",\"label\":\"I\",\"days\":60}]}");
	(void)put(200,
		"{\"rules\":[{\"kind\":\"notice\",\"label\":\"IV\",\"days\":50},"
		"{\"kind\":\"announcement\",\"label\":\"II\",\"days\":60}]}");
}

static void nobody_overwrites_what_somebody_else_has_set(void **state)
{
	struct answer answer = put(200, rules("record", "III", 100));
	assert_string_equal(etag_of(&answer), "ETag: \"v1\"");
	(void)expect(412, &head, "retention_put", "ifMatch=%22v0%22", rules("record", "III", 50));
	assert_string_equal(rule(), "100  15");
}

static void another_contract_has_its_own(void **state)
{
	(void)put(200, rules("record", "III", 100));
	struct answer answer = expect(200, &other_head, "retention_get", NULL, NULL);
	assert_string_equal(body_text(&answer), "{\"held\":false,\"rules\":[]}");
	(void)expect(403, &operator, "retention_get", NULL, NULL);
}

/* It destroys data: with the password that was given just now, and two factors where they are
 * wanted. */
static void the_password_is_wanted_again(void **state)
{
	struct actor stale = head;
	stale.authenticated_unix_ms = clock_unix_ms() - STEP_UP_LIFETIME_MS - 1;
	struct answer answer = expect(
		403, &stale, "retention_put", "ifMatch=%22v0%22", rules("record", "III", 100));
	assert_string_equal(text_of(&answer, "code"), "step_up_required");
	struct actor single = head;
	single.needs_second_factor = true;
	single.factors = 1;
	answer = expect(
		403, &single, "retention_put", "ifMatch=%22v0%22", rules("record", "III", 100));
	assert_string_equal(text_of(&answer, "code"), "second_factor_required");
}

/* ---- the job ---- */

/* The contract of TEST_TENANT, in a state. */
static void have_contract(const char *state, const char *hold)
{
	test_sql(&test,
		arena_printf(test.arena,
			"DELETE FROM provisioning.contract WHERE code = 'city';"
			"INSERT INTO provisioning.contract (tenant_id, id, customer_tenant_id, "
			"code,"
			" name, state, due_at, hold_reason, hold_since) SELECT "
			"'" TEST_OPERATOR_TENANT
			"', '01890000-0000-7000-8000-0000000000e1', '" TEST_TENANT
			"', 'city', 'City', '%s', CASE WHEN '%s' IN ('closed', 'grace')"
			" THEN now() + interval '1 day' END, %s, CASE WHEN %s::text IS NOT NULL"
			" THEN now() END",
			state, state, hold, hold));
}

static const char *next(void)
{
	return test_sql_text(&test,
		"SELECT count(*) FROM provisioning.retention_next("
		"'00000000-0000-0000-0000-000000000000')");
}

/* Its services are not here: a rule that is in force cannot be followed, and is tried again. */
static enum err run(void)
{
	bool more = true;
	enum err e = OK;
	while (more && !e) {
		struct call c = test_call(&test, NULL);
		more = false;
		e = retention_run(&c, &more);
		if (e)
			db_rollback(c.db);
		else
			assert_int_equal(db_commit(&c), OK);
	}
	return e;
}

static void a_rule_that_waits_removes_nothing(void **state)
{
	have_contract("active", "NULL");
	(void)put(200, rules("record", "III", 100));
	assert_string_equal(next(), "1");
	assert_int_equal(run(), OK);
	assert_string_equal(next(), "0"); /* not again today */
	wait_for_it();
	test_sql(&test, "UPDATE provisioning.retention SET done_on = NULL");
	assert_int_not_equal(run(), OK);
	assert_string_equal(next(), "1");
}

static void what_changes_while_the_job_looks_is_looked_at_anew(void **state)
{
	struct turn turn;
	have_contract("active", "NULL");
	(void)put(200, rules("record", "III", 100));
	PGconn *other = PQconnectdb(test.superuser);
	PQclear(PQexec(other,
		"BEGIN; UPDATE provisioning.retention SET version = version + 1, done_on = NULL"));
	begin_turn(&turn, retention_run);
	bool waits = waits_for_lock();
	PQclear(PQexec(other, "COMMIT"));
	PQfinish(other);
	assert_int_equal(end_turn(&turn), OK);
	assert_true(waits);
	assert_string_equal(next(), "1");
}

static void only_an_active_contract_loses_anything(void **state)
{
	static const char *const others[] = { "suspended", "closed", "grace", "purging", "erased" };
	(void)put(200, rules("record", "III", 100));
	wait_for_it();
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		have_contract(others[i], "NULL");
		assert_string_equal(next(), "0");
		assert_int_equal(run(), OK);
	}
}

static void a_legal_hold_stops_it_and_is_told(void **state)
{
	(void)put(200, rules("record", "III", 100));
	wait_for_it();
	have_contract("active", "'訴訟'");
	assert_string_equal(next(), "0");
	assert_int_equal(run(), OK);
	struct answer answer = expect(200, &head, "retention_get", NULL, NULL);
	assert_non_null(strstr(body_text(&answer), "\"held\":true"));
	have_contract("active", "NULL");
	assert_string_equal(next(), "1");
}

/* The job has found the contract, and waits for whoever holds it. */
static void a_hold_that_comes_before_its_turn_stops_it(void **state)
{
	struct turn turn;
	have_contract("active", "NULL");
	(void)put(200, rules("record", "III", 100));
	wait_for_it();
	PGconn *other = PQconnectdb(test.superuser);
	PQclear(PQexec(other,
		"BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('" TEST_OPERATOR_TENANT
		"/contract/' || id, 0)) FROM provisioning.contract WHERE code = 'city'"));
	begin_turn(&turn, retention_run);
	bool waits = waits_for_lock();
	PQclear(PQexec(other,
		"UPDATE provisioning.contract SET hold_reason = '訴訟', hold_since = now()"
		" WHERE code = 'city'; COMMIT"));
	PQfinish(other);
	assert_int_equal(end_turn(&turn), OK); /* no service was asked, of which none is here */
	assert_true(waits);
	have_contract("active", "NULL");
	assert_string_equal(next(), "1");
}

static void an_archive_that_comes_in_is_whole_first(void **state)
{
	have_contract("active", "NULL");
	(void)put(200, rules("record", "III", 100));
	wait_for_it();
	test_sql(&test,
		"INSERT INTO provisioning.roster_hold (tenant_id, import_id)"
		" VALUES ('" TEST_TENANT "', '01890000-0000-7000-8000-0000000000e2')");
	assert_string_equal(next(), "0");
	assert_int_equal(run(), OK);
	test_sql(&test, "DELETE FROM provisioning.roster_hold");
	assert_string_equal(next(), "1");
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup(fact_, forget)
	const struct CMUnitTest tests[] = {
		FACT(without_rules_everything_is_kept),
		FACT(a_rule_that_keeps_less_waits),
		FACT(what_is_saved_again_does_not_wait_again),
		FACT(a_rule_that_keeps_longer_is_in_force_at_once),
		FACT(a_mistake_is_taken_back),
		FACT(numbers_have_bounds),
		FACT(a_kind_has_its_own_classes_once_each),
		FACT(nobody_overwrites_what_somebody_else_has_set),
		FACT(another_contract_has_its_own),
		FACT(the_password_is_wanted_again),
		FACT(a_rule_that_waits_removes_nothing),
		FACT(what_changes_while_the_job_looks_is_looked_at_anew),
		FACT(only_an_active_contract_loses_anything),
		FACT(a_legal_hold_stops_it_and_is_told),
		FACT(a_hold_that_comes_before_its_turn_stops_it),
		FACT(an_archive_that_comes_in_is_whole_first),
		FACT(ids_are_version_7_and_accounts_have_people),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
