/* Lines of an archive on their way into provisioning: what is told, what is written, and that doing
 * it again changes nothing. */
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning_test.h"

#define SCHOOL "01890000-0000-7000-8000-000000000e11"
#define CLASS "01890000-0000-7000-8000-000000000f11"
#define PUPIL "01890000-0000-7000-8000-000000000a11"
#define AT "\"createdAt\":\"2026-04-01T00:00:00.000Z\""
#define NAMES                                                                                      \
	"\"familyName\":\"磯部\",\"givenName\":\"舞\",\"kanaFamilyName\":\"いそべ\","        \
	"\"kanaGivenName\":\"まい\""

#define SCHOOL_LINE "{\"id\":\"" SCHOOL "\",\"name\":\"うみ小\",\"type\":\"school\"," AT "}"
#define PUPIL_LINE                                                                                 \
	"{\"id\":\"" PUPIL "\",\"username\":\"mai\",\"role\":\"student\"," NAMES                   \
	",\"status\":\"active\"," AT "}"
#define CLASS_LINE                                                                                 \
	"{\"id\":\"" CLASS "\",\"orgId\":\"" SCHOOL                                                \
	"\",\"title\":\"4年1組\",\"status\":\"active\"," AT "}"
#define ENROLLMENT_LINE(role_, primary_)                                                           \
	"{\"id\":\"01890000-0000-7000-8000-000000000b11\",\"classId\":\"" CLASS                    \
	"\",\"userId\":\"" PUPIL "\",\"role\":\"" role_ "\",\"primary\":" primary_                 \
	",\"status\":\"active\"}"

static struct actor learning;

/* The faults, each as `<line> <code> <pointer>` and a newline. */
static const char *send(const char *type, const char *line, bool check)
{
	struct buf body = { .arena = test.arena }, out = { .arena = test.arena };
	struct reply reply;
	const struct json *answer;
	buf_printf(
		&body, "{\"type\":\"%s\",\"check\":%s,\"lines\":[", type, check ? "true" : "false");
	json_quote(&body, line);
	buf_text(&body, "]}");
	const struct test_request request = { .operation = "archive_write",
		.actor = &learning,
		.caller = "learning",
		.body = body.data };
	test_dispatch(&test, &request, &reply, NULL);
	if (reply.status != 200)
		return arena_printf(test.arena, "%u", reply.status);
	assert_int_equal(
		json_parse(test.arena, (const char *)reply.body.data, reply.body.n, &answer), OK);
	const struct json *fault = json_first(json_member(answer, "faults"));
	buf_text(&out, "");
	for (; fault; fault = json_next(fault))
		buf_printf(&out, "%s %s\n", json_text(json_member(fault, "code")),
			json_text(json_member(fault, "pointer")));
	return out.data;
}

static const char *counted(const char *table)
{
	return test_sql_text(&test,
		arena_printf(test.arena,
			"SELECT count(*) FROM provisioning.%s WHERE tenant_id = '" TEST_TENANT "'",
			table));
}

static void a_check_writes_nothing(void **state)
{
	const char *before = counted("org"), *people = counted("person");
	assert_string_equal(send("org", SCHOOL_LINE, true), "");
	assert_string_equal(send("user", PUPIL_LINE, true), "");
	assert_string_equal(counted("org"), before);
	assert_string_equal(counted("person"), people);
}

static void what_is_wrong_is_told_by_its_place(void **state)
{
	assert_string_equal(send("user", "[]", true), "invalid \n");
	assert_string_equal(send("user", "{\"", true), "not_json \n");
	assert_string_equal(
		send("org", "{\"id\":\"x\",\"name\":\"\",\"type\":\"school\"," AT "}", true),
		"invalid /id\ninvalid /name\n");
	assert_string_equal(
		send("enrollment", ENROLLMENT_LINE("student", "true"), true), "not_a_teacher \n");
	assert_string_equal(send("org", "{\"id\":\"x\"}", false),
		"invalid /id\ninvalid /name\ninvalid /type\ninvalid /createdAt\n");
	assert_string_equal(send("grade", "{}", true), "422");
}

