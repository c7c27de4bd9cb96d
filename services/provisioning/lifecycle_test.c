/* Facts about the states of a contract, who moves it, and what stops it. */
#include "services/provisioning/lifecycle.h"

#include <libpq-fe.h>

#include "libcommon/service.h"
#include "services/provisioning/access_ask.h"
#include "services/provisioning/turn_test.h"

static const char *const STATES[] = { "active", "suspended", "closed", "grace", "purging",
	"erased" };
#define STATES_N (sizeof(STATES) / sizeof(STATES[0]))

/* Every pair; a digit stands for who may: 1 a person, 2 the clock, 4 the ledger. */
static void each_state_leads_only_where_it_may(void **state)
{
	static const char *const allowed[STATES_N] = {
		"011040", /* active */
		"101040", /* suspended */
		"100240", /* closed */
		"100060", /* grace */
		"000002", /* purging */
		"000000", /* erased */
	};
	for (size_t from = 0; from < STATES_N; from++) {
		for (size_t to = 0; to < STATES_N; to++) {
			int who = lifecycle_allows(STATES[from], STATES[to], MOVER_PERSON) +
				2 * lifecycle_allows(STATES[from], STATES[to], MOVER_CLOCK) +
				4 * lifecycle_allows(STATES[from], STATES[to], MOVER_LEDGER);
			assert_int_equal(who, allowed[from][to] - '0');
		}
	}
}

/* ---- one contract ---- */

static const char *contract_id, *tenant_id;

static void open_contract(const char *code)
{
	struct answer answer = expect(201, &operator, "contract_create", NULL,
		arena_printf(test.arena,
			"{\"name\":\"市\",\"code\":\"%s\",\"administratorUsername\":\"kanri\"}",
			code));
	contract_id = text_of(&answer, "id");
	tenant_id = text_of(&answer, "tenantId");
}

static const char *etag(void)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT '\"v' || version || '\"' FROM provisioning.contract WHERE id = "
			"'%s'",
			contract_id));
}

static const char *percent(struct arena *arena, const char *text)
{
	struct buf out = { .arena = arena };
	for (; *text; text++)
		buf_printf(&out, "%%%02X", (unsigned char)*text);
	return out.data;
}

static const char *params(const char *if_match)
{
	return arena_printf(
		test.arena, "contractId=%s&ifMatch=%s", contract_id, percent(test.arena, if_match));
}

static void act(unsigned status, const char *operation)
{
	(void)expect(status, &operator, operation, params(etag()), "{\"reason\":\"わけ\"}");
}

static void hold(bool held)
{
	(void)expect(200, &operator, "contract_hold_put", params(etag()),
		arena_printf(
			test.arena, "{\"held\":%s,\"reason\":\"訴訟\"}", held ? "true" : "false"));
}

static const char *is(const char *what)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT %s FROM provisioning.contract JOIN auth.tenant t"
			" ON t.tenant_id = customer_tenant_id WHERE id = '%s'",
			what, contract_id));
}

static void run_clock(void)
{
	bool more = true;
	while (more) {
		struct call c = test_call(&test, NULL);
		more = false;
		assert_int_equal(lifecycle_run(&c, &more), OK);
		assert_int_equal(db_commit(&c), OK);
	}
}

/* As when the seconds are over in which a change may only be slow. */
static void settle(void)
{
	bool more = true;
	test_sql(
		&test, "UPDATE provisioning.access_ask SET asked_at = now() - interval '1 minute'");
	while (more) {
		struct call c = test_call(&test, NULL);
		more = false;
		assert_int_equal(access_ask_run(&c, &more), OK);
		assert_int_equal(db_commit(&c), OK);
	}
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM provisioning.access_ask"), "0");
}

static void time_has_come(void)
{
	(void)test_sql_text(&test,
		arena_printf(test.arena,
			"UPDATE provisioning.contract SET due_at = now() WHERE id = '%s'"
			" RETURNING 1",
			contract_id));
	run_clock();
}

#define WHO_GETS_IN "state || (t.shut_at IS NOT NULL) || t.is_closed"

static void what_is_not_active_is_shut(void **state)
{
	open_contract("shut");
	lifecycle_conf = (struct lifecycle_conf){ .export_days = 30, .grace_days = 60 };
	act(200, "contract_suspend");
	assert_string_equal(is(WHO_GETS_IN), "suspendedtruefalse");
	act(409, "contract_suspend");
	act(200, "contract_restore");
	assert_string_equal(is(WHO_GETS_IN), "activefalsefalse");
	act(200, "contract_close");
	assert_string_equal(is(WHO_GETS_IN), "closedtruetrue");
	time_has_come();
	assert_string_equal(is(WHO_GETS_IN), "gracetruetrue");
	act(200, "contract_restore");
	assert_string_equal(is(WHO_GETS_IN), "activefalsefalse");
}

