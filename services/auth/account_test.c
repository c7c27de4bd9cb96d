/* Facts about accounts, as provisioning changes them. */
#include "services/auth/auth_test.h"

#include <unistd.h>

#include "libcommon/keyring.h"

static struct answer put(const struct actor *actor, const char *accounts)
{
	return ask("account_put", actor, NULL, printf_text("{\"accounts\":[%s]}", accounts));
}

static const char *account(const char *user_id, const char *username, const char *role)
{
	return printf_text(
		"{\"userId\":\"%s\",\"username\":\"%s\",\"role\":\"%s\"}", user_id, username, role);
}

static size_t secrets_in(const struct answer *answer)
{
	return json_count(json_member(answer->json, "secrets"));
}

static void accounts_not_in_use_get_a_secret(void **state)
{
	struct actor actor = head_actor();
	(void)settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	struct answer answer = put(&actor,
		printf_text("%s,%s", account(PUPIL, "pupil2", "student"),
			account(NEW_USER, "new", "student")));
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(secrets_in(&answer), 1);
	const struct json *secret = json_item(json_member(answer.json, "secrets"), 0);
	assert_string_equal(json_text(json_member(secret, "userId")), NEW_USER);
	/* The renamed one keeps the password. */
	token_for("minami", "pupil2", PUPIL_PASSWORD);
}

static const char *only_secret(const struct answer *answer)
{
	assert_int_equal(secrets_in(answer), 1);
	return json_text(json_member(json_item(json_member(answer->json, "secrets"), 0), "secret"));
}

/* Who asks again was not told the first secret: nobody has it. */
static void a_repetition_brings_another_secret(void **state)
{
	struct actor actor = head_actor(), pupil;
	struct answer answer = put(&actor, account(NEW_USER, "new", "student"));
	const char *first = only_secret(&answer);
	const char *token = token_for("minami", "new", first);
	answer = put(&actor, account(NEW_USER, "new2", "student"));
	assert_int_equal(actor_of(token, &pupil), ERR_UNAUTHENTICATED);
	assert_int_equal(log_in("minami", "new2", first).reply.status, 401);
	(void)settle("minami", "new2", only_secret(&answer), PUPIL_PASSWORD);
	answer = put(&actor, account(NEW_USER, "new2", "student"));
	assert_int_equal(secrets_in(&answer), 0);
}

static void a_thousand_at_once(void **state)
{
	struct actor actor = head_actor();
	struct buf accounts = { .arena = test.arena };
	const char *ids[1000];
	for (unsigned i = 0; i < 1000; i++) {
		ids[i] = uuid_make(test.arena);
		buf_printf(&accounts, "%s%s", i ? "," : "",
			account(ids[i], printf_text("p%u", i), "student"));
	}
	struct answer answer = put(&actor, accounts.data);
	assert_int_equal(answer.reply.status, 200);
	assert_int_equal(secrets_in(&answer), 1000);
	const struct json *last = json_item(json_member(answer.json, "secrets"), 999);
	unsigned whose = 0;
	while (strcmp(ids[whose], json_text(json_member(last, "userId"))) != 0)
		assert_true(++whose < 1000);
	token_for("minami", printf_text("p%u", whose), json_text(json_member(last, "secret")));
}

static const char *first_pointer(const struct answer *answer)
{
	return json_text(json_member(json_item(json_member(answer->json, "errors"), 0), "pointer"));
}

static void taken_names_are_pointed_at(void **state)
{
	struct actor actor = head_actor();
	struct answer answer = put(&actor,
		printf_text("%s,%s", account(NEW_USER, "new", "student"),
			account(TEST_USER, "TEACHER", "student")));
	assert_int_equal(answer.reply.status, 422);
	assert_string_equal(first_pointer(&answer), "/accounts/1/username");
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM auth.account"
				    " WHERE id = '" NEW_USER "'"),
		"0");
	answer = put(&actor,
		printf_text("%s,%s", account(NEW_USER, "a", "student"),
			account(NEW_USER, "b", "student")));
	assert_int_equal(answer.reply.status, 422);
	answer = put(&actor,
		printf_text("%s,%s", account(NEW_USER, "same", "student"),
			account(TEST_USER, "Same", "student")));
	assert_int_equal(answer.reply.status, 409);
}

static void another_school_may_use_the_same_name(void **state)
{
	struct actor actor = test_actor(&test, TEST_OTHER_TENANT, OTHER_HEAD, ROLE_CONTRACTOR);
	assert_int_equal(put(&actor, account(NEW_USER, "pupil", "student")).reply.status, 200);
}

