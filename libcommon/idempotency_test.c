/* Facts about repeated requests: one effect, the first answer again, no secret in the database. */
#include "libcommon/testing.h"

#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/keyring_user.h"

#define CHILD "01890000-0000-7000-8000-0000000000c1"

static struct test test;
static struct actor actor;
static int runs;
static bool refuses, asks_again;
static const char *child, *contract, *raised; /* what the next one is about, and its class */
static unsigned status_meanwhile;

struct answer {
	const char *secret, *label;
};

static const struct field fields[] = {
	{ .name = "secret",
		.column = "secret",
		.kind = KIND_STRING,
		.place = PLACE_BODY,
		.required = true,
		.offset = offsetof(struct answer, secret),
		.has = NO_PRESENCE,
		.max = 64 },
	{ .name = "label",
		.column = "label",
		.kind = KIND_STRING,
		.place = PLACE_BODY,
		.raised = true,
		.offset = offsetof(struct answer, label),
		.has = NO_PRESENCE,
		.max = 3 },
};
static const struct shape answer_shape = { "answer", sizeof(struct answer), fields, 2, LABEL_NONE };

static const char HAS_ID[] = "SELECT (pg_current_xact_id_if_assigned() IS NOT NULL)::text";
static const char *has_id;

static void ask_meanwhile(void);

static enum err issue(struct call *c, const void *in, void *out)
{
	runs++;
	assert_int_equal(db_text(c, HAS_ID, DB_NONE, &has_id), OK);
	has_id = arena_strdup(test.arena, has_id);
	if (asks_again) {
		asks_again = false;
		ask_meanwhile();
	}
	if (refuses)
		return fail(c, ERR_CONFLICT, "not today");
	c->about.user_id = child;
	c->about.tenant_id = contract;
	*(struct answer *)out =
		(struct answer){ arena_printf(c->arena, "kotori-%d", runs), raised };
	return OK;
}

static const char *const by_gateway[] = { "gateway", NULL };
static const struct op ops[] = {
	{ .name = "issue",
		.handler = issue,
		.out = &answer_shape,
		.allow = ROLE_CONTRACTOR,
		.flags = OP_WRITES | OP_IDEMPOTENT_KEY,
		.status = 201,
		.callers = by_gateway,
		.content_type = "application/json" },
};
static const struct service service = {
	.name = "learning", .ops = ops, .ops_n = 1, .keyring = KEYRING_READS
};

static struct reply ask_as(const struct actor *who, const char *key, const char *body)
{
	struct reply reply;
	const struct test_request request = {
		.operation = "issue", .actor = who, .idempotency_key = key, .body = body
	};
	test_dispatch(&test, &request, &reply, NULL);
	return reply;
}

static struct reply ask(const char *key, const char *body)
{
	return ask_as(&actor, key, body);
}

/* The same request on another connection, while the first one runs. */
static void ask_meanwhile(void)
{
	struct db *own = test.db;
	test.db = db_open(test.database, "learning");
	status_meanwhile = ask("four", NULL).status;
	db_close(test.db);
	test.db = own;
}

static void a_repeated_request_has_one_effect_and_the_same_answer(void **state)
{
	struct reply first = ask("one", NULL), second = ask("one", NULL);
	assert_int_equal(first.status, 201);
	assert_int_equal(second.status, 201);
	assert_int_equal(first.body.n, second.body.n);
	assert_memory_equal(first.body.data, second.body.data, first.body.n);
	assert_int_equal(runs, 1);
}

/* A transaction with an id holds back the relays of all services. */
static void a_claim_is_no_write(void **state)
{
	assert_int_equal(ask("none", NULL).status, 201);
	assert_string_equal(has_id, "false");
}

static void another_key_is_another_request(void **state)
{
	assert_int_equal(ask("two", NULL).status, 201);
	assert_int_equal(runs, 1);
}

