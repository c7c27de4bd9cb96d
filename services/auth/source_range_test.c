/* Facts about the addresses that a school allows. */
#include "services/auth/auth_test.h"

#define HOME "192.0.2.10"
#define HOME_V6 "2001:db8::7"
#define AWAY "198.51.100.9"
#define OWN_RANGES "[\"192.0.2.0/24\",\"2001:db8::/32\"]"

static struct answer ask_from(const char *source, const char *operation, const struct actor *actor,
	const char *params, const char *body)
{
	struct answer answer = { .json = NULL };
	const struct test_request request = { .operation = operation,
		.actor = actor,
		.caller = "gateway",
		.params = params,
		.body = body,
		.source = source };
	test_dispatch(&test, &request, &answer.reply, &answer.call);
	if (answer.reply.body.n > 0)
		assert_int_equal(json_parse(test.arena, (const char *)answer.reply.body.data,
					 answer.reply.body.n, &answer.json),
			OK);
	return answer;
}

static struct answer put_from(const char *source, const char *ranges)
{
	struct actor head = head_actor();
	return ask_from(
		source, "source_range_put", &head, NULL, printf_text("{\"ranges\":%s}", ranges));
}

static struct answer log_in_from(
	const char *source, const char *code, const char *username, const char *password)
{
	return ask_from(source, "session_create", NULL, NULL,
		printf_text("{\"tenantCode\":\"%s\",\"username\":\"%s\",\"password\":\"%s\","
			    "\"delivery\":\"bearer\"}",
			code, username, password));
}

static struct answer mint_from(const char *source, const char *token)
{
	return ask_from(
		source, "capability_mint", NULL, NULL, printf_text("{\"token\":\"%s\"}", token));
}

static void who_comes_from_elsewhere_is_not_let_in(void **state)
{
	assert_int_equal(put_from(HOME, OWN_RANGES).reply.status, 204);
	assert_int_equal(log_in_from(HOME, "minami", "pupil", secrets.pupil).reply.status, 200);
	assert_int_equal(log_in_from(HOME_V6, "minami", "pupil", secrets.pupil).reply.status, 200);
	struct answer answer = log_in_from(AWAY, "minami", "pupil", secrets.pupil);
	assert_int_equal(answer.reply.status, 403);
	assert_string_equal(text_in(&answer, "code"), "source_refused");
	/* A source that nobody knows is none of theirs. */
	assert_int_equal(log_in_from("", "minami", "pupil", secrets.pupil).reply.status, 403);
}

/* Else a stranger could ask which schools there are and how they have set this. */
static void who_has_no_password_is_told_nothing_of_it(void **state)
{
	assert_int_equal(put_from(HOME, OWN_RANGES).reply.status, 204);
	struct answer wrong = log_in_from(AWAY, "minami", "pupil", "wrong"),
		      none = log_in_from(AWAY, "nowhere", "pupil", "wrong");
	assert_int_equal(wrong.reply.status, 401);
	assert_string_equal(text_without_trace(&wrong), text_without_trace(&none));
}

/* Revocation's way: the cache of auth is passed by, the gateways are told. */
static void a_session_that_has_begun_ends_where_it_may_not_be(void **state)
{
	const char *token = token_for("minami", "pupil", secrets.pupil);
	assert_int_equal(mint_from(AWAY, token).reply.status, 200);
	assert_int_equal(mint_from(AWAY, token).reply.status, 200); /* now from the cache */
	struct answer answer = put_from(HOME, OWN_RANGES);
	assert_int_equal(answer.reply.status, 204);
	assert_non_null(answer.call.pushes);
	assert_string_equal(answer.call.pushes->topic, "session.revoked");
	answer = mint_from(AWAY, token);
	assert_int_equal(answer.reply.status, 403);
	assert_string_equal(text_in(&answer, "code"), "source_refused");
	assert_int_equal(mint_from(HOME, token).reply.status, 200);
	/* What the one was given must not serve the other. */
	assert_int_equal(mint_from(AWAY, token).reply.status, 403);
	assert_int_equal(put_from(HOME, "[]").reply.status, 204);
	assert_int_equal(mint_from(AWAY, token).reply.status, 200);
}

static void other_schools_and_the_provider_are_not_touched(void **state)
{
	struct actor provider = operator_actor();
	assert_int_equal(put_from(HOME, OWN_RANGES).reply.status, 204);
	assert_int_equal(log_in_from(AWAY, "kita", "head", secrets.other_head).reply.status, 200);
	struct answer answer =
		ask_from(AWAY, "source_range_put", &provider, NULL, "{\"ranges\":[\"" HOME "\"]}");
	assert_int_equal(answer.reply.status, 403);
	assert_string_equal(text_in(&answer, "code"), "forbidden");
}