static void an_end_goes_on_by_itself_until_the_purge(void **state)
{
	open_contract("goes");
	lifecycle_conf = (struct lifecycle_conf){ .export_days = 30, .grace_days = 60 };
	act(200, "contract_close");
	assert_string_equal(is("due_at - state_since"), "30 days");
	run_clock();
	assert_string_equal(is("state"), "closed");
	time_has_come();
	assert_string_equal(is("state || (due_at - state_since)"), "grace60 days");
	time_has_come();
	assert_string_equal(is("state || (due_at IS NULL)"), "purgingtrue");
	act(409, "contract_restore");
	(void)expect(409, &operator, "contract_hold_put", params(etag()),
		"{\"held\":true,\"reason\":\"late\"}");
}

static void all_can_be_taken_back_in_the_time_of_grace(void **state)
{
	open_contract("back");
	act(200, "contract_close");
	time_has_come();
	assert_string_equal(is("state"), "grace");
	act(200, "contract_restore");
	assert_string_equal(
		is("state || (t.shut_at IS NULL) || (due_at IS NULL)"), "activetruetrue");
}

static void a_hold_stops_the_clock(void **state)
{
	open_contract("held");
	act(200, "contract_close");
	hold(true);
	time_has_come();
	assert_string_equal(is("state || hold_reason"), "closed訴訟");
	(void)test_sql_text(&test,
		arena_printf(test.arena,
			"UPDATE provisioning.contract SET state_since = now() - interval '9 days',"
			" hold_since = now() - interval '7 days', due_at = now() - interval '1 day'"
			" WHERE id = '%s' RETURNING 1",
			contract_id));
	hold(false);
	run_clock();
	assert_string_equal(is("state || round(extract(epoch FROM due_at - now()) / 86400)"
			       " || (hold_since IS NULL)"),
		"closed6true");
}

/* The clock has found the contract, and waits for whoever holds it. */
static void a_hold_that_comes_before_its_turn_stops_the_clock(void **state)
{
	struct turn turn;
	open_contract("held-late");
	act(200, "contract_close");
	test_sql(&test,
		arena_printf(test.arena,
			"UPDATE provisioning.contract SET due_at = now() - interval '1 year'"
			" WHERE id = '%s'",
			contract_id));
	PGconn *other = PQconnectdb(test.superuser);
	PQclear(PQexec(other,
		arena_printf(test.arena,
			"BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('" OPERATOR_TENANT
			"/contract/%s', 0))",
			contract_id)));
	begin_turn(&turn, lifecycle_run);
	bool waits = waits_for_lock();
	PQclear(PQexec(other,
		arena_printf(test.arena,
			"UPDATE provisioning.contract SET hold_reason = '訴訟',"
			" hold_since = now() WHERE id = '%s'; COMMIT",
			contract_id)));
	PQfinish(other);
	assert_int_equal(end_turn(&turn), ERR_CONFLICT);
	assert_true(waits);
	assert_string_equal(is("state"), "closed");
}

/* What auth was asked and our own commit did not follow, whichever way it went, is taken back. */
static void what_failed_half_way_is_made_to_agree(void **state)
{
	static const char BREAK[] =
		"CREATE FUNCTION provisioning.breaks() RETURNS trigger LANGUAGE plpgsql AS"
		" 'BEGIN RAISE EXCEPTION ''the disk is gone''; END';"
		"CREATE CONSTRAINT TRIGGER breaks AFTER UPDATE ON provisioning.contract"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
		" EXECUTE FUNCTION provisioning.breaks()";
	open_contract("half");
	test_sql(&test, BREAK);
	act(500, "contract_suspend");
	assert_string_equal(is("state || (t.shut_at IS NULL)"), "activefalse");
	test_sql(&test, "DROP FUNCTION provisioning.breaks CASCADE");
	settle();
	assert_string_equal(is("state || (t.shut_at IS NULL)"), "activetrue");
	act(200, "contract_suspend");
	test_sql(&test, BREAK);
	act(500, "contract_restore");
	assert_string_equal(is("state || (t.shut_at IS NULL)"), "suspendedtrue");
	test_sql(&test, "DROP FUNCTION provisioning.breaks CASCADE");
	settle();
	assert_string_equal(is("state || (t.shut_at IS NULL)"), "suspendedfalse");
}

