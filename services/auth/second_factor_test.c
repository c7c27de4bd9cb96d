/* Facts about the second factor: how it begins, what it is asked for, how it ends. */
#include "services/auth/auth_test.h"

#include <unistd.h>

#define STEP_MS 30000

/* The teacher's app: the secret that it was shown. */
static unsigned char app[TOTP_SECRET_SIZE];

static void put_into_app(const char *text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned bits = 0, held = 0;
	assert_int_equal(strlen(text), 32);
	for (size_t n = 0; *text; text++) {
		held = held << 5 | (unsigned)(strchr(alphabet, *text) - alphabet);
		for (bits += 5; bits >= 8; bits -= 8)
			app[n++] = (unsigned char)(held >> (bits - 8));
	}
}

static const char *code_now(void)
{
	return totp_code(test.arena, app, totp_step(clock_unix_ms()));
}

/* The next code of the app; every one is good once. */
static const char *next_code(void)
{
	move_clock_ms(STEP_MS);
	return code_now();
}

static struct answer confirm(const struct actor *actor, const char *code)
{
	return ask("second_factor_confirm", actor, NULL, printf_text("{\"code\":\"%s\"}", code));
}

static struct actor actor_for(const char *token)
{
	struct actor actor;
	assert_int_equal(actor_of(token, &actor), OK);
	return actor;
}

/* Sets a second factor up for whoever it is; the answer holds the recovery codes and the token. */
#define TEACHER_NAME "{\"username\":\"Teacher\"}"

static struct answer enrol(const struct actor *actor)
{
	struct answer answer = ask("second_factor_enrol", actor, NULL, TEACHER_NAME);
	assert_int_equal(answer.reply.status, 200);
	put_into_app(text_in(&answer, "secret"));
	answer = confirm(actor, next_code());
	assert_int_equal(answer.reply.status, 200);
	return answer;
}

static struct answer enrolled_teacher(void)
{
	struct actor actor = actor_for(settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD));
	return enrol(&actor);
}

static struct answer show(const char *challenge, const char *code)
{
	return ask("session_second_factor", NULL, NULL,
		printf_text("{\"challenge\":\"%s\",\"code\":\"%s\"}", challenge, code));
}

static const char *challenge_for(const char *username, const char *password)
{
	struct answer answer = log_in("minami", username, password);
	assert_int_equal(answer.reply.status, 200);
	assert_null(text_in(&answer, "token"));
	assert_non_null(text_in(&answer, "challenge"));
	return text_in(&answer, "challenge");
}

static const char *recovery_code(const struct answer *answer, size_t i)
{
	return json_text(json_item(json_member(answer->json, "recoveryCodes"), i));
}

/* ---- setting up ---- */

static void it_counts_once_a_code_has_confirmed_it(void **state)
{
	const char *token = settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	struct actor actor = actor_for(token);
	const char *other = token_for("minami", "teacher", GOOD_PASSWORD);
	assert_int_equal(actor.factors, 1);
	struct answer answer = ask("second_factor_enrol", &actor, NULL, "{\"username\":\"head\"}");
	assert_int_equal(answer.reply.status, 422); /* somebody else's name */
	answer = ask("second_factor_enrol", &actor, NULL, TEACHER_NAME);
	put_into_app(text_in(&answer, "secret"));
	assert_string_equal(
		text_in(&answer, "uri"), totp_uri(test.arena, app, "minami", "Teacher"));
	(void)token_for("minami", "teacher", GOOD_PASSWORD); /* not yet */
	answer = confirm(&actor, "000000");
	assert_int_equal(answer.reply.status, 422);
	answer = confirm(&actor, code_now());
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(json_count(json_member(answer.json, "recoveryCodes")), 10);
	assert_int_equal(strlen(recovery_code(&answer, 0)), 29);
	/* This session goes on with more rights under another token; the others are over. */
	assert_int_equal(actor_for(text_in(&answer, "token")).factors, 2);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(actor_of(other, &actor), ERR_UNAUTHENTICATED);
	(void)challenge_for("teacher", GOOD_PASSWORD);
}

