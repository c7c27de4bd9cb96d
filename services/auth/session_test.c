/* Facts about sessions once they have begun. */
#include "services/auth/auth_test.h"

#include <inttypes.h>

static struct actor settled_actor(const char **token)
{
	struct actor actor;
	*token = settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	assert_int_equal(actor_of(*token, &actor), OK);
	return actor;
}

static void session_says_who_i_am(void **state)
{
	const char *token;
	struct actor actor = settled_actor(&token);
	assert_int_equal(actor.role, ROLE_INSTRUCTOR);
	assert_false(actor.initial);
	assert_string_equal(actor.tenant_id, TEST_TENANT);
	struct answer answer = ask("session_get", &actor, NULL, NULL);
	assert_int_equal(answer.reply.status, 200);
	assert_string_equal(text_in(&answer, "userId"), TEACHER);
	assert_string_equal(text_in(&answer, "tenantId"), TEST_TENANT);
	assert_string_equal(text_in(&answer, "tenantCode"), "minami");
	assert_string_equal(text_in(&answer, "tenantName"), "学校 minami");
	assert_string_equal(text_in(&answer, "role"), "instructor");
	assert_int_equal(json_count(json_member(answer.json, "features")), 2);
	assert_int_equal(strlen(text_in(&answer, "expiresAt")), 24);
}

static const char *tried_token(const char *token)
{
	struct actor actor;
	return err_name(actor_of(token, &actor));
}

static void tokens_that_are_none_are_refused(void **state)
{
	assert_string_equal(tried_token("x"), "unauthenticated");
	assert_string_equal(
		tried_token("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "unauthenticated");
}

static void ended_session_is_over_and_its_cookie_cleared(void **state)
{
	const char *token;
	struct actor actor = settled_actor(&token);
	struct answer answer = ask("session_end", &actor, NULL, NULL);
	assert_int_equal(answer.reply.status, 204);
	assert_non_null(strstr(answer.reply.headers.data,
		"Set-Cookie: __Host-sid=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0\r\n"));
	assert_non_null(strstr(answer.reply.headers.data,
		"Clear-Site-Data: \"cache\", \"cookies\", \"storage\"\r\n"));
	assert_string_equal(tried_token(token), "unauthenticated");
}

static void gateways_are_told_of_the_end(void **state)
{
	const char *token;
	struct actor actor = settled_actor(&token);
	struct answer answer = ask("session_end", &actor, NULL, NULL);
	assert_non_null(answer.call.pushes);
	assert_string_equal(answer.call.pushes->topic, "session.revoked");
	assert_string_equal(answer.call.pushes->json, actor.session_id);
	assert_null(answer.call.pushes->next);
}

static const char *entry_key_of(const char *token)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(token, strlen(token), hash);
	return printf_text("cap:%s", crypto_hex(test.arena, hash, sizeof hash));
}

/* A mint that read the database just before the revocation writes its entry just after it. */
static void revoked_session_is_refused_even_from_the_cache(void **state)
{
	const char *token, *entry;
	struct actor actor = settled_actor(&token);
	const char *key = entry_key_of(token);
	if (cache_get(test.cache, test.arena, key, &entry) != OK)
		skip(); /* no Redis here */
	assert_int_equal(ask("session_end", &actor, NULL, NULL).reply.status, 204);
	assert_int_equal(cache_get(test.cache, test.arena, key, &entry), ERR_NOT_FOUND);
	assert_int_equal(cache_set(test.cache, key, entry ? entry : "", 10000), OK);
	assert_string_equal(tried_token(token), "unauthenticated");
}

static void cached_capability_is_given_again(void **state)
{
	struct actor actor;
	const char *token, *entry;
	settled_actor(&token);
	if (cache_get(test.cache, test.arena, entry_key_of(token), &entry) != OK)
		skip();
	test_sql(&test, "DELETE FROM auth.session"); /* nobody asks the database meanwhile */
	assert_int_equal(actor_of(token, &actor), OK);
}

/* The cache keeps it, since it counts by the wall clock; services would believe it in an hour. */
static void what_was_cached_before_the_clock_was_set_back_is_made_anew(void **state)
{
	struct actor actor;
	const char *token, *entry;
	move_clock_ms(HOUR_MS);
	settled_actor(&token);
	if (cache_get(test.cache, test.arena, entry_key_of(token), &entry) != OK)
		skip();
	move_clock_ms(-HOUR_MS);
	assert_int_equal(actor_of(token, &actor), OK);
}

/* Whoever reads the cache finds nothing to use, whoever writes it becomes nobody else. */
static void entries_of_the_cache_are_sealed_for_their_session(void **state)
{
	struct actor actor;
	const char *token, *entry;
	settled_actor(&token);
	const char *pupils = token_for("minami", "pupil", secrets.pupil);
	if (cache_get(test.cache, test.arena, entry_key_of(token), &entry) != OK)
		skip();
	assert_null(strstr(entry, "v4.public"));
	assert_int_equal(cache_set(test.cache, entry_key_of(pupils), entry, 10000), OK);
	assert_int_equal(actor_of(pupils, &actor), OK);
	assert_string_equal(actor.user_id, PUPIL);
}

static void nobody_has_more_than_fifty_sessions(void **state)
{
	struct actor actor;
	const char *token = settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	test_sql(&test,
		"INSERT INTO auth.session SELECT tenant_id, gen_random_uuid(), user_id,"
		" sha256(nth::text::bytea), true, false, created_at + nth * interval '1 ms',"
		" last_seen_at, idle_expires_at, expires_at"
		" FROM auth.session, generate_series(1, 49) nth WHERE revoked_at IS NULL");
	assert_int_equal(actor_of(token, &actor), OK);
	move_clock_ms(1000);
	token_for("minami", "pupil", PUPIL_PASSWORD);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM auth.session"
				    " WHERE revoked_at IS NULL"),
		"50");
}