/* One asked for before the hold, one in the midst of it, and one that is done. */
static void a_hold_stops_the_clock_of_single_users(void **state)
{
	open_contract("held-users");
	hold(true);
	(void)test_sql_text(&test,
		arena_printf(test.arena,
			"UPDATE provisioning.contract SET hold_since = now() - interval '7 days'"
			" WHERE id = '%s' RETURNING 1",
			contract_id));
	test_sql(&test,
		arena_printf(test.arena,
			"INSERT INTO provisioning.user_erasure (tenant_id, id, user_id,"
			" requested_at, due_at, erased_at, erased_event_id)"
			" SELECT '%s', gen_random_uuid(), gen_random_uuid(),"
			" now() - interval '1 day' * asked, now() + interval '1 day' * due,"
			" now() + interval '1 day' * done,"
			" CASE WHEN done IS NOT NULL THEN gen_random_uuid() END"
			" FROM (VALUES (9, -1, NULL), (3, 2, NULL), (9, -8, -8))"
			" AS x (asked, due, done)",
			tenant_id));
	hold(false);
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT string_agg(round(extract(epoch FROM due_at - now())"
				" / 86400)::text, ' ' ORDER BY due_at)"
				" FROM provisioning.user_erasure WHERE tenant_id = '%s'",
				tenant_id)),
		"-8 5 6");
}

/* What the contract's administrator reads: the state, whether it is held, and how many days are
 * left. */
static const char *told(void)
{
	struct actor customer = test_actor(&test, tenant_id, HEAD, ROLE_CONTRACTOR);
	struct answer answer = expect(200, &customer, "own_contract_get", NULL, NULL);
	const char *at = text_of(&answer, "purgeAt");
	return arena_printf(test.arena, "%s %s %s", text_of(&answer, "state"),
		strstr(body_text(&answer), "\"held\":true") ? "held" : "-",
		at ? test_sql_text(&test,
			     arena_printf(test.arena,
				     "SELECT round(extract(epoch FROM"
				     " '%s'::timestamptz - now()) / 86400)",
				     at))
		   : "-");
}

static void its_administrators_are_told_when_the_data_go(void **state)
{
	open_contract("when");
	lifecycle_conf = (struct lifecycle_conf){ .export_days = 30, .grace_days = 60 };
	assert_string_equal(told(), "active - -");
	act(200, "contract_close");
	assert_string_equal(told(), "closed - 90");
	lifecycle_conf = (struct lifecycle_conf){ .export_days = 1, .grace_days = 1 };
	assert_string_equal(told(), "closed - 90");
	hold(true);
	assert_string_equal(told(), "closed held -");
	hold(false);
	time_has_come();
	assert_string_equal(told(), "grace - 60");
	(void)expect(404, &head, "own_contract_get", NULL, NULL);
	(void)expect(403, &operator, "own_contract_get", NULL, NULL);
}

static void who_has_not_read_it_changes_nothing(void **state)
{
	open_contract("late");
	(void)expect(412, &operator, "contract_close", params("\"v7\""), "{\"reason\":\"x\"}");
	(void)expect(403, &head, "contract_close", params(etag()), "{\"reason\":\"x\"}");
	(void)expect(422, &operator, "contract_close", params(etag()), "{\"reason\":\"\"}");
	assert_string_equal(is("state || (t.shut_at IS NULL)"), "activetrue");
	struct answer answer =
		expect(200, &operator, "contract_get", params_of("contractId", contract_id), NULL);
	assert_string_equal(text_of(&answer, "state"), "active");
	assert_non_null(strstr(answer.reply.headers.data, "ETag: \"v1\""));
	contract_id = tenant_id;
	(void)expect(404, &operator, "contract_close", params("\"v1\""), "{\"reason\":\"x\"}");
}

static void both_logs_are_told(void **state)
{
	open_contract("told");
	act(200, "contract_suspend");
	act(200, "contract_close");
	time_has_come();
	assert_string_equal(
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT string_agg(o.body::json#>>'{api,operation}' || '@' ||"
				" CASE o.tenant_id WHEN '%s' THEN 'customer' ELSE 'operator' END, "
				"' '"
				" ORDER BY o.id) FROM provisioning.outbox o WHERE kind = 'audit'"
				" AND o.body LIKE '%%%s%%' AND o.body NOT LIKE "
				"'%%contract_create%%'",
				tenant_id, contract_id)),
		"provisioning.contract_suspend@customer provisioning.contract_suspend@operator"
		" provisioning.contract_close@customer provisioning.contract_close@operator"
		" provisioning.contract_step@customer provisioning.contract_step@operator");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_leads_only_where_it_may),
		cmocka_unit_test(what_is_not_active_is_shut),
		cmocka_unit_test(an_end_goes_on_by_itself_until_the_purge),
		cmocka_unit_test(all_can_be_taken_back_in_the_time_of_grace),
		cmocka_unit_test(what_failed_half_way_is_made_to_agree),
		cmocka_unit_test(a_hold_stops_the_clock),
		cmocka_unit_test(a_hold_that_comes_before_its_turn_stops_the_clock),
		cmocka_unit_test(a_hold_stops_the_clock_of_single_users),
		cmocka_unit_test(its_administrators_are_told_when_the_data_go),
		cmocka_unit_test(who_has_not_read_it_changes_nothing),
		cmocka_unit_test(both_logs_are_told),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