static void the_secret_is_stored_sealed_and_the_codes_hashed(void **state)
{
	struct answer answer = enrolled_teacher();
	const char *stored = test_sql_text(&test, "SELECT encode(secret, 'hex') FROM auth.totp");
	assert_null(strstr(stored, crypto_hex(test.arena, app, sizeof app)));
	assert_int_equal(strlen(stored), 2 * (TOTP_SECRET_SIZE + SEAL_OVERHEAD));
	assert_string_equal(
		test_sql_text(&test,
			printf_text("SELECT count(*) FROM auth.recovery_code WHERE position('%s'"
				    " IN encode(code_hash, 'escape')) > 0",
				recovery_code(&answer, 0))),
		"0");
}

/* Copied to another account it does not open. */
static void a_sealed_secret_belongs_to_its_account(void **state)
{
	unsigned char secret[TOTP_SECRET_SIZE] = { 7 }, opened[TOTP_SECRET_SIZE];
	struct call c = test_call(&test, NULL);
	const char *sealed;
	assert_int_equal(totp_seal(&c, TEST_TENANT, TEACHER, secret, &sealed), OK);
	sealed += 2; /* \x */
	assert_int_equal(totp_unseal(&c, TEST_TENANT, TEACHER, sealed, opened), OK);
	assert_memory_equal(opened, secret, sizeof secret);
	assert_int_equal(totp_unseal(&c, TEST_TENANT, PUPIL, sealed, opened), ERR_INTERNAL);
	assert_int_equal(keyring_user_create(provisioned, TEST_OTHER_TENANT,
				 (const char *const[]){ TEACHER }, 1),
		OK);
	assert_int_equal(totp_unseal(&c, TEST_OTHER_TENANT, TEACHER, sealed, opened), ERR_INTERNAL);
}

/* Opened before, and after `erase` no more: not even to who has the password's half of a login. */
static void is_gone_after(void (*erase)(void))
{
	unsigned char opened[TOTP_SECRET_SIZE];
	enrolled_teacher();
	const char *challenge = challenge_for("teacher", GOOD_PASSWORD);
	const char *sealed = test_sql_text(&test, "SELECT encode(secret, 'hex') FROM auth.totp");
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	assert_int_equal(totp_unseal(&c, TEST_TENANT, TEACHER, sealed, opened), OK);
	assert_memory_equal(opened, app, sizeof opened);
	erase();
	assert_int_equal(totp_unseal(&c, TEST_TENANT, TEACHER, sealed, opened), ERR_NOT_FOUND);
	struct answer answer = show(challenge, next_code());
	assert_int_equal(answer.reply.status, 401);
	assert_string_equal(text_in(&answer, "code"), "code_wrong");
}

static void remove_salt(void)
{
	assert_int_equal(unlink(printf_text("%s/" TEST_TENANT ".login", auth_conf.keyring)), 0);
}

static void erase_teacher(void)
{
	assert_int_equal(keyring_user_erase(provisioned, TEST_TENANT, TEACHER), OK);
}

/* As a hash does, so that of an erased tenant no backup gives one. */
static void a_sealed_secret_goes_with_its_tenants_salt(void **state)
{
	is_gone_after(remove_salt);
}

static void a_sealed_secret_goes_with_its_users_slot(void **state)
{
	is_gone_after(erase_teacher);
}

static void setting_up_needs_the_password_anew_and_happens_once(void **state)
{
	struct answer enrolled = enrolled_teacher();
	struct actor actor = actor_for(text_in(&enrolled, "token")), stale = actor;
	struct answer answer = ask("second_factor_enrol", &actor, NULL, TEACHER_NAME);
	assert_int_equal(answer.reply.status, 409);
	assert_string_equal(text_in(&answer, "code"), "second_factor_exists");
	stale.authenticated_unix_ms -= 6 * MINUTE_MS;
	static const char *const dangerous[] = { "second_factor_enrol", "second_factor_remove",
		"recovery_code_renew" };
	for (size_t i = 0; i < 3; i++) {
		answer = ask(dangerous[i], &stale, NULL, NULL);
		assert_string_equal(text_in(&answer, "code"), "step_up_required");
	}
	answer = confirm(&stale, code_now());
	assert_string_equal(text_in(&answer, "code"), "step_up_required");
}

static void pupils_have_none(void **state)
{
	struct actor pupil = test_actor(&test, TEST_TENANT, PUPIL, ROLE_STUDENT);
	assert_int_equal(ask("second_factor_enrol", &pupil, NULL, TEACHER_NAME).reply.status, 403);
}