static void lists_my_live_sessions_newest_first(void **state)
{
	const char *token;
	settled_actor(&token);
	move_clock_ms(60000);
	struct actor actor;
	assert_int_equal(actor_of(token_for("minami", "teacher", GOOD_PASSWORD), &actor), OK);
	struct answer answer = ask("session_list", &actor, NULL, NULL);
	const struct json *items = json_member(answer.json, "items");
	assert_int_equal(json_count(items), 2);
	assert_string_equal(json_text(json_member(json_item(items, 0), "id")), actor.session_id);
	assert_string_not_equal(
		json_text(json_member(json_item(items, 1), "id")), actor.session_id);
}

static void one_of_my_sessions_can_be_ended_from_another(void **state)
{
	const char *token;
	struct actor first = settled_actor(&token), second;
	const char *newer = token_for("minami", "teacher", GOOD_PASSWORD);
	assert_int_equal(actor_of(newer, &second), OK);
	struct answer answer =
		ask("session_revoke", &second, printf_text("sessionId=%s", first.session_id), NULL);
	assert_int_equal(answer.reply.status, 204);
	assert_string_equal(tried_token(token), "unauthenticated");
	assert_string_equal(tried_token(newer), "ok");
	answer =
		ask("session_revoke", &second, printf_text("sessionId=%s", first.session_id), NULL);
	assert_int_equal(answer.reply.status, 404);
}

/* Of a colleague or of another school: like a session that never was. */
static void sessions_of_others_do_not_exist(void **state)
{
	const char *token;
	struct actor mine = settled_actor(&token), colleague, stranger;
	assert_int_equal(actor_of(token_for("minami", "pupil", secrets.pupil), &colleague), OK);
	assert_int_equal(actor_of(token_for("kita", "head", secrets.other_head), &stranger), OK);
	const char *const ids[] = { colleague.session_id, stranger.session_id,
		"01890000-0000-7000-8000-00000000ffff" };
	const char *first = NULL;
	for (unsigned i = 0; i < 3; i++) {
		struct answer answer =
			ask("session_revoke", &mine, printf_text("sessionId=%s", ids[i]), NULL);
		assert_int_equal(answer.reply.status, 404);
		const char *text = text_without_trace(&answer);
		assert_string_equal(text, first ? first : text);
		first = text;
	}
	assert_int_equal(ask("session_get", &colleague, NULL, NULL).reply.status, 200);
}

static void idle_session_is_refused(void **state)
{
	const char *head = token_for("minami", "head", secrets.head);
	const char *pupil = token_for("minami", "pupil", secrets.pupil);
	wait_ms(14 * MINUTE_MS);
	assert_string_equal(tried_token(head), "ok"); /* and is awake again */
	wait_ms(14 * MINUTE_MS);
	assert_string_equal(tried_token(head), "ok");
	assert_string_equal(tried_token(pupil), "ok");
	wait_ms(16 * MINUTE_MS);
	assert_string_equal(tried_token(head), "unauthenticated");
	assert_string_equal(tried_token(pupil), "ok");
	wait_ms(31 * MINUTE_MS);
	assert_string_equal(tried_token(pupil), "unauthenticated");
}