static void the_answer_is_not_readable_in_the_database(void **state)
{
	assert_int_equal(ask("three", NULL).status, 201);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM learning.idempotency "
				    "WHERE body LIKE '%kotori%' OR key LIKE '%three%'"),
		"0");
	assert_string_not_equal(
		test_sql_text(&test, "SELECT count(body) FROM learning.idempotency"), "0");
}

static void a_request_that_still_runs_is_told_so_at_once(void **state)
{
	asks_again = true;
	assert_int_equal(ask("four", NULL).status, 201);
	assert_int_equal(status_meanwhile, 409);
	assert_int_equal(runs, 1);
}

static void a_refused_request_may_be_tried_again(void **state)
{
	refuses = true;
	assert_int_equal(ask("five", NULL).status, 409);
	refuses = false;
	assert_int_equal(ask("five", NULL).status, 201);
	assert_int_equal(runs, 2);
}

static void another_payload_under_the_same_key_is_refused(void **state)
{
	assert_int_equal(ask("six", NULL).status, 201);
	struct reply other = ask("six", "{}");
	assert_int_equal(other.status, 422);
	assert_int_equal(runs, 1);
}

/* Else it would be enough to guess what somebody has written. */
static void what_was_sent_cannot_be_guessed_from_the_database(void **state)
{
	test_sql(&test, "DELETE FROM learning.idempotency");
	assert_int_equal(ask("seven", "{\"name\":\"kotori\"}").status, 201);
	assert_int_equal(ask("eight", "{\"name\":\"kotori\"}").status, 201);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(DISTINCT fingerprint) FROM learning.idempotency"),
		"2");
}

/* ---- whose it is ---- */

#define ROWS "SELECT count(*) FROM learning.idempotency WHERE "

static void another_user_gets_nothing_of_it(void **state)
{
	const struct actor other = test_actor(&test, TEST_TENANT, TEST_OTHER_USER, ROLE_CONTRACTOR);
	const struct actor elsewhere =
		test_actor(&test, TEST_OTHER_TENANT, TEST_USER, ROLE_CONTRACTOR);
	struct reply first = ask("nine", NULL), second = ask_as(&other, "nine", NULL),
		     third = ask_as(&elsewhere, "nine", NULL);
	assert_int_equal(runs, 3);
	assert_memory_not_equal(first.body.data, second.body.data, first.body.n);
	assert_memory_not_equal(first.body.data, third.body.data, first.body.n);
	assert_memory_not_equal(second.body.data, third.body.data, first.body.n);
}

/* Whoever writes in the database leads nobody to an answer that is not theirs. */
static void under_another_name_it_does_not_open(void **state)
{
	const struct actor other = test_actor(&test, TEST_TENANT, TEST_OTHER_USER, ROLE_CONTRACTOR);
	test_sql(&test, "DELETE FROM learning.idempotency");
	assert_int_equal(ask("ten", NULL).status, 201);
	assert_int_equal(ask_as(&other, "ten", NULL).status, 201);
	/* Nor does a dump tell that two have sent the same. */
	assert_string_equal(
		test_sql_text(&test,
			"SELECT count(DISTINCT key) || ' ' || count(DISTINCT fingerprint)"
			" FROM learning.idempotency"),
		"2 2");
	test_sql(&test,
		"UPDATE learning.idempotency i SET body = o.body FROM learning.idempotency o"
		" WHERE i.user_id = '" TEST_OTHER_USER "' AND o.user_id = '" TEST_USER "'");
	assert_int_equal(ask("ten", NULL).status, 201);
	assert_int_equal(ask_as(&other, "ten", NULL).status, 500);
	assert_int_equal(runs, 2);
}

static void a_session_that_proved_less_does_not_get_it(void **state)
{
	raised = "II";
	struct actor one_factor = actor;
	one_factor.needs_second_factor = true;
	assert_int_equal(ask("eleven", NULL).status, 201);
	assert_int_equal(ask("eleven", NULL).status, 201);
	assert_int_equal(ask_as(&one_factor, "eleven", NULL).status, 403);
	assert_int_equal(runs, 1);
}

