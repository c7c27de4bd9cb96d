/* Facts about repeated requests: one effect, the first answer again, no secret in the database. */
#include "libcommon/testing.h"

#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"

static struct test test;
static struct actor actor;
static int runs;
static bool refuses, asks_again;
static unsigned status_meanwhile;

struct answer {
	const char *secret;
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
};
static const struct shape answer_shape = { "answer", sizeof(struct answer), fields, 1, LABEL_NONE };

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
	*(struct answer *)out = (struct answer){ arena_printf(c->arena, "kotori-%d", runs) };
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
static const struct service service = { .name = "audit", .ops = ops, .ops_n = 1 };

static struct reply ask(const char *key, const char *body)
{
	struct reply reply;
	const struct test_request request = {
		.operation = "issue", .actor = &actor, .idempotency_key = key, .body = body
	};
	test_dispatch(&test, &request, &reply, NULL);
	return reply;
}

/* The same request on another connection, while the first one runs. */
static void ask_meanwhile(void)
{
	struct db *own = test.db;
	test.db = db_open(test.database, "audit");
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
				    "SELECT count(*) FROM audit.idempotency "
				    "WHERE body LIKE '%kotori%' OR key LIKE '%three%'"),
		"0");
	assert_string_not_equal(
		test_sql_text(&test, "SELECT count(body) FROM audit.idempotency"), "0");
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
	test_sql(&test, "DELETE FROM audit.idempotency");
	assert_int_equal(ask("seven", "{\"name\":\"kotori\"}").status, 201);
	assert_int_equal(ask("eight", "{\"name\":\"kotori\"}").status, 201);
	assert_string_equal(
		test_sql_text(&test, "SELECT count(DISTINCT fingerprint) FROM audit.idempotency"),
		"2");
}

static int set_up(void **state)
{
	runs = 0;
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
	};
	return cmocka_run_group_tests(tests, start, finish);
}