static void another_role_ends_the_sessions(void **state)
{
	struct actor pupil, teacher, actor = head_actor();
	const char *pupils = settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	const char *teachers = settle("minami", "teacher", secrets.teacher, GOOD_PASSWORD);
	assert_int_equal(put(&actor,
				 printf_text("%s,%s", account(PUPIL, "pupil", "instructor"),
					 account(TEACHER, "teacher", "instructor")))
				 .reply.status,
		200);
	assert_int_equal(actor_of(pupils, &pupil), ERR_UNAUTHENTICATED);
	assert_int_equal(actor_of(teachers, &teacher), OK);
	assert_int_equal(actor_of(token_for("minami", "pupil", PUPIL_PASSWORD), &pupil), OK);
	assert_int_equal(pupil.role, ROLE_INSTRUCTOR);
}

static unsigned put_status(const char *user_id, const char *status)
{
	struct actor actor = head_actor();
	return ask("account_status_put", &actor, printf_text("userId=%s", user_id),
		printf_text("{\"status\":\"%s\"}", status))
		.reply.status;
}

static void suspended_account_is_out_until_restored(void **state)
{
	struct actor actor;
	const char *token = settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	assert_int_equal(actor_of(token, &actor), OK);
	assert_int_equal(put_status(PUPIL, "suspended"), 204);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(log_in("minami", "pupil", PUPIL_PASSWORD).reply.status, 401);
	assert_int_equal(put_status(PUPIL, "active"), 204);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	token_for("minami", "pupil", PUPIL_PASSWORD);
}

static void deleted_account_leaves_its_name_and_no_secret(void **state)
{
	struct actor actor = head_actor();
	settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	assert_int_equal(put_status(PUPIL, "deleted"), 204);
	assert_int_equal(put_status(PUPIL, "deleted"), 204);
	assert_int_equal(log_in("minami", "pupil", PUPIL_PASSWORD).reply.status, 401);
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(*) FROM auth.account WHERE id = '" PUPIL
				    "' AND password IS NULL AND secret_hash IS NULL"
				    " AND login_index IS NULL"),
		"1");
	assert_int_equal(put(&actor, account(NEW_USER, "pupil", "student")).reply.status, 200);
	assert_int_equal(put_status(PUPIL, "active"), 404); /* nobody comes back */
}

/* What PostgreSQL has of the schools' login names. */
static void login_names_lie_nowhere(void **state)
{
	struct actor actor = head_actor();
	log_in("minami", "sora.canary", "dokodokodoko");
	assert_int_equal(
		put(&actor, account(NEW_USER, "sora.canary", "student")).reply.status, 200);
	log_in("minami", "sora.canary", "dokodokodoko");
	static const char *const tables[] = { "account", "tenant", "session", "throttle",
		"outbox" };
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		assert_string_equal(test_sql_text(&test,
					    printf_text("SELECT count(*) FROM auth.%s t"
							" WHERE t::text ILIKE '%%sora%%'",
						    tables[i])),
			"0");
}

/* The same name is another index in another school, and one that was copied there finds nobody. */
static void an_index_is_of_one_school(void **state)
{
	assert_string_equal(test_sql_text(&test,
				    "SELECT count(DISTINCT login_index) FROM auth.account"
				    " WHERE id IN ('" HEAD "', '" OTHER_HEAD "')"),
		"2");
	token_for("kita", "head", secrets.other_head);
	test_sql(&test,
		"UPDATE auth.account SET login_index = (SELECT a.login_index FROM auth.account a"
		" WHERE a.id = '" HEAD "') WHERE id = '" OTHER_HEAD "'");
	assert_int_equal(log_in("kita", "head", secrets.other_head).reply.status, 401);
}

/* Once a tenant's salt is destroyed, its names are nobody's: guessing needs it. */
static void without_its_salt_a_school_lets_nobody_in(void **state)
{
	token_for("minami", "pupil", secrets.pupil);
	assert_int_equal(unlink(printf_text("%s/" TEST_TENANT ".login", auth_conf.keyring)), 0);
	assert_int_equal(log_in("minami", "pupil", secrets.pupil).reply.status, 401);
	token_for("kita", "head", secrets.other_head);
}

/* Who keeps the root of the keys is asked for nothing: only the salt is read. */
static void a_rotation_and_an_absent_root_leave_logins_alone(void **state)
{
	assert_int_equal(keyring_rotate(provisioned, TEST_TENANT), OK);
	for (unsigned version = 1; version <= 2; version++)
		assert_int_equal(unlink(printf_text(
					 "%s/" TEST_TENANT ".%u.key", auth_conf.keyring, version)),
			0);
	assert_int_equal(unlink(printf_text("%s/" TEST_TENANT ".index.key", auth_conf.keyring)), 0);
	token_for("minami", "pupil", secrets.pupil);
}

static struct answer issue(const struct actor *actor, const char *user_id)
{
	return ask("account_secret_issue", actor, printf_text("userId=%s", user_id), NULL);
}

