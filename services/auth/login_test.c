/* Facts about logging in. */
#include <stdio.h>
#include <unistd.h>

#include "libcommon/keyring_slots.h"
#include "services/auth/auth_test.h"

static void one_time_secret_only_lets_its_owner_replace_it(void **state)
{
	struct actor actor;
	struct answer answer = log_in("minami", "head", secrets.head);
	assert_int_equal(answer.reply.status, 200);
	assert_string_equal(text_in(&answer, "userId"), HEAD);
	assert_string_equal(text_in(&answer, "role"), "contractor");
	assert_int_equal(actor_of(text_in(&answer, "token"), &actor), OK);
	assert_true(actor.initial);
	answer = ask("session_list", &actor, NULL, NULL);
	assert_int_equal(answer.reply.status, 403);
	assert_string_equal(text_in(&answer, "code"), "password_change_required");
	assert_int_equal(ask("session_get", &actor, NULL, NULL).reply.status, 200);
}

static void names_are_read_without_case_and_secrets_without_hyphens(void **state)
{
	char *secret = arena_strdup(test.arena, secrets.head);
	for (char *at = secret; *at; at++)
		*at = *at == '-' ? ' ' : *at >= 'a' ? (char)(*at - 32) : *at;
	assert_int_equal(log_in("MINAMI", "Head", secret).reply.status, 200);
}

static void token_comes_as_one_strict_cookie_or_in_the_body(void **state)
{
	struct answer answer = ask("session_create", NULL, NULL,
		printf_text("{\"tenantCode\":\"minami\",\"username\":\"head\",\"password\":\"%s\"}",
			secrets.head));
	assert_int_equal(answer.reply.status, 200);
	assert_null(text_in(&answer, "token"));
	static const char before[] = "Set-Cookie: __Host-sid=";
	static const char after[] = "; Path=/; Secure; HttpOnly; SameSite=Lax\r\n";
	const char *headers = answer.reply.headers.data;
	assert_memory_equal(headers, before, sizeof before - 1);
	assert_string_equal(headers + sizeof before - 1 + 43, after);

	answer = log_in("minami", "head", secrets.head);
	assert_int_equal(strlen(text_in(&answer, "token")), 43);
	assert_int_equal(answer.reply.headers.n, 0);
}

static void token_is_stored_only_as_its_hash(void **state)
{
	unsigned char hash[HASH_SIZE];
	const char *token = token_for("minami", "head", secrets.head);
	crypto_sha256(token, strlen(token), hash);
	assert_string_equal(
		test_sql_text(&test, "SELECT encode(token_hash, 'hex') FROM auth.session"),
		crypto_hex(test.arena, hash, sizeof hash));
}

static void a_secret_that_nobody_used_is_void_after_30_days(void **state)
{
	static const int64_t day_ms = 86400000, minute_ms = 60000;
	clock_shift_ms(30 * day_ms - 5 * minute_ms);
	assert_int_equal(log_in("minami", "head", secrets.head).reply.status, 200);
	clock_shift_ms(5 * minute_ms); /* less than a used one works again */
	assert_int_equal(log_in("minami", "head", secrets.head).reply.status, 401);
	clock_shift_ms(-30 * day_ms);
}

/* Status, headers and body are the same, whatever was wrong. */
static void every_refusal_reads_the_same(void **state)
{
	settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	test_sql(&test, "UPDATE auth.account SET status = 'suspended' WHERE id = '" PUPIL "'");
	test_sql(&test,
		"UPDATE auth.account SET secret_expires_at = '2020-01-01'"
		" WHERE id = '" OTHER_HEAD "'");
	const struct {
		const char *code, *username, *password;
	} rows[] = {
		{ "minami", "teacher", "wrong horse battery 9" },
		{ "minami", "teacher", secrets.teacher }, /* replaced */
		{ "minami", "nobody", GOOD_PASSWORD },
		{ "nowhere", "teacher", GOOD_PASSWORD },
		{ "kita", "teacher", GOOD_PASSWORD }, /* of another school */
		{ "minami", "head", "2222-2222-2222-2222" },
		{ "minami", "pupil", secrets.pupil }, /* suspended */
		{ "kita", "head", secrets.other_head }, /* void */
		{ "manabiya", "operator", GOOD_PASSWORD },
	};
	const char *first = NULL;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer = log_in(rows[i].code, rows[i].username, rows[i].password);
		assert_int_equal(answer.reply.status, 401);
		assert_string_equal(text_in(&answer, "code"), "login_failed");
		const char *text = text_without_trace(&answer);
		assert_string_equal(text, first ? first : text);
		first = text;
	}
}

