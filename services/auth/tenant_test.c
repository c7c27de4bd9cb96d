/* Facts about opening tenants, the provider's own first. */
#include "services/auth/auth_test.h"

#include <stdio.h>

static struct answer open_as(
	const struct actor *actor, const char *tenant_id, const char *code, const char *user_id)
{
	return ask("tenant_open", actor, NULL,
		printf_text("{\"tenantId\":\"%s\",\"code\":\"%s\",\"name\":\"南小\","
			    "\"userId\":\"%s\",\"username\":\"head\"}",
			tenant_id, code, user_id));
}

static void repeating_changes_nothing_but_the_secret(void **state)
{
	struct actor actor = operator_actor();
	struct answer answer = open_as(&actor, TEST_TENANT, "minami", HEAD);
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(log_in("minami", "head", secrets.head).reply.status, 401);
	settle("minami", "head", text_in(&answer, "secret"), GOOD_PASSWORD);
	/* Now it is somebody's: a repetition must not throw them out. */
	answer = open_as(&actor, TEST_TENANT, "minami", HEAD);
	assert_int_equal(answer.reply.status, 409);
	assert_string_equal(text_in(&answer, "code"), "administrator_in_use");
	token_for("minami", "head", GOOD_PASSWORD);
}

static void code_belongs_to_one_tenant(void **state)
{
	struct actor actor = operator_actor();
	struct answer answer = open_as(&actor, TEST_USER, "Minami", TEST_OTHER_USER);
	assert_int_equal(answer.reply.status, 409);
	assert_string_equal(text_in(&answer, "code"), "tenant_code_taken");
}

static void only_operators_open_tenants(void **state)
{
	struct actor actor = head_actor();
	assert_int_equal(open_as(&actor, TEST_USER, "higashi", TEST_OTHER_USER).reply.status, 403);
}

static void opening_is_recorded_with_the_operator(void **state)
{
	assert_string_equal(
		test_sql_text(&test,
			"SELECT DISTINCT tenant_id FROM auth.outbox WHERE kind = 'audit'"
			" AND body LIKE '%auth.tenant_open%'"),
		TEST_OPERATOR_TENANT);
}

/* ---- shut and open ---- */

static unsigned put_access(const struct actor *actor, const char *tenant_id, const char *access)
{
	return ask("tenant_access_put", actor, NULL,
		printf_text("{\"tenantId\":\"%s\",\"access\":\"%s\"}", tenant_id, access))
		.reply.status;
}

static void nobody_of_a_shut_tenant_is_in_or_gets_in(void **state)
{
	struct actor operator= operator_actor(), one;
	const char *token = settle("minami", "head", secrets.head, GOOD_PASSWORD);
	const char *other = token_for("kita", "head", secrets.other_head);
	assert_int_equal(actor_of(token, &one), OK); /* now it lies in the cache */
	assert_int_equal(put_access(&operator, TEST_TENANT, "shut"), 204);
	assert_int_equal(actor_of(token, &one), ERR_UNAUTHENTICATED);
	struct answer right = log_in("minami", "head", GOOD_PASSWORD);
	struct answer wrong = log_in("minami", "nobody", GOOD_PASSWORD);
	assert_int_equal(right.reply.status, 401);
	assert_string_equal(text_without_trace(&right), text_without_trace(&wrong));
	assert_int_equal(actor_of(other, &one), OK);
	assert_int_equal(put_access(&operator, TEST_TENANT, "open"), 204);
	assert_int_equal(actor_of(token, &one), ERR_UNAUTHENTICATED); /* ended is ended */
	(void)token_for("minami", "head", GOOD_PASSWORD);
}