static void nobody_locks_himself_out(void **state)
{
	struct answer answer = put_from(AWAY, OWN_RANGES);
	assert_int_equal(answer.reply.status, 409);
	assert_string_equal(text_in(&answer, "code"), "source_locks_out");
	assert_string_equal(
		test_sql_text(&test, "SELECT DISTINCT source_ranges FROM auth.tenant"), "{}");
}

static void what_is_no_range_is_named(void **state)
{
	static const char *const bad[] = { "192.0.2.1/24", "192.0.2.0/33", "school",
		"192.0.2.0/24,", "0.0.0.0/0 ", "::/129" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct answer answer =
			put_from(HOME, printf_text("[\"192.0.2.0/24\",\"%s\"]", bad[i]));
		assert_int_equal(answer.reply.status, 422);
		const struct json *error = json_item(json_member(answer.json, "errors"), 0);
		assert_string_equal(json_text(json_member(error, "pointer")), "/ranges/1");
	}
}

static void more_than_sixty_four_are_refused(void **state)
{
	const char *ranges = "\"" HOME "\"";
	for (int i = 1; i < 64; i++)
		ranges = printf_text("%s,\"203.0.113.%d\"", ranges, i);
	assert_int_equal(put_from(HOME, printf_text("[%s]", ranges)).reply.status, 204);
	assert_int_equal(
		put_from(HOME, printf_text("[%s,\"203.0.113.200\"]", ranges)).reply.status, 422);
}

static void they_are_read_as_they_were_put(void **state)
{
	struct actor head = head_actor();
	struct answer answer = ask_from(HOME, "source_range_get", &head, NULL, NULL);
	assert_int_equal(answer.reply.status, 200);
	assert_string_equal(text_in(&answer, "source"), HOME);
	assert_int_equal(json_count(json_member(answer.json, "ranges")), 0);
	assert_int_equal(put_from(HOME, OWN_RANGES).reply.status, 204);
	answer = ask_from(HOME, "source_range_get", &head, NULL, NULL);
	const struct json *ranges = json_member(answer.json, "ranges");
	assert_int_equal(json_count(ranges), 2);
	assert_string_equal(json_text(json_item(ranges, 0)), "192.0.2.0/24");
	assert_string_equal(json_text(json_item(ranges, 1)), "2001:db8::/32");
}

static void setting_them_needs_the_password_anew(void **state)
{
	struct actor head = head_actor();
	head.authenticated_unix_ms -= 6 * MINUTE_MS;
	struct answer answer =
		ask_from(HOME, "source_range_put", &head, NULL, "{\"ranges\":" OWN_RANGES "}");
	assert_int_equal(answer.reply.status, 403);
	assert_string_equal(text_in(&answer, "code"), "step_up_required");
}

static void an_operator_lets_a_school_in_again(void **state)
{
	struct actor provider = operator_actor(), head = head_actor();
	assert_int_equal(put_from(HOME, OWN_RANGES).reply.status, 204);
	const char *params = "tenantId=" TEST_TENANT;
	assert_int_equal(
		ask_from(HOME, "source_range_lift", &head, params, NULL).reply.status, 403);
	assert_int_equal(
		ask_from(AWAY, "source_range_lift", &provider, params, NULL).reply.status, 204);
	assert_int_equal(log_in_from(AWAY, "minami", "pupil", secrets.pupil).reply.status, 200);
	assert_int_equal(ask_from(AWAY, "source_range_lift", &provider, "tenantId=" TEST_USER, NULL)
				 .reply.status,
		404);
	assert_string_equal(
		test_sql_text(&test,
			"SELECT DISTINCT tenant_id FROM auth.outbox WHERE kind = 'audit'"
			" AND body LIKE '%auth.source_range_lift%'"),
		TEST_OPERATOR_TENANT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(who_comes_from_elsewhere_is_not_let_in),
		FACT(who_has_no_password_is_told_nothing_of_it),
		FACT(a_session_that_has_begun_ends_where_it_may_not_be),
		FACT(other_schools_and_the_provider_are_not_touched),
		FACT(nobody_locks_himself_out),
		FACT(what_is_no_range_is_named),
		FACT(more_than_sixty_four_are_refused),
		FACT(they_are_read_as_they_were_put),
		FACT(setting_them_needs_the_password_anew),
		FACT(an_operator_lets_a_school_in_again),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