/* ---- logging in ---- */

static void a_login_is_complete_with_a_code_only(void **state)
{
	enrolled_teacher();
	struct answer answer = show(challenge_for("teacher", GOOD_PASSWORD), next_code());
	assert_int_equal(answer.reply.status, 200);
	struct actor actor = actor_for(text_in(&answer, "token"));
	assert_int_equal(actor.factors, 2);
	answer = ask("session_get", &actor, NULL, NULL);
	assert_int_equal(json_integer(json_member(answer.json, "factors"), 0), 2);
}

static void a_challenge_is_no_token(void **state)
{
	struct actor actor;
	enrolled_teacher();
	const char *challenge = challenge_for("teacher", GOOD_PASSWORD);
	assert_int_equal(
		actor_of(arena_strndup(test.arena, challenge, 43), &actor), ERR_UNAUTHENTICATED);
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM auth.session WHERE revoked_at IS NULL"),
		"1"); /* that which confirmed */
}

static void each_code_is_good_once(void **state)
{
	enrolled_teacher();
	/* Neither again what confirmed, nor one from before it. */
	assert_int_equal(
		show(challenge_for("teacher", GOOD_PASSWORD), code_now()).reply.status, 401);
	const char *code = next_code();
	assert_int_equal(show(challenge_for("teacher", GOOD_PASSWORD), code).reply.status, 200);
	struct answer answer = show(challenge_for("teacher", GOOD_PASSWORD), code);
	assert_int_equal(answer.reply.status, 401);
	assert_string_equal(text_in(&answer, "code"), "code_wrong");
	const char *before = totp_code(test.arena, app, totp_step(clock_unix_ms()) - 1);
	assert_int_equal(show(challenge_for("teacher", GOOD_PASSWORD), before).reply.status, 401);
}

static void a_recovery_code_is_good_once_however_it_is_typed(void **state)
{
	struct answer enrolled = enrolled_teacher();
	char *code = arena_strdup(test.arena, recovery_code(&enrolled, 3));
	for (char *at = code; *at; at++)
		*at = *at == '-' ? ' ' : *at >= 'a' ? (char)(*at - 32) : *at;
	assert_int_equal(show(challenge_for("teacher", GOOD_PASSWORD), code).reply.status, 200);
	assert_int_equal(show(challenge_for("teacher", GOOD_PASSWORD), code).reply.status, 401);
	struct actor actor = actor_for(text_in(&enrolled, "token"));
	struct answer answer = ask("second_factor_get", &actor, NULL, NULL);
	assert_int_equal(json_integer(json_member(answer.json, "recoveryCodesLeft"), 0), 9);
	answer = ask("recovery_code_renew", &actor, NULL, NULL);
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(show(challenge_for("teacher", GOOD_PASSWORD), recovery_code(&answer, 4))
				 .reply.status,
		200);
	assert_int_equal(show(challenge_for("teacher", GOOD_PASSWORD), recovery_code(&enrolled, 5))
				 .reply.status,
		401);
}

static void a_challenge_is_good_for_five_minutes_and_for_its_account_as_it_was(void **state)
{
	enrolled_teacher();
	const char *challenge = challenge_for("teacher", GOOD_PASSWORD);
	move_clock_ms(5 * MINUTE_MS);
	struct answer answer = show(challenge, code_now());
	assert_int_equal(answer.reply.status, 401);
	assert_string_equal(text_in(&answer, "code"), "login_expired");

	challenge = challenge_for("teacher", GOOD_PASSWORD);
	test_sql(&test, "UPDATE auth.account SET version = version + 1 WHERE id = '" TEACHER "'");
	answer = show(challenge, next_code());
	assert_string_equal(text_in(&answer, "code"), "login_expired");

	char *forged = arena_strdup(test.arena, challenge_for("teacher", GOOD_PASSWORD));
	forged[50] = forged[50] == 'A' ? 'B' : 'A';
	answer = show(forged, next_code());
	assert_string_equal(text_in(&answer, "code"), "login_expired");
}

