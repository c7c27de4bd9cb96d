/* Facts about intents: an id outlives the transaction that failed, and dies with its effect. */
#include "libcommon/testing.h"

#include <string.h>

#include "libcommon/db.h"
#include "libcommon/intent.h"

static const struct service service = { .name = "provisioning" };
static struct test test;
static struct actor actor, other;

static int open_test(void **state)
{
	test_open(&test, &service);
	actor = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_CONTRACTOR);
	other = test_actor(&test, TEST_OTHER_TENANT, TEST_OTHER_USER, ROLE_CONTRACTOR);
	return 0;
}

static int close_test(void **state)
{
	test_close(&test);
	return 0;
}

/* What an attempt that fails afterwards gets. */
static const char *id_of(const struct actor *whose, const char *name)
{
	struct intent intent = { .name = name };
	struct call c = test_call(&test, whose);
	assert_int_equal(intent_declare(&c, &intent, 1), OK);
	db_rollback(c.db);
	return arena_strdup(test.arena, intent.id);
}

static void fulfil(const char *name, bool commits)
{
	struct intent intent = { .name = name };
	struct call c = test_call(&test, &actor);
	assert_int_equal(intent_declare(&c, &intent, 1), OK);
	assert_int_equal(intent_fulfil(&c, &intent, 1), OK);
	if (commits)
		assert_int_equal(db_commit(&c), OK);
	else
		db_rollback(c.db);
}

static void an_id_is_the_same_until_its_effect(void **state)
{
	const char *id = id_of(&actor, "person/taro");
	assert_int_equal(id[14], '7');
	assert_string_equal(id_of(&actor, "person/taro"), id);
	fulfil("person/taro", false);
	assert_string_equal(id_of(&actor, "person/taro"), id);
	fulfil("person/taro", true);
	assert_string_not_equal(id_of(&actor, "person/taro"), id);
}

static void names_belong_to_a_tenant_and_are_not_stored(void **state)
{
	assert_string_not_equal(id_of(&other, "person/jiro"), id_of(&actor, "person/jiro"));
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(DISTINCT tenant_id) FROM provisioning.intent"
				    " WHERE name_hash = sha256('person/jiro')"),
		"2");
}

/* Old ones among new ones, in the order that was given. */
static void thousands_are_one_statement(void **state)
{
	enum { MANY = 3000 };
	const char *old = id_of(&actor, "person/p1234");
	struct intent *intents = arena_array(test.arena, MANY, sizeof(*intents));
	struct call c = test_call(&test, &actor);
	for (int i = 0; i < MANY; i++)
		intents[i].name = arena_printf(test.arena, "person/p%d", i);
	assert_int_equal(intent_declare(&c, intents, MANY), OK);
	for (int i = 0; i < MANY; i++)
		assert_non_null(intents[i].id);
	assert_string_equal(intents[1234].id, old);
	const char *last = arena_strdup(test.arena, intents[MANY - 1].id);
	db_rollback(c.db);
	assert_string_equal(id_of(&actor, arena_printf(test.arena, "person/p%d", MANY - 1)), last);
}

static const char HAS_ID[] = "SELECT (pg_current_xact_id_if_assigned() IS NOT NULL)::text";

/* A transaction with an id would hold back the relays while another service is asked. */
static void the_calls_own_transaction_has_written_nothing(void **state)
{
	struct intent intent = { .name = "person/saburo" };
	const char *has_id;
	struct call c = test_call(&test, &actor);
	assert_int_equal(db_text(&c, HAS_ID, DB_NONE, &has_id), OK);
	assert_int_equal(intent_declare(&c, &intent, 1), OK);
	assert_int_equal(db_text(&c, HAS_ID, DB_NONE, &has_id), OK);
	assert_string_equal(has_id, "false");
	db_rollback(c.db);
}

static void an_intent_that_cannot_be_kept_is_refused(void **state)
{
	struct intent twice[] = { { .name = "person/shiro" }, { .name = "person/shiro" } };
	const char *has_id;
	struct call c = test_call(&test, &actor);
	assert_int_not_equal(intent_declare(&c, twice, 2), OK);
	/* The call's own transaction is as it was. */
	assert_int_equal(db_text(&c, HAS_ID, DB_NONE, &has_id), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM provisioning.intent"
				    " WHERE name_hash = sha256('person/shiro')"),
		"0");
}

static void none_are_nothing(void **state)
{
	struct call c = test_call(&test, &actor);
	assert_int_equal(intent_declare(&c, NULL, 0), OK);
	assert_int_equal(intent_fulfil(&c, NULL, 0), OK);
	assert_int_equal(db_commit(&c), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_the_same_until_its_effect),
		cmocka_unit_test(names_belong_to_a_tenant_and_are_not_stored),
		cmocka_unit_test(thousands_are_one_statement),
		cmocka_unit_test(the_calls_own_transaction_has_written_nothing),
		cmocka_unit_test(an_intent_that_cannot_be_kept_is_refused),
		cmocka_unit_test(none_are_nothing),
	};
	return cmocka_run_group_tests(tests, open_test, close_test);
}