static void new_secret_replaces_password_and_sessions(void **state)
{
	struct actor actor, head = head_actor();
	const char *token = settle("minami", "pupil", secrets.pupil, PUPIL_PASSWORD);
	for (unsigned i = 0; i < 6; i++) /* the pupil who forgot it has tried */
		log_in("minami", "pupil", "dokodokodoko");
	struct answer answer = issue(&head, PUPIL);
	assert_int_equal(answer.reply.status, 200);
	assert_string_equal(text_in(&answer, "userId"), PUPIL);
	assert_int_equal(actor_of(token, &actor), ERR_UNAUTHENTICATED);
	assert_int_equal(log_in("minami", "pupil", PUPIL_PASSWORD).reply.status, 401);
	settle("minami", "pupil", text_in(&answer, "secret"), PUPIL_PASSWORD);
}

static unsigned put_features(const char *json)
{
	struct actor actor = head_actor();
	return ask("feature_put", &actor, NULL, json).reply.status;
}

static void denied_features_are_in_the_next_capability(void **state)
{
	struct actor pupil, teacher;
	const char *pupils = token_for("minami", "pupil", secrets.pupil);
	const char *teachers = token_for("minami", "teacher", secrets.teacher);
	assert_int_equal(actor_of(pupils, &pupil), OK);
	assert_int_equal(pupil.denied, 0);
	assert_int_equal(
		put_features("{\"userId\":\"" PUPIL "\",\"denied\":[\"peer_comment\"]}"), 204);
	assert_int_equal(put_features("{\"denied\":[\"video_upload\"]}"), 204);
	assert_int_equal(actor_of(pupils, &pupil), OK);
	assert_int_equal(pupil.denied, FEATURE_PEER_COMMENT | FEATURE_VIDEO_UPLOAD);
	assert_int_equal(actor_of(teachers, &teacher), OK);
	assert_int_equal(teacher.denied, FEATURE_VIDEO_UPLOAD);
	struct answer answer = ask("session_get", &teacher, NULL, NULL);
	const struct json *features = json_member(answer.json, "features");
	assert_int_equal(json_count(features), 1);
	assert_string_equal(json_text(json_item(features, 0)), "peer_comment");
	assert_int_equal(put_features("{\"denied\":[]}"), 204);
	assert_int_equal(actor_of(teachers, &teacher), OK);
	assert_int_equal(teacher.denied, 0);
}

/* Every operation on an id of another school answers as for an id that never was. */
static void accounts_of_another_school_do_not_exist(void **state)
{
	struct actor stranger = test_actor(&test, TEST_OTHER_TENANT, OTHER_HEAD, ROLE_CONTRACTOR);
	static const char *const ids[] = { PUPIL, "01890000-0000-7000-8000-00000000ffff" };
	const char *texts[2][3];
	for (unsigned i = 0; i < 2; i++) {
		struct answer answers[] = { issue(&stranger, ids[i]),
			ask("account_status_put", &stranger, printf_text("userId=%s", ids[i]),
				"{\"status\":\"deleted\"}"),
			ask("feature_put", &stranger, NULL,
				printf_text("{\"userId\":\"%s\",\"denied\":[]}", ids[i])) };
		for (unsigned j = 0; j < 3; j++) {
			assert_int_equal(answers[j].reply.status, 404);
			texts[i][j] = text_without_trace(&answers[j]);
		}
	}
	for (unsigned j = 0; j < 3; j++)
		assert_string_equal(texts[0][j], texts[1][j]);
	token_for("minami", "pupil", secrets.pupil);
}

static void only_contractors_through_provisioning(void **state)
{
	struct actor teacher = test_actor(&test, TEST_TENANT, TEACHER, ROLE_INSTRUCTOR);
	struct actor head = head_actor();
	const char *body = printf_text("{\"accounts\":[%s]}", account(NEW_USER, "x", "contractor"));
	assert_int_equal(
		ask_as("provisioning", "account_put", &teacher, NULL, body).reply.status, 403);
	assert_int_equal(ask_as("gateway", "account_put", &head, NULL, body).reply.status, 403);
	assert_int_equal(ask_as("provisioning", "account_put", NULL, NULL, body).reply.status, 401);
	body = printf_text("{\"accounts\":[%s]}", account(NEW_USER, "x", "operator"));
	assert_int_equal(
		ask_as("provisioning", "account_put", &head, NULL, body).reply.status, 422);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(accounts_not_in_use_get_a_secret),
		FACT(a_repetition_brings_another_secret),
		FACT(a_thousand_at_once),
		FACT(taken_names_are_pointed_at),
		FACT(another_school_may_use_the_same_name),
		FACT(another_role_ends_the_sessions),
		FACT(suspended_account_is_out_until_restored),
		FACT(deleted_account_leaves_its_name_and_no_secret),
		FACT(login_names_lie_nowhere),
		FACT(an_index_is_of_one_school),
		FACT(without_its_salt_a_school_lets_nobody_in),
		FACT(a_rotation_and_an_absent_root_leave_logins_alone),
		FACT(new_secret_replaces_password_and_sessions),
		FACT(denied_features_are_in_the_next_capability),
		FACT(accounts_of_another_school_do_not_exist),
		FACT(only_contractors_through_provisioning),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