/* ---- whose keys it goes with ---- */

static void it_is_found_and_opens_after_a_rotation(void **state)
{
	struct reply first = ask("twelve", NULL);
	assert_int_equal(keyring_rotate(test.keyring, TEST_TENANT), OK);
	clock_shift_ms(KEYRING_TRUST_MS + 1);
	struct reply second = ask("twelve", NULL), next = ask("thirteen", NULL);
	assert_memory_equal(first.body.data, second.body.data, first.body.n);
	assert_int_equal(next.status, 201);
	assert_int_equal(runs, 2);
	assert_string_equal(test_sql_text(&test, ROWS "body LIKE 'AQAAAAAC%'"), "1");
}

static void it_goes_with_the_user_whom_it_is_about(void **state)
{
	child = CHILD;
	test_people(&test, TEST_TENANT, &child, 1);
	assert_int_equal(ask("fourteen", NULL).status, 201);
	assert_int_equal(ask("fourteen", NULL).status, 201);
	assert_string_equal(test_sql_text(&test, ROWS "body LIKE 'AQEAAAA%'"), "1");
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, CHILD), OK);
	struct reply gone = ask("fourteen", NULL);
	assert_int_equal(gone.status, 410);
	assert_non_null(memmem(gone.body.data, gone.body.n, "idempotency_answer_gone", 23));
	assert_int_equal(runs, 1); /* and is not done again */
}

static void it_goes_with_who_asked(void **state)
{
	const struct actor other = test_actor(
		&test, TEST_TENANT, "01890000-0000-7000-8000-0000000000c2", ROLE_CONTRACTOR);
	assert_int_equal(ask_as(&other, "fifteen", NULL).status, 201);
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, other.user_id), OK);
	assert_int_equal(ask_as(&other, "fifteen", NULL).status, 410);
	assert_int_equal(runs, 1);
}

/* Of a contract that is opened: what is kept is the provider's row and the new tenant's secret. */
static void it_goes_with_the_tenant_whom_it_is_about(void **state)
{
	contract = TEST_OTHER_TENANT;
	assert_int_equal(ask("sixteen", NULL).status, 201);
	assert_int_equal(ask("sixteen", NULL).status, 201);
	assert_string_equal(
		test_sql_text(&test,
			ROWS "keys_of = '" TEST_OTHER_TENANT "' AND tenant_id = '" TEST_TENANT "'"),
		"1");
	struct erasure receipt;
	assert_int_equal(
		keyring_destroy(test.keyring, test.arena, TEST_OTHER_TENANT, &receipt), OK);
	clock_shift_ms(KEYRING_TRUST_MS + 1);
	assert_int_equal(ask("sixteen", NULL).status, 410);
	assert_int_equal(runs, 1);
}

static int set_up(void **state)
{
	runs = 0;
	child = contract = raised = NULL;
	return 0;
}

static int start(void **state)
{
	test_open(&test, &service);
	actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	return 0;
}

static int finish(void **state)
{
	test_close(&test);
	return 0;
}

#define FACT(name_) cmocka_unit_test_setup(name_, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(a_repeated_request_has_one_effect_and_the_same_answer),
		FACT(a_claim_is_no_write),
		FACT(another_key_is_another_request),
		FACT(the_answer_is_not_readable_in_the_database),
		FACT(a_request_that_still_runs_is_told_so_at_once),
		FACT(a_refused_request_may_be_tried_again),
		FACT(another_payload_under_the_same_key_is_refused),
		FACT(what_was_sent_cannot_be_guessed_from_the_database),
		FACT(another_user_gets_nothing_of_it),
		FACT(under_another_name_it_does_not_open),
		FACT(a_session_that_proved_less_does_not_get_it),
		FACT(it_is_found_and_opens_after_a_rotation),
		FACT(it_goes_with_the_user_whom_it_is_about),
		FACT(it_goes_with_who_asked),
		FACT(it_goes_with_the_tenant_whom_it_is_about),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