static void busy_session_ends_all_the_same(void **state)
{
	const char *token = token_for("minami", "pupil", secrets.pupil);
	for (unsigned i = 0; i < 20; i++) { /* ten o'clock to twenty to five */
		wait_ms(20 * MINUTE_MS);
		assert_string_equal(tried_token(token), "ok");
	}
	wait_ms(21 * MINUTE_MS);
	assert_string_equal(tried_token(token), "unauthenticated");
}

static const char *last_seen(void)
{
	return test_sql_text(&test, "SELECT last_seen_at FROM auth.session");
}

static void being_seen_is_written_once_a_minute(void **state)
{
	const char *token = token_for("minami", "head", secrets.head);
	const char *begin = last_seen();
	wait_ms(59000);
	assert_string_equal(tried_token(token), "ok");
	assert_string_equal(begin, last_seen());
	wait_ms(2000);
	assert_string_equal(tried_token(token), "ok");
	assert_string_not_equal(begin, last_seen());
}

static enum err watch(const char *token)
{
	return ask("capability_mint", NULL, NULL,
		printf_text("{\"token\":\"%s\",\"watching\":true}", token))
		.reply.err;
}

static void open_page_does_not_keep_a_session_alive(void **state)
{
	const char *token = token_for("minami", "head", secrets.head), *entry;
	assert_int_equal(watch(token), OK);
	assert_int_not_equal(cache_get(test.cache, test.arena, entry_key_of(token), &entry), OK);
	for (unsigned i = 0; i < 2; i++) {
		wait_ms(7 * MINUTE_MS);
		assert_int_equal(watch(token), OK);
	}
	wait_ms(2 * MINUTE_MS);
	assert_int_equal(watch(token), ERR_UNAUTHENTICATED);
}

static void capability_ends_before_its_session_does(void **state)
{
	struct actor actor;
	const char *token = token_for("minami", "pupil", secrets.pupil);
	int64_t end_ms = clock_unix_ms() + CAPABILITY_LIFETIME_MS / 2;
	test_sql(&test,
		printf_text("UPDATE auth.session SET expires_at = to_timestamp(%" PRId64
			    "::float8 / 1000)",
			end_ms));
	assert_int_equal(actor_of(token, &actor), OK);
	assert_in_range(actor.expires_unix_ms, end_ms - 1, end_ms); /* the database rounds */
}

static void service_acts_under_the_name_that_the_bus_knows(void **state)
{
	struct actor actor;
	struct answer answer = ask_as("learning", "service_capability_mint", NULL, NULL,
		"{\"tenantId\":\"" TEST_TENANT "\"}");
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(capability_verify(test.arena, test.public_key,
				 text_in(&answer, "capability"), clock_unix_ms(), &actor),
		OK);
	assert_string_equal(actor.user_id, "learning");
	assert_int_equal(actor.role, ROLE_SERVICE);
	assert_string_equal(actor.tenant_id, TEST_TENANT);
	answer = ask_as("gateway", "service_capability_mint", NULL, NULL,
		"{\"tenantId\":\"" TEST_TENANT "\"}");
	assert_int_equal(answer.reply.status, 403);
	answer = ask_as("learning", "capability_mint", NULL, NULL, "{\"token\":\"x\"}");
	assert_int_equal(answer.reply.status, 403);
}

static void ended_sessions_are_swept(void **state)
{
	bool more;
	token_for("minami", "pupil", secrets.pupil);
	token_for("minami", "head", secrets.head);
	test_sql(&test,
		"UPDATE auth.session SET expires_at = now() - interval '2 days'"
		" WHERE user_id = '" PUPIL "'");
	test_sql(
		&test, "INSERT INTO auth.throttle VALUES ('\\x00', 1, '2020-01-01', '2020-01-01')");
	struct call c = test_call(&test, NULL);
	assert_int_equal(session_expire(&c, &more), OK);
	assert_int_equal(db_commit(&c), OK);
	assert_string_equal(test_sql_text(&test,
				    "SELECT string_agg(user_id::text, ',')"
				    " FROM auth.session"),
		HEAD);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM auth.throttle"), "0");
}

/* ---- the password once more ---- */