/* Who has the password gets no more tries at the code than at the password. */
static void guesses_at_the_code_are_slowed_down_like_those_at_the_password(void **state)
{
	enrolled_teacher();
	const char *challenge = challenge_for("teacher", GOOD_PASSWORD);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(show(challenge, "abcdef").reply.status, 401);
	test_sql(&test,
		"UPDATE auth.throttle SET next_attempt_at = next_attempt_at"
		" + interval '100 days' WHERE failures >= 5");
	struct answer answer = show(challenge, next_code());
	assert_int_equal(answer.reply.status, 429);
	assert_string_equal(text_in(&answer, "code"), "too_many_attempts");
	/* The right password does not forget them. */
	assert_int_equal(log_in("minami", "teacher", GOOD_PASSWORD).reply.status, 429);
}

static void a_wrong_password_reads_the_same_with_and_without(void **state)
{
	struct answer none = log_in("minami", "teacher", "wrong horse battery 9");
	enrolled_teacher();
	struct answer some = log_in("minami", "teacher", "wrong horse battery 9");
	assert_int_equal(some.reply.status, 401);
	assert_string_equal(text_without_trace(&none), text_without_trace(&some));
}

/* Whoever gets hold of a slip of paper with a new secret still has no telephone. */
static void a_new_one_time_secret_does_not_pass_it_by(void **state)
{
	struct actor head = head_actor();
	enrolled_teacher();
	struct answer answer = ask("account_secret_issue", &head, "userId=" TEACHER, NULL);
	assert_int_equal(answer.reply.status, 200);
	answer = show(challenge_for("teacher", text_in(&answer, "secret")), next_code());
	assert_int_equal(answer.reply.status, 200);
	assert_true(actor_for(text_in(&answer, "token")).initial);
}

/* ---- of whom it is wanted ---- */