/* A lost answer may be fetched again, a found slip of paper is worth nothing. */
static void one_time_secret_works_again_for_ten_minutes_only(void **state)
{
	struct actor actor;
	const char *token = token_for("minami", "pupil", secrets.pupil);
	const char *again = token_for("minami", "pupil", secrets.pupil);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(actor_of(again, &actor), OK);
	test_sql(&test,
		"UPDATE auth.account SET secret_used_at = secret_used_at"
		" - interval '11 minutes' WHERE id = '" PUPIL "'");
	assert_int_equal(log_in("minami", "pupil", secrets.pupil).reply.status, 401);
}

/* Waits begin so short that a slow machine outlasts them. */
static void make_waits_long(void)
{
	test_sql(&test,
		"UPDATE auth.throttle SET next_attempt_at = next_attempt_at"
		" + interval '100 days' WHERE failures >= 5");
}

static void guesses_are_slowed_down_whether_or_not_the_name_exists(void **state)
{
	static const char *const names[] = { "pupil", "nobody" };
	const char *refusals[2] = { NULL, NULL };
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned n = 0; n < 5; n++)
			assert_int_equal(
				log_in("minami", names[i], "wrong-guess").reply.status, 401);
		make_waits_long();
		struct answer answer = log_in("minami", names[i], "wrong-guess");
		assert_int_equal(answer.reply.status, 429);
		assert_string_equal(text_in(&answer, "code"), "too_many_attempts");
		assert_memory_equal(answer.reply.headers.data, "Retry-After: ", 13);
		answer.reply.headers.data = NULL; /* the seconds went on between the two */
		refusals[i] = text_without_trace(&answer);
	}
	assert_string_equal(refusals[0], refusals[1]);
	/* The right secret has to wait too, and then forgets the failures. */
	assert_int_equal(log_in("minami", "pupil", secrets.pupil).reply.status, 429);
	test_sql(&test, "UPDATE auth.throttle SET next_attempt_at = '2020-01-01'");
	assert_int_equal(log_in("minami", "pupil", secrets.pupil).reply.status, 200);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM auth.throttle"), "1");
}

static void cache_may_be_dead(void **state)
{
	struct actor actor;
	cache_close(test.cache);
	test.cache = cache_open("/nowhere/redis.sock", NULL);
	const char *token = token_for("minami", "head", secrets.head);
	assert_int_equal(actor_of(token, &actor), OK);
	assert_int_equal(ask("session_end", &actor, NULL, NULL).reply.status, 204);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(log_in("minami", "head", "wrong").reply.status, 401);
}

static void only_privileged_logins_are_told(void **state)
{
	token_for("minami", "teacher", secrets.teacher);
	static const char count[] =
		"SELECT count(*) FROM auth.outbox WHERE type = 'privileged.login'";
	assert_string_equal(test_sql_text(&test, count), "0");
	token_for("minami", "head", secrets.head);
	assert_string_equal(test_sql_text(&test, count), "1");
	assert_string_equal(
		test_sql_text(&test,
			"SELECT concat(tenant_id, body::json->>'userId') FROM auth.outbox"
			" WHERE type = 'privileged.login'"),
		TEST_TENANT HEAD);
}

static const char *last_record(const char *path)
{
	return test_sql_text(&test,
		printf_text("SELECT coalesce(tenant_id::text, '-') || ' ' || (body::json #>> '%s')"
			    " FROM auth.outbox WHERE kind = 'audit' AND body LIKE"
			    " '%%auth.session_create%%' ORDER BY id DESC LIMIT 1",
			path));
}

static void logins_are_recorded_where_they_belong(void **state)
{
	log_in("minami", "teacher", "wrong");
	assert_string_equal(last_record("{status_code}"), TEST_TENANT " login_failed");
	assert_string_equal(last_record("{user,uid}"), TEST_TENANT " " TEACHER);
	log_in("minami", "nobody", "wrong");
	assert_string_equal(last_record("{status_code}"), TEST_TENANT " login_failed");
	log_in("nowhere", "teacher", "wrong");
	assert_string_equal(last_record("{status_code}"), "- login_failed");
	token_for("minami", "teacher", secrets.teacher);
	assert_string_equal(last_record("{status_id}"), TEST_TENANT " 1");
	assert_string_equal(last_record("{actor,user,uid}"), TEST_TENANT " " TEACHER);
}