static struct answer step_up(const struct actor *actor, const char *password)
{
	return ask("session_step_up", actor, NULL, printf_text("{\"password\":\"%s\"}", password));
}

static int64_t password_age_ms(const char *token)
{
	struct actor actor;
	assert_int_equal(actor_of(token, &actor), OK);
	return clock_unix_ms() - actor.authenticated_unix_ms;
}

static void login_and_step_up_are_told_with_their_time(void **state)
{
	const char *token;
	settled_actor(&token);
	assert_in_range(password_age_ms(token), 0, MINUTE_MS);
	wait_ms(10 * MINUTE_MS);
	assert_in_range(password_age_ms(token), 10 * MINUTE_MS, 11 * MINUTE_MS);
	struct actor actor;
	assert_int_equal(actor_of(token, &actor), OK);
	struct answer answer = step_up(&actor, GOOD_PASSWORD);
	assert_int_equal(answer.reply.status, 200);
	assert_in_range(password_age_ms(text_in(&answer, "token")), 0, MINUTE_MS);
}

static void step_up_gives_the_session_another_token(void **state)
{
	const char *token;
	struct actor actor = settled_actor(&token), renewed;
	const char *elsewhere = token_for("minami", "teacher", GOOD_PASSWORD);
	struct answer answer = step_up(&actor, GOOD_PASSWORD);
	assert_int_equal(actor_of(text_in(&answer, "token"), &renewed), OK);
	assert_string_equal(renewed.session_id, actor.session_id);
	assert_string_equal(tried_token(token), "unauthenticated");
	assert_string_equal(answer.call.pushes->topic, "session.revoked");
	assert_string_equal(tried_token(elsewhere), "ok");
}

static void step_up_is_no_way_to_guess(void **state)
{
	const char *token;
	struct actor actor = settled_actor(&token);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(step_up(&actor, "not this one at all").reply.status, 422);
	/* (The wait is made longer than a slow machine.) */
	test_sql(&test,
		"UPDATE auth.throttle SET next_attempt_at = next_attempt_at + interval '1 day'");
	assert_int_equal(step_up(&actor, GOOD_PASSWORD).reply.status, 429);
	assert_string_equal(tried_token(token), "ok");
}

static void one_time_secret_is_no_step_up(void **state)
{
	struct actor actor;
	assert_int_equal(actor_of(token_for("minami", "teacher", secrets.teacher), &actor), OK);
	struct answer answer = step_up(&actor, secrets.teacher);
	assert_int_equal(answer.reply.status, 403);
	assert_string_equal(text_in(&answer, "code"), "password_change_required");
}

static void step_up_is_recorded_as_a_logon(void **state)
{
	const char *token;
	struct actor actor = settled_actor(&token);
	assert_int_equal(step_up(&actor, GOOD_PASSWORD).reply.status, 200);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM auth.outbox WHERE kind = 'audit'"
				    " AND body LIKE '%session_step_up%\"class_uid\":3002%'"
				    " OR body LIKE '%\"class_uid\":3002%session_step_up%'"),
		"1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(session_says_who_i_am),
		FACT(tokens_that_are_none_are_refused),
		FACT(ended_session_is_over_and_its_cookie_cleared),
		FACT(gateways_are_told_of_the_end),
		FACT(revoked_session_is_refused_even_from_the_cache),
		FACT(cached_capability_is_given_again),
		FACT(what_was_cached_before_the_clock_was_set_back_is_made_anew),
		FACT(entries_of_the_cache_are_sealed_for_their_session),
		FACT(nobody_has_more_than_fifty_sessions),
		FACT(lists_my_live_sessions_newest_first),
		FACT(one_of_my_sessions_can_be_ended_from_another),
		FACT(sessions_of_others_do_not_exist),
		FACT(idle_session_is_refused),
		FACT(busy_session_ends_all_the_same),
		FACT(being_seen_is_written_once_a_minute),
		FACT(open_page_does_not_keep_a_session_alive),
		FACT(capability_ends_before_its_session_does),
		FACT(service_acts_under_the_name_that_the_bus_knows),
		FACT(ended_sessions_are_swept),
		FACT(login_and_step_up_are_told_with_their_time),
		FACT(step_up_gives_the_session_another_token),
		FACT(step_up_is_no_way_to_guess),
		FACT(one_time_secret_is_no_step_up),
		FACT(step_up_is_recorded_as_a_logon),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
