/* Facts about changing one's own password. */
#include "services/auth/auth_test.h"

static struct actor live_actor(const char *token)
{
	struct actor actor;
	assert_int_equal(actor_of(token, &actor), OK);
	return actor;
}

static void change_renews_the_token_and_ends_the_other_sessions(void **state)
{
	struct actor actor;
	const char *first = settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	const char *second = token_for("minami", "teacher", GOOD_PASSWORD);
	struct actor mine = live_actor(second);
	struct answer answer = change_password(&mine, GOOD_PASSWORD, "another horse battery 8");
	assert_int_equal(answer.reply.status, 200);
	const char *renewed = text_in(&answer, "token");
	assert_int_equal(actor_of(first, &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(actor_of(second, &actor), ERR_UNAUTHENTICATED);
	actor = live_actor(renewed);
	assert_string_equal(actor.session_id, mine.session_id);
	assert_int_equal(log_in("minami", "teacher", GOOD_PASSWORD).reply.status, 401);
	token_for("minami", "teacher", "another horse battery 8");
}

static void gateways_forget_the_old_tokens(void **state)
{
	settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	struct actor mine = live_actor(token_for("minami", "teacher", GOOD_PASSWORD));
	struct answer answer = change_password(&mine, GOOD_PASSWORD, "another horse battery 8");
	unsigned pushes = 0;
	for (const struct push *push = answer.call.pushes; push; push = push->next)
		pushes++;
	assert_int_equal(pushes, 2); /* the other session, and this one's old token */
}

static void one_time_secret_is_replaced_for_good(void **state)
{
	const char *token = settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	assert_false(live_actor(token).initial);
	assert_int_equal(log_in("minami", "pupil", secrets.pupil).reply.status, 401);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM auth.account WHERE id = '" PUPIL
				    "' AND secret_hash IS NULL AND password IS NOT NULL"),
		"1");
}

static void session_with_a_cookie_gets_a_new_cookie(void **state)
{
	struct answer answer = ask("session_create", NULL, NULL,
		printf_text(
			"{\"tenantCode\":\"minami\",\"username\":\"pupil\",\"password\":\"%s\"}",
			secrets.pupil));
	const char *cookie = strstr(answer.reply.headers.data, "__Host-sid=") + 11;
	struct actor actor = live_actor(arena_strndup(test.arena, cookie, 43));
	answer = change_password(&actor, secrets.pupil, PUPIL_PASSWORD);
	assert_int_equal(answer.reply.status, 200);
	assert_null(text_in(&answer, "token"));
	const char *renewed = strstr(answer.reply.headers.data, "__Host-sid=") + 11;
	assert_memory_not_equal(cookie, renewed, 43);
	live_actor(arena_strndup(test.arena, renewed, 43));
}

static const char *pointer_of(const struct answer *answer)
{
	const struct json *errors = json_member(answer->json, "errors");
	return json_text(json_member(json_item(errors, 0), "pointer"));
}

static void current_password_must_be_right(void **state)
{
	struct actor actor =
		live_actor(settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD));
	for (unsigned i = 0; i < 5; i++) {
		struct answer answer =
			change_password(&actor, "not this one at all", "another horse battery 8");
		assert_int_equal(answer.reply.status, 422);
		assert_string_equal(pointer_of(&answer), "/currentPassword");
	}
	/* A stolen session is no way to guess on. (The wait is made longer than a slow machine.) */
	test_sql(&test,
		"UPDATE auth.throttle SET next_attempt_at = next_attempt_at"
		" + interval '1 day'");
	struct answer answer = change_password(&actor, GOOD_PASSWORD, "another horse battery 8");
	assert_int_equal(answer.reply.status, 429);
	assert_string_equal(text_in(&answer, "code"), "too_many_attempts");
}

static void weak_passwords_are_refused_with_a_reason(void **state)
{
	static const char *const weak[] = { "short", "aaaaaaaaaaaa", "12345678", "pupil123",
		"minami12", "password1" };
	struct actor actor = live_actor(token_for("minami", "pupil", secrets.pupil));
	for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
		struct answer answer = change_password(&actor, secrets.pupil, weak[i]);
		assert_int_equal(answer.reply.status, 422);
		assert_string_equal(pointer_of(&answer), "/newPassword");
		test_sql(&test, "DELETE FROM auth.throttle");
	}
	assert_int_equal(change_password(&actor, secrets.pupil, secrets.pupil).reply.status, 422);
	assert_int_equal(change_password(&actor, secrets.pupil, PUPIL_PASSWORD).reply.status, 200);
}

static void staff_need_fifteen_characters_and_may_take_many(void **state)
{
	struct actor actor = live_actor(token_for("minami", "teacher", secrets.teacher));
	assert_int_equal(
		change_password(&actor, secrets.teacher, "tetsubou7maime").reply.status, 422);
	char longest[257];
	for (unsigned i = 0, mix = 1; i < 256; i++, mix = mix * 1103515245 + 12345)
		longest[i] = "kx7 Qm2-vR"[(mix >> 16) % 10];
	longest[256] = '\0';
	assert_int_equal(change_password(&actor, secrets.teacher, longest).reply.status, 200);
	token_for("minami", "teacher", longest);
	longest[255] ^= 1; /* the last character counts */
	assert_int_equal(log_in("minami", "teacher", longest).reply.status, 401);
}

static void ended_session_changes_nothing(void **state)
{
	struct actor actor =
		live_actor(settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD));
	assert_int_equal(ask("session_end", &actor, NULL, NULL).reply.status, 204);
	/* Its capability may live on for seconds. */
	assert_int_equal(
		change_password(&actor, GOOD_PASSWORD, "another horse battery 8").reply.status,
		401);
	token_for("minami", "teacher", GOOD_PASSWORD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(change_renews_the_token_and_ends_the_other_sessions),
		FACT(gateways_forget_the_old_tokens),
		FACT(one_time_secret_is_replaced_for_good),
		FACT(session_with_a_cookie_gets_a_new_cookie),
		FACT(current_password_must_be_right),
		FACT(weak_passwords_are_refused_with_a_reason),
		FACT(staff_need_fifteen_characters_and_may_take_many),
		FACT(ended_session_changes_nothing),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