static const char *stored_password(const char *user_id)
{
	return test_sql_text(&test,
		printf_text("SELECT encode(password, 'hex') FROM auth.account WHERE id = '%s'",
			user_id));
}

static void password_is_hashed_anew_when_the_cost_rises(void **state)
{
	char phc[PASSWORD_HASH_SIZE];
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	assert_int_equal(crypto_password_hash(PUPIL_PASSWORD, 1, 8192 * 1024, phc), OK);
	const char *sealed;
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	assert_int_equal(password_seal(&c, TEST_TENANT, PUPIL, phc, &sealed), OK);
	test_sql(&test,
		printf_text(
			"UPDATE auth.account SET password = '%s' WHERE id = '" PUPIL "'", sealed));
	const char *before = stored_password(PUPIL);
	token_for("minami", "pupil", PUPIL_PASSWORD);
	const char *after = stored_password(PUPIL), *opened;
	assert_string_not_equal(before, after);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, after, &opened), OK);
	assert_memory_equal(opened, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	token_for("minami", "pupil", PUPIL_PASSWORD);
	assert_string_equal(after, stored_password(PUPIL));
}

/* A hash that somebody copied to another account in the database opens nothing. */
static void stolen_hash_does_not_fit_another_account(void **state)
{
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	test_sql(&test,
		"UPDATE auth.account SET password = (SELECT password FROM auth.account"
		" WHERE id = '" PUPIL "') WHERE id = '" TEACHER "'");
	assert_int_equal(log_in("minami", "teacher", PUPIL_PASSWORD).reply.status, 500);
}

static const char *salt_file(void)
{
	return printf_text("%s/" TEST_TENANT ".login", auth_conf.keyring);
}

/* What an old backup still has of an erased tenant is noise to who has all keys of auth. */
static void with_its_tenants_salt_a_hash_is_gone(void **state)
{
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	const char *stored = stored_password(PUPIL), *opened;
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, stored, &opened), OK);
	assert_memory_equal(opened, "$argon2id$", 10);
	assert_int_equal(unlink(salt_file()), 0);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, stored, &opened), ERR_NOT_FOUND);
	assert_null(opened);
	assert_int_equal(password_seal(&c, TEST_TENANT, PUPIL, "$", &opened), ERR_UNAVAILABLE);
	FILE *other = fopen(salt_file(), "w");
	assert_non_null(other);
	assert_true(fputs("thirty-two bytes, but not those.", other) > 0 && fclose(other) == 0);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, stored, &opened), ERR_INTERNAL);
}

/* So is one child's, while the classmate's opens. */
static void with_its_users_slot_a_hash_is_gone(void **state)
{
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	const char *pupils = stored_password(PUPIL), *teachers = stored_password(TEACHER), *opened;
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, pupils, &opened), OK);
	assert_memory_equal(opened, "$argon2id$", 10);
	assert_int_equal(keyring_user_erase(provisioned, TEST_TENANT, PUPIL), OK);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, pupils, &opened), ERR_NOT_FOUND);
	assert_null(opened);
	assert_int_equal(password_seal(&c, TEST_TENANT, PUPIL, "$", &opened), ERR_UNAVAILABLE);
	assert_int_equal(password_unseal(&c, TEST_TENANT, TEACHER, teachers, &opened), OK);
	assert_memory_equal(opened, "$argon2id$", 10);
}

static void read_slots(struct keyring_slot slots[3])
{
	FILE *file = fopen(printf_text("%s/" TEST_TENANT ".users", auth_conf.keyring), "r+");
	assert_non_null(file);
	assert_int_equal(fread(slots, sizeof(*slots), 3, file), 3);
	assert_int_equal(fclose(file), 0);
}

static void write_slots(const struct keyring_slot slots[3])
{
	FILE *file = fopen(printf_text("%s/" TEST_TENANT ".users", auth_conf.keyring), "r+");
	assert_non_null(file);
	assert_int_equal(fwrite(slots, sizeof(*slots), 3, file), 3);
	assert_int_equal(fclose(file), 0);
}