/* Teacher and pupil of the closed contract, and the administrator before and after. */
static void a_closed_tenant_lets_its_administrators_in_and_marks_them(void **state)
{
	struct actor operator= operator_actor(), one;
	const char *before = settle("minami", "head", secrets.head, GOOD_PASSWORD);
	const char *teacher = settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	const char *other = token_for("kita", "head", secrets.other_head);
	assert_int_equal(actor_of(before, &one), OK); /* now it lies in the cache */
	assert_false(one.closed);
	assert_int_equal(put_access(&operator, TEST_TENANT, "closed"), 204);
	assert_int_equal(actor_of(before, &one), ERR_UNAUTHENTICATED);
	assert_int_equal(actor_of(teacher, &one), ERR_UNAUTHENTICATED);
	struct answer right = log_in("minami", "teacher", GOOD_PASSWORD);
	struct answer wrong = log_in("minami", "nobody", GOOD_PASSWORD);
	assert_int_equal(right.reply.status, 401);
	assert_string_equal(text_without_trace(&right), text_without_trace(&wrong));
	const char *after = token_for("minami", "head", GOOD_PASSWORD);
	assert_int_equal(actor_of(after, &one), OK);
	assert_true(one.closed);
	assert_int_equal(actor_of(other, &one), OK);
	assert_false(one.closed);
	assert_int_equal(put_access(&operator, TEST_TENANT, "open"), 204);
	assert_int_equal(actor_of(after, &one), OK); /* and what lay in the cache is gone */
	assert_false(one.closed);
	(void)token_for("minami", "teacher", GOOD_PASSWORD);
	assert_int_equal(put_access(&operator, TEST_TENANT, "closed"), 204);
	after = token_for("minami", "head", GOOD_PASSWORD);
	assert_int_equal(actor_of(after, &one), OK);
	assert_int_equal(put_access(&operator, TEST_TENANT, "shut"), 204);
	assert_int_equal(actor_of(after, &one), ERR_UNAUTHENTICATED);
	assert_int_equal(log_in("minami", "head", GOOD_PASSWORD).reply.status, 401);
}

static void a_session_begun_meanwhile_is_good_for_nothing(void **state)
{
	struct actor one;
	const char *token = token_for("minami", "head", secrets.head);
	test_sql(&test, "UPDATE auth.tenant SET shut_at = now() WHERE code = 'minami'");
	assert_int_equal(actor_of(token, &one), ERR_UNAUTHENTICATED);
}

/* The account was found open; it is shut at the end of that transaction, before the session. */
static void a_login_that_is_overtaken_begins_no_session(void **state)
{
	test_sql(&test,
		"CREATE FUNCTION public.shut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
		" $$ BEGIN UPDATE auth.tenant SET shut_at = now() WHERE code = 'minami';"
		" RETURN NULL; END $$;"
		"CREATE CONSTRAINT TRIGGER shut AFTER INSERT ON auth.throttle"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.shut()");
	assert_int_equal(log_in("minami", "head", secrets.head).reply.status, 401);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM auth.session"), "0");
}

static void only_operators_shut_and_never_themselves(void **state)
{
	struct actor operator= operator_actor(), head = head_actor();
	assert_int_equal(put_access(&head, TEST_TENANT, "shut"), 403);
	assert_int_equal(put_access(&operator, TEST_OPERATOR_TENANT, "shut"), 403);
	assert_int_equal(put_access(&operator, TEST_USER, "shut"), 204); /* is not there */
}

/* ---- the first operator ---- */

#define BOOTSTRAP "a secret from the safe"

static void bootstrap(void)
{
	bool more;
	struct call c = test_call(&test, NULL);
	assert_int_equal(tenant_bootstrap(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
}

static const char *operators(void)
{
	return test_sql_text(&test, "SELECT count(*) FROM auth.account WHERE role = 'operator'");
}

static void first_operator_comes_from_the_bootstrap_secret(void **state)
{
	bootstrap(); /* without a secret */
	assert_string_equal(operators(), "0");
	auth_conf.bootstrap_secret = BOOTSTRAP;
	/* Before provisioning has made the keys. */
	const char *salt = printf_text("%s/" TEST_OPERATOR_TENANT ".login", auth_conf.keyring);
	assert_int_equal(rename(salt, printf_text("%s.away", salt)), 0);
	bootstrap();
	assert_string_equal(operators(), "0");
	assert_int_equal(rename(printf_text("%s.away", salt), salt), 0);
	bootstrap();
	assert_string_equal(operators(), "1");
	/* Another instance that saw none a moment ago. */
	bootstrap();
	assert_string_equal(operators(), "1");
	assert_string_equal(
		test_sql_text(&test, "SELECT tenant_id FROM auth.account"), TEST_OPERATOR_TENANT);
	settle("manabiya", "operator", BOOTSTRAP, GOOD_PASSWORD);
	assert_int_equal(log_in("manabiya", "operator", BOOTSTRAP).reply.status, 401);
	token_for("manabiya", "operator", GOOD_PASSWORD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(repeating_changes_nothing_but_the_secret),
		FACT(code_belongs_to_one_tenant),
		FACT(only_operators_open_tenants),
		FACT(opening_is_recorded_with_the_operator),
		FACT(nobody_of_a_shut_tenant_is_in_or_gets_in),
		FACT(a_closed_tenant_lets_its_administrators_in_and_marks_them),
		FACT(a_session_begun_meanwhile_is_good_for_nothing),
		FACT(a_login_that_is_overtaken_begins_no_session),
		FACT(only_operators_shut_and_never_themselves),
		cmocka_unit_test_setup_teardown(
			first_operator_comes_from_the_bootstrap_secret, open_auth, close_auth),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