static void policy_says_of_whom_it_is_wanted(void **state)
{
	static const struct {
		const char *option;
		enum err expected;
		bool operator, contractor, instructor;
	} rows[] = {
		{ "staff", OK, true, true, true },
		{ "privileged", OK, true, true, false },
		{ "none: a school of puppets", OK, false, false, false },
		{ "none", ERR_INVALID, false, false, false },
		{ "none: ", ERR_INVALID, false, false, false },
		{ "none:   ", ERR_INVALID, false, false, false },
		{ "everybody", ERR_INVALID, false, false, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		auth_conf.second_factor_required = rows[i].option;
		assert_int_equal(second_factor_policy_read(), rows[i].expected);
		assert_int_equal(second_factor_is_required(ROLE_OPERATOR), rows[i].operator);
		assert_int_equal(second_factor_is_required(ROLE_CONTRACTOR), rows[i].contractor);
		assert_int_equal(second_factor_is_required(ROLE_INSTRUCTOR), rows[i].instructor);
		assert_false(second_factor_is_required(ROLE_STUDENT));
		assert_false(second_factor_is_required(ROLE_SERVICE));
	}
}

static void capabilities_carry_it(void **state)
{
	struct actor teacher = actor_for(token_for("minami", "teacher", secrets.teacher));
	struct actor pupil = actor_for(token_for("minami", "pupil", secrets.pupil));
	assert_true(teacher.needs_second_factor);
	assert_int_equal(teacher.factors, 1);
	assert_false(pupil.needs_second_factor);
}

/* ---- the end of it ---- */

static void removed_it_is_asked_for_no_more_and_sessions_lose_what_it_gave(void **state)
{
	struct answer enrolled = enrolled_teacher();
	const char *token = text_in(&enrolled, "token");
	struct actor actor = actor_for(token);
	struct answer answer = show(challenge_for("teacher", GOOD_PASSWORD), next_code());
	const char *other = text_in(&answer, "token");
	assert_int_equal(ask("second_factor_remove", &actor, NULL, NULL).reply.status, 204);
	assert_int_equal(actor_for(token).factors, 1);
	assert_int_equal(actor_of(other, &actor), ERR_UNAUTHENTICATED);
	actor = actor_for(token_for("minami", "teacher", GOOD_PASSWORD));
	assert_int_equal(ask("second_factor_remove", &actor, NULL, NULL).reply.status, 404);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM auth.recovery_code"), "0");
}

static void an_administrator_takes_it_from_who_lost_it(void **state)
{
	struct answer enrolled = enrolled_teacher();
	struct actor head = head_actor(), one_factor = head, gone;
	struct actor stranger = test_actor(&test, TEST_OTHER_TENANT, OTHER_HEAD, ROLE_CONTRACTOR);
	head.factors = 2;
	head.needs_second_factor = one_factor.needs_second_factor = true;
	const char *params = "userId=" TEACHER;
	struct answer answer = ask("second_factor_reset", &one_factor, params, NULL);
	assert_string_equal(text_in(&answer, "code"), "second_factor_required");
	assert_int_equal(ask("second_factor_reset", &stranger, params, NULL).reply.status, 404);
	assert_int_equal(ask("second_factor_reset", &head, params, NULL).reply.status, 204);
	assert_int_equal(actor_of(text_in(&enrolled, "token"), &gone), ERR_UNAUTHENTICATED);
	(void)token_for("minami", "teacher", GOOD_PASSWORD);
	assert_int_equal(ask("second_factor_reset", &head, params, NULL).reply.status, 404);
	assert_string_equal(
		test_sql_text(&test,
			"SELECT count(*) > 0 FROM auth.outbox WHERE kind = 'audit'"
			" AND body LIKE '%auth.second_factor_reset%' AND"
			" body LIKE '%\"type_uid\":300111%' AND body LIKE '%" TEACHER "%'"),
		"t");
}

static void a_deleted_account_leaves_none(void **state)
{
	struct actor head = head_actor();
	enrolled_teacher();
	assert_int_equal(
		ask("account_status_put", &head, "userId=" TEACHER, "{\"status\":\"deleted\"}")
			.reply.status,
		204);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM auth.totp"), "0");
}

#define STORED "SELECT password = '\\x01' FROM auth.account WHERE id = '" TEACHER "'"

/* Its hash is one that a login makes anew; it is changed at the end of the login's first
 * transaction, while Argon2 runs. */
static void a_login_that_is_overtaken_brings_no_old_password_back(void **state)
{
	char phc[PASSWORD_HASH_SIZE];
	(void)enrolled_teacher();
	assert_int_equal(crypto_password_hash(GOOD_PASSWORD, 1, 8192 * 1024, phc), OK);
	const char *sealed;
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	assert_int_equal(password_seal(&c, TEST_TENANT, TEACHER, phc, &sealed), OK);
	test_sql(&test,
		printf_text("UPDATE auth.account SET password = '%s' WHERE id = '" TEACHER "'",
			sealed));
	test_sql(&test,
		"CREATE FUNCTION public.change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
		" AS $$ BEGIN UPDATE auth.account SET password = '\\x01', version = version + 1"
		" WHERE id = '" TEACHER "'; RETURN NULL; END $$;"
		"CREATE CONSTRAINT TRIGGER change AFTER INSERT ON auth.throttle"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.change()");
	const char *challenge = challenge_for("teacher", GOOD_PASSWORD);
	assert_string_equal(test_sql_text(&test, STORED), "t");
	assert_int_equal(show(challenge, next_code()).reply.status, 401);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(it_counts_once_a_code_has_confirmed_it),
		FACT(the_secret_is_stored_sealed_and_the_codes_hashed),
		FACT(a_sealed_secret_belongs_to_its_account),
		FACT(a_sealed_secret_goes_with_its_tenants_salt),
		FACT(a_sealed_secret_goes_with_its_users_slot),
		FACT(setting_up_needs_the_password_anew_and_happens_once),
		FACT(pupils_have_none),
		FACT(a_login_is_complete_with_a_code_only),
		FACT(a_challenge_is_no_token),
		FACT(each_code_is_good_once),
		FACT(a_recovery_code_is_good_once_however_it_is_typed),
		FACT(a_challenge_is_good_for_five_minutes_and_for_its_account_as_it_was),
		FACT(guesses_at_the_code_are_slowed_down_like_those_at_the_password),
		FACT(a_wrong_password_reads_the_same_with_and_without),
		FACT(a_new_one_time_secret_does_not_pass_it_by),
		FACT(policy_says_of_whom_it_is_wanted),
		FACT(capabilities_carry_it),
		FACT(removed_it_is_asked_for_no_more_and_sessions_lose_what_it_gave),
		FACT(an_administrator_takes_it_from_who_lost_it),
		FACT(a_deleted_account_leaves_none),
		FACT(a_login_that_is_overtaken_brings_no_old_password_back),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