static void what_is_here_already_clashes(void **state)
{
	assert_string_equal(send("user",
				    "{\"id\":\"" HEAD "\",\"username\":\"HEAD\",\"role\":"
				    "\"student\"," NAMES ",\"status\":\"active\"," AT "}",
				    true),
		"id_taken /id\nusername_taken /username\n");
}

static void doing_it_again_changes_nothing(void **state)
{
	for (int i = 0; i < 2; i++) {
		assert_string_equal(send("org", SCHOOL_LINE, false), "");
		assert_string_equal(send("user", PUPIL_LINE, false), "");
		assert_string_equal(send("class", CLASS_LINE, false), "");
		assert_string_equal(
			send("enrollment", ENROLLMENT_LINE("student", "false"), false), "");
	}
	assert_string_equal(person_of("mai"), PUPIL);
	assert_string_equal(account_of("mai"), PUPIL);
	assert_string_equal(counted("enrollment"), "1");
	assert_string_equal(counted("arrival"), "1");
	assert_string_equal(test_name(&test, "provisioning.person", PUPIL), "磯部 舞 いそべ まい");
}

#define IMPORT "01890000-0000-7000-8000-000000000d11"
#define ROW_ID "01890000-0000-7000-8000-000000000b11" /* of ENROLLMENT_LINE */
#define KENS_NAMES                                                                                 \
	"\"familyName\":\"沖\",\"givenName\":\"健\",\"kanaFamilyName\":\"おき\","              \
	"\"kanaGivenName\":\"けん\""

static void hold(const struct actor *actor, bool held, unsigned status)
{
	struct reply reply;
	const struct test_request request = { .operation = "roster_hold_put",
		.actor = actor,
		.caller = "learning",
		.params = "importId=" IMPORT,
		.body = held ? "{\"held\":true}" : "{\"held\":false}" };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, status);
}

/* Whatever makes or deletes what an archive could clash with, or refer to. */
static const struct {
	const char *operation, *params, *body;
} HELD[] = {
	{ "user_create", NULL, "{\"username\":\"ken\",\"role\":\"student\"," KENS_NAMES "}" },
	{ "user_delete", "userId=" PUPIL, NULL },
	{ "org_create", NULL, "{\"name\":\"やま小\"}" },
	{ "class_create", NULL, "{\"orgId\":\"" SCHOOL "\",\"title\":\"4年2組\"}" },
	{ "class_update", "classId=" CLASS "&ifMatch=%22v1%22", "{\"title\":\"4年2組\"}" },
	{ "class_delete", "classId=" CLASS, NULL },
	{ "enrollment_create", "classId=" CLASS, "{\"userId\":\"" PUPIL "\"}" },
	{ "enrollment_delete", "enrollmentId=" ROW_ID, NULL },
	{ "arrival_secret_issue", NULL, NULL },
};

static void nobody_changes_a_roster_that_is_held(void **state)
{
	const char *people = counted("person");
	for (int i = 0; i < 2; i++)
		hold(&learning, true, 204);
	for (size_t i = 0; i < sizeof(HELD) / sizeof(*HELD); i++) {
		struct answer answer =
			expect(409, &head, HELD[i].operation, HELD[i].params, HELD[i].body);
		assert_string_equal(text_of(&answer, "code"), "roster_held");
	}
	assert_string_equal(counted("person"), people);
	assert_string_equal(account_of("ken"), "");
	/* An account is shut at once, whatever is under way; others have a roster of their own. */
	(void)expect(204, &head, "user_suspend", "userId=" PUPIL, NULL);
	(void)expect(204, &head, "user_restore", "userId=" PUPIL, NULL);
	(void)expect(201, &other_head, "org_create", NULL, "{\"name\":\"やま小\"}");
}