/* What is left of an erased child is to be guessed at with nobody else's. */
static void another_users_slot_opens_nothing(void **state)
{
	struct keyring_slot slots[3];
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	const char *stored = stored_password(PUPIL), *opened;
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	read_slots(slots); /* HEAD's, TEACHER's, PUPIL's */
	const struct keyring_slot pupils = slots[2];
	memcpy(slots[2].salt, slots[1].salt, USER_SALT_SIZE);
	keyring_slot_seal(&slots[2]);
	write_slots(slots);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, stored, &opened), ERR_INTERNAL);
	slots[2] = pupils;
	write_slots(slots);
	assert_int_equal(password_unseal(&c, TEST_TENANT, PUPIL, stored, &opened), OK);
}

static void refused_like_nobody(const char *username, const char *password)
{
	struct answer nobody = log_in("minami", "nobody", password);
	struct answer found = log_in("minami", username, password);
	assert_int_equal(found.reply.status, 401);
	assert_string_equal(text_without_trace(&found), text_without_trace(&nobody));
}

/* Rows of before, as a backup that is put back has them, until provisioning erases them again. */
static void who_is_erased_is_refused_like_anybody(void **state)
{
	struct actor actor;
	const char *token = settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	assert_int_equal(actor_of(token, &actor), OK);
	assert_int_equal(keyring_user_erase(provisioned, TEST_TENANT, PUPIL), OK);
	assert_int_equal(keyring_user_erase(provisioned, TEST_TENANT, TEACHER), OK);
	refused_like_nobody("pupil", PUPIL_PASSWORD);
	refused_like_nobody("teacher", secrets.teacher);
	struct answer answer = change_password(&actor, PUPIL_PASSWORD, "another horse battery 8");
	assert_int_equal(answer.reply.status, 401);
}

/* An account without a password whose slot nobody made, because the user's making failed. */
static void who_has_no_slot_yet_is_refused_like_anybody(void **state)
{
	(void)put_account("01890000-0000-7000-8000-0000000000c4", "half", "student");
	refused_like_nobody("half", PUPIL_PASSWORD);
}

/* The salt goes between the search for the name and the opening of the hash: here the name is the
 * one that is looked for without a salt. */
static void who_is_found_when_the_salt_has_gone_is_refused_like_anybody(void **state)
{
	unsigned char key[KEY_SIZE];
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	struct call c = test_call(&test, NULL);
	db_rollback(test.db);
	assert_int_equal(unlink(salt_file()), 0);
	assert_int_equal(login_key_find(&c, TEST_TENANT, key), ERR_NOT_FOUND);
	test_sql(&test,
		printf_text("UPDATE auth.account SET login_index = '%s' WHERE id = '" PUPIL "'",
			login_index(&c, key, "pupil")));
	struct answer nobody = log_in("minami", "nobody", PUPIL_PASSWORD);
	struct answer found = log_in("minami", "pupil", PUPIL_PASSWORD);
	assert_string_equal(last_record("{user,uid}"), TEST_TENANT " " PUPIL);
	assert_int_equal(found.reply.status, 401);
	assert_string_equal(text_without_trace(&found), text_without_trace(&nobody));
}

static void each_login_begins_another_session(void **state)
{
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	struct actor one, two;
	assert_int_equal(actor_of(token_for("minami", "pupil", PUPIL_PASSWORD), &one), OK);
	assert_int_equal(actor_of(token_for("minami", "pupil", PUPIL_PASSWORD), &two), OK);
	assert_string_not_equal(one.session_id, two.session_id);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(one_time_secret_only_lets_its_owner_replace_it),
		FACT(names_are_read_without_case_and_secrets_without_hyphens),
		FACT(token_comes_as_one_strict_cookie_or_in_the_body),
		FACT(token_is_stored_only_as_its_hash),
		FACT(a_secret_that_nobody_used_is_void_after_30_days),
		FACT(every_refusal_reads_the_same),
		FACT(one_time_secret_works_again_for_ten_minutes_only),
		FACT(guesses_are_slowed_down_whether_or_not_the_name_exists),
		FACT(cache_may_be_dead),
		FACT(only_privileged_logins_are_told),
		FACT(logins_are_recorded_where_they_belong),
		FACT(password_is_hashed_anew_when_the_cost_rises),
		FACT(stolen_hash_does_not_fit_another_account),
		FACT(with_its_tenants_salt_a_hash_is_gone),
		FACT(with_its_users_slot_a_hash_is_gone),
		FACT(another_users_slot_opens_nothing),
		FACT(who_is_erased_is_refused_like_anybody),
		FACT(who_has_no_slot_yet_is_refused_like_anybody),
		FACT(who_is_found_when_the_salt_has_gone_is_refused_like_anybody),
		FACT(each_login_begins_another_session),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