static void what_it_is_held_for_comes_in(void **state)
{
	assert_string_equal(send("user", PUPIL_LINE, false), "");
	assert_string_equal(send("class", CLASS_LINE, false), "");
}

static void who_let_go_lets_everybody_go_on(void **state)
{
	hold(&operator, false, 403);
	hold(&head, false, 204);
	hold(&learning, false, 204);
	(void)expect(201, &head, HELD[0].operation, HELD[0].params, HELD[0].body);
	(void)expect(201, &head, "org_create", NULL, "{\"name\":\"やま小\"}");
}

static void secrets_are_for_those_who_arrived(void **state)
{
	struct answer answer = expect(200, &head, "arrival_secret_issue", NULL, NULL);
	assert_int_equal(json_count(items_of(&answer)), 1);
	const struct json *item = json_item(items_of(&answer), 0);
	assert_string_equal(json_text(json_member(item, "username")), "mai");
	assert_string_equal(json_text(json_member(item, "classTitle")), "4年1組");
	const char *first = json_text(json_member(item, "secret"));
	answer = expect(200, &head, "arrival_secret_issue", NULL, NULL);
	item = json_item(items_of(&answer), 0);
	assert_string_not_equal(json_text(json_member(item, "secret")), first);
	answer = expect(200, &other_head, "arrival_secret_issue", NULL, NULL);
	assert_int_equal(json_count(items_of(&answer)), 0);
	(void)expect(403, &operator, "arrival_secret_issue", NULL, NULL);
}

static void nobody_else_may_write(void **state)
{
	struct reply reply;
	struct test_request request = { .operation = "archive_write",
		.actor = &learning,
		.caller = "notification",
		.body = "{\"type\":\"org\",\"lines\":[],\"check\":false}" };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
	request.actor = &head;
	request.caller = "learning";
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
}

#define LEAVER "01890000-0000-7000-8000-000000000a44"

static void whose_end_had_begun_waits_for_it_here(void **state)
{
	static const char end[] = "SELECT round(extract(epoch FROM due_at - now()) / 86400) FROM"
				  " provisioning.user_erasure WHERE user_id = '" LEAVER "'";
	for (int i = 0; i < 2; i++)
		assert_string_equal(send("user",
					    "{\"id\":\"" LEAVER
					    "\",\"username\":\"saru\",\"role\":\"student\"," NAMES
					    ",\"status\":\"tobedeleted\",\"label\":\"II\"," AT "}",
					    false),
			"");
	assert_string_equal(test_sql_text(&test, end), "30");
	assert_string_equal(
		test_sql_text(&test, "SELECT status FROM auth.account WHERE id = '" LEAVER "'"),
		"suspended");
	struct answer answer = expect(200, &head, "user_get", "userId=" LEAVER, NULL);
	assert_string_equal(text_of(&answer, "status"), "tobedeleted");
	assert_string_equal(text_of(&answer, "label"), "II");
	assert_string_equal(
		json_text(json_member(event_of(&event_user_changed, LEAVER), "label")), "II");
}

static int open_arrival_world(void **state)
{
	int result = open_world(state);
	learning = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	return result;
}

int main(void)
{
	lifecycle_conf.user_grace_days = 30;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_writes_nothing),
		cmocka_unit_test(what_is_wrong_is_told_by_its_place),
		cmocka_unit_test(what_is_here_already_clashes),
		cmocka_unit_test(doing_it_again_changes_nothing),
		cmocka_unit_test(nobody_changes_a_roster_that_is_held),
		cmocka_unit_test(what_it_is_held_for_comes_in),
		cmocka_unit_test(who_let_go_lets_everybody_go_on),
		cmocka_unit_test(secrets_are_for_those_who_arrived),
		cmocka_unit_test(whose_end_had_begun_waits_for_it_here),
		cmocka_unit_test(nobody_else_may_write),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_arrival_world, close_world);
}
