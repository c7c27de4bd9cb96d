/* Notices: from the event of another service to the page of the one it concerns. */
#include <string.h>

#include "libcommon/testing.h"
#include "services/notification/notification.h"

#define ID(end_) "01890000-0000-7000-8000-000000000" end_

static const struct service notification = { .name = "notification",
	.ops = notification_ops,
	.ops_n = NOTIFICATION_OPS_N,
	.keyring = KEYRING_READS,
	.sealed = notification_sealed,
	.sealed_n = NOTIFICATION_SEALED_N };
static struct test test;
static struct actor pupil, classmate, foreigner;

static int open_world(void **state)
{
	test_open(&test, &notification);
	pupil = test_actor(&test, TEST_TENANT, TEST_USER, ROLE_STUDENT);
	classmate = test_actor(&test, TEST_TENANT, TEST_OTHER_USER, ROLE_STUDENT);
	foreigner = test_actor(&test, TEST_OTHER_TENANT, TEST_USER, ROLE_STUDENT);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

static int empty(void **state)
{
	test_sql(&test,
		"DELETE FROM notification.notice; DELETE FROM notification.inbox;"
		" DELETE FROM notification.shut");
	return 0;
}

/* Brings one event as the relay of learning does; `data` has ' for ". *c is the finished call. */
static unsigned bring(const char *event_id, const char *type, const char *data, struct call *c)
{
	struct reply reply;
	const struct actor service = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	struct buf quoted = { .arena = test.arena };
	for (const char *at = data; *at; at++)
		buf_text(&quoted, *at == '\'' ? "\\\"" : (const char[]){ *at, '\0' });
	const struct test_request request = { .operation = "event_accept",
		.actor = &service,
		.caller = "learning",
		.body = arena_printf(test.arena,
			"{\"events\":[{\"id\":\"%s\",\"type\":\"%s\","
			"\"time\":\"2026-04-08T00:30:00.000Z\",\"data\":\"%s\"}]}",
			event_id, type, quoted.data) };
	test_dispatch(&test, &request, &reply, c);
	return reply.status;
}

#define COMMENT                                                                                    \
	"{'kind':'comment','tryId':'" ID("501") "','positionMs':2400,'recipients':['" TEST_USER    \
						"']}"

/* The body of the answer to an operation. */
static const char *ask(
	const struct actor *actor, const char *operation, const char *params, const char *body)
{
	struct reply reply;
	const struct test_request request = {
		.operation = operation, .actor = actor, .params = params, .body = body
	};
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 200);
	return arena_strndup(test.arena, (const char *)reply.body.data, reply.body.n);
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void a_comment_becomes_a_notice_at_its_moment(void **state)
{
	assert_int_equal(bring(ID("701"), "lesson.happened", COMMENT, NULL), 204);
	const char *list = ask(&pupil, "notice_list", NULL, NULL);
	assert_true(has(list, "\"unreadCount\":1"));
	assert_true(has(list, "\"kind\":\"comment\""));
	assert_true(has(list, "\"tryId\":\"" ID("501") "\""));
	assert_true(has(list, "\"positionMs\":2400"));
	assert_true(has(list, "\"read\":false"));
	assert_false(has(list, "assignmentId"));
}

static void nobody_else_sees_it(void **state)
{
	assert_int_equal(bring(ID("701"), "lesson.happened", COMMENT, NULL), 204);
	assert_string_equal(
		ask(&classmate, "notice_list", NULL, NULL), "{\"items\":[],\"unreadCount\":0}");
	/* The same user id in another tenant is another person. */
	assert_string_equal(
		ask(&foreigner, "notice_list", NULL, NULL), "{\"items\":[],\"unreadCount\":0}");
}

static void an_event_takes_effect_once(void **state)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(bring(ID("701"), "lesson.happened", COMMENT, NULL), 204);
	assert_true(has(ask(&pupil, "notice_list", NULL, NULL), "\"unreadCount\":1"));
}

static void a_recipient_named_twice_gets_one_notice(void **state)
{
	assert_int_equal(bring(ID("701"), "lesson.happened",
				 "{'kind':'assignment','assignmentId':'" ID(
					 "303") "','recipients':['" TEST_USER "','" TEST_USER
						"','" TEST_OTHER_USER "']}",
				 NULL),
		204);
	assert_true(has(ask(&pupil, "notice_list", NULL, NULL), "\"unreadCount\":1"));
	assert_true(has(ask(&classmate, "notice_list", NULL, NULL), "\"unreadCount\":1"));
}

/* As many recipients and watchers as the event may name. */
static void a_whole_class_gets_its_notices(void **state)
{
	const char *names = test_sql_text(&test,
		"SELECT string_agg(format('''01890000-0000-7000-8000-%s''', lpad(i::text, 12, "
		"'0')), ',')"
		" FROM generate_series(1, 500) i");
	const char *data = arena_printf(test.arena,
		"{'kind':'assignment','assignmentId':'" ID(
			"303") "','recipients':[%s],'watchers':[%s]}",
		names, names);
	assert_int_equal(bring(ID("701"), "lesson.happened", data, NULL), 204);
	assert_string_equal(
		test_sql_text(&test, "SELECT count(*) FROM notification.notice"), "500");
}

static void open_pages_are_told_after_the_commit(void **state)
{
	struct call c;
	assert_int_equal(bring(ID("701"), "lesson.happened",
				 "{'kind':'submission','assignmentId':'" ID("303") "','tryId':'" ID(
					 "501") "',"
						"'recipients':['" TEST_USER
						"'],'watchers':['" TEST_OTHER_USER "']}",
				 &c),
		204);
	assert_non_null(c.pushes);
	assert_string_equal(c.pushes->topic, "notice");
	assert_string_equal(c.pushes->json,
		"{\"tenant\":\"" TEST_TENANT "\",\"users\":[\"" TEST_USER "\",\"" TEST_OTHER_USER
		"\"],\"kind\":\"submission\",\"assignmentId\":\"" ID("303") "\",\"tryId\":\"" ID(
			"501") "\"}");
	assert_string_equal(
		ask(&classmate, "notice_list", NULL, NULL), "{\"items\":[],\"unreadCount\":0}");
}

static void watchers_alone_are_told_without_a_notice(void **state)
{
	struct call c;
	assert_int_equal(
		bring(ID("701"), "lesson.happened",
			"{'kind':'submission','recipients':[],'watchers':['" TEST_USER "']}", &c),
		204);
	assert_true(has(c.pushes->json, "\"users\":[\"" TEST_USER "\"]"));
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM notification.notice"), "0");
}

static void of_a_change_nothing_is_named(void **state)
{
	struct call c;
	assert_int_equal(
		bring(ID("701"), "lesson.happened",
			"{'kind':'change','recipients':[],'watchers':['" TEST_USER "']}", &c),
		204);
	assert_string_equal(c.pushes->json,
		"{\"tenant\":\"" TEST_TENANT "\",\"users\":[\"" TEST_USER
		"\"],\"kind\":\"change\"}");
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM notification.notice"), "0");
}

static void what_it_does_not_know_is_refused(void **state)
{
	const struct {
		const char *type, *data;
		unsigned status;
	} rows[] = {
		{ "user.changed", "{}", 422 },
		{ "lesson.happened", "{'kind':'comment'}", 422 },
		{ "lesson.happened", "{'kind':'party','recipients':[]}", 422 },
		{ "lesson.happened", "no json", 400 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			bring(ID("701"), rows[i].type, rows[i].data, NULL), rows[i].status);
	/* A refused event was not taken: sent again, in order, it works. */
	assert_int_equal(bring(ID("701"), "lesson.happened", COMMENT, NULL), 204);
}

static void reading_some_leaves_the_others(void **state)
{
	assert_int_equal(bring(ID("701"), "lesson.happened", COMMENT, NULL), 204);
	assert_int_equal(bring(ID("702"), "lesson.happened", COMMENT, NULL), 204);
	const char *id = test_sql_text(&test, "SELECT min(id::text) FROM notification.notice");
	const char *body = arena_printf(test.arena, "{\"ids\":[\"%s\"]}", id);
	assert_string_equal(
		ask(&classmate, "notice_read", NULL, body), "{\"unreadCount\":0}"); /* not yours */
	assert_string_equal(ask(&pupil, "notice_read", NULL, body), "{\"unreadCount\":1}");
	assert_string_equal(ask(&pupil, "notice_read", NULL, body), "{\"unreadCount\":1}");
	assert_string_equal(ask(&pupil, "notice_read", NULL, "{}"), "{\"unreadCount\":0}");
	assert_true(has(ask(&pupil, "notice_list", NULL, NULL), "\"read\":true"));
}

static void pages_follow_one_another_without_gaps(void **state)
{
	for (int i = 0; i < 5; i++)
		assert_int_equal(bring(arena_printf(test.arena, ID("71%d"), i), "lesson.happened",
					 COMMENT, NULL),
			204);
	struct buf seen = { .arena = test.arena };
	const char *params = "limit=2", *page;
	for (int pages = 0; params; pages++) {
		assert_true(pages < 3);
		page = ask(&pupil, "notice_list", params, NULL);
		for (const char *at = page; (at = strstr(at, "\"id\":\"")); at += 6)
			buf_add(&seen, at + 6, 36);
		const char *next = strstr(page, "\"nextCursor\":\"");
		params = next ? arena_printf(test.arena, "limit=2&cursor=%.*s",
					(int)strcspn(next + 14, "\""), next + 14)
			      : NULL;
	}
	assert_string_equal(seen.data,
		test_sql_text(&test,
			"SELECT string_agg(id::text, '' ORDER BY id DESC) FROM "
			"notification.notice"));
}

static void only_those_who_may_ask_are_answered(void **state)
{
	const struct actor service = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	const struct {
		const char *operation;
		const struct actor *actor;
		const char *caller, *params, *body;
		unsigned status;
	} rows[] = {
		{ "notice_list", NULL, NULL, NULL, NULL, 401 },
		{ "notice_list", &service, NULL, NULL, NULL, 403 },
		{ "notice_list", &pupil, NULL, "limit=0", NULL, 422 },
		{ "notice_list", &pupil, NULL, "cursor=broken", NULL, 422 },
		{ "notice_read", &pupil, NULL, NULL, "{\"ids\":[]}", 422 },
		{ "notice_read", &pupil, NULL, NULL, "{\"ids\":[\"x\"]}", 422 },
		{ "event_accept", &pupil, "learning", NULL, "{\"events\":[]}", 403 },
		{ "event_accept", &service, "gateway", NULL, "{\"events\":[]}", 403 },
		{ "home_part", &pupil, NULL, NULL, NULL, 200 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply reply;
		const struct test_request request = { .operation = rows[i].operation,
			.actor = rows[i].actor,
			.caller = rows[i].caller,
			.params = rows[i].params,
			.body = rows[i].body };
		test_dispatch(&test, &request, &reply, NULL);
		assert_int_equal(reply.status, rows[i].status);
	}
}

#define FACT(test_) cmocka_unit_test_setup(test_, empty)

/* Those about it go, but the pupil's own; open pages are told elsewhere, without an id. */
static void of_what_is_shut_only_its_pupil_keeps_notices(void **state)
{
	static const char both[] = "{'kind':'%s','tryId':'" ID("501") "','assignmentId':'" ID(
		"401") "','recipients':['" TEST_USER "','" TEST_OTHER_USER "']}";
	static const struct {
		const char *end, *shut, *left;
	} rows[] = {
		{ "711", "{'kind':'shut','tryId':'" ID("501") "','recipients':['" TEST_USER "']}",
			"1" },
		{ "712", "{'kind':'shut','tryId':'" ID("502") "','recipients':[]}", "2" },
		{ "713",
			"{'kind':'shut','assignmentId':'" ID("401") "','recipients':['" TEST_USER
								    "']}",
			"1" },
		{ "714", "{'kind':'shut','assignmentId':'" ID("401") "','recipients':[]}", "0" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct call c;
		(void)empty(state);
		assert_int_equal(bring(ID("701"), "lesson.happened",
					 arena_printf(test.arena, both, "comment"), &c),
			204);
		assert_int_equal(bring(arena_printf(test.arena, ID("%s"), rows[i].end),
					 "lesson.happened", rows[i].shut, &c),
			204);
		assert_string_equal(
			test_sql_text(&test, "SELECT count(*) FROM notification.notice"),
			rows[i].left);
	}
}

/* It was on its way when the object was raised, and is overtaken. What happens when it is lowered
 * again has seen that it was shut. */
static void what_had_not_seen_it_shut_makes_no_notice(void **state)
{
	static const char shut_try[] = "{'kind':'shut','tryId':'" ID(
		"501") "','recipients':['" TEST_USER "'],'xact':'1000'}",
			  shut_assignment[] = "{'kind':'shut','assignmentId':'" ID(
				  "401") "','recipients':[],'xact':'1000'}",
			  shut_other[] = "{'kind':'shut','tryId':'" ID(
				  "502") "','recipients':[],'xact':'1000'}";
	static const struct {
		const char *shut, *seen, *left;
	} rows[] = {
		{ shut_try, "900:900:", "1" }, /* before */
		{ shut_try, "1000:1002:1000", "1" }, /* beside it, although its id is higher */
		{ shut_try, "1001:1001:", "2" }, /* later */
		{ shut_assignment, "900:900:", "0" },
		{ shut_assignment, "1001:1001:", "2" },
		{ shut_other, "900:900:", "2" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)empty(state);
		assert_int_equal(bring(ID("701"), "lesson.happened", rows[i].shut, NULL), 204);
		assert_int_equal(
			bring(ID("702"), "lesson.happened",
				arena_printf(test.arena,
					"{'kind':'comment','tryId':'" ID(
						"501") "','assignmentId':'" ID("401") "',"
										      "'recipients'"
										      ":["
										      "'" TEST_USER
										      "',"
										      "'" TEST_OTHER_USER
										      "'],'seen':'%"
										      "s'}",
					rows[i].seen),
				NULL),
			204);
		assert_string_equal(
			test_sql_text(&test, "SELECT count(*) FROM notification.notice"),
			rows[i].left);
	}
}

static void who_is_erased_is_forgotten_here_too(void **state)
{
	assert_int_equal(bring(ID("701"), "lesson.happened",
				 "{'kind':'shut','tryId':'" ID("501") "','recipients':['" TEST_USER
								      "','" TEST_OTHER_USER
								      "'],'xact':'1000'}",
				 NULL),
		204);
	assert_int_equal(bring(ID("702"), "user.erased", "{'userId':'" TEST_USER "'}", NULL), 204);
	assert_string_equal(test_sql_text(&test, "SELECT kept::text FROM notification.shut"),
		"{" TEST_OTHER_USER "}");
	assert_int_equal(
		bring(ID("703"), "lesson.happened",
			"{'kind':'removal','tryId':'" ID("501") "','recipients':[]}", NULL),
		204);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM notification.shut"), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(a_comment_becomes_a_notice_at_its_moment),
		FACT(nobody_else_sees_it),
		FACT(an_event_takes_effect_once),
		FACT(a_recipient_named_twice_gets_one_notice),
		FACT(a_whole_class_gets_its_notices),
		FACT(open_pages_are_told_after_the_commit),
		FACT(watchers_alone_are_told_without_a_notice),
		FACT(of_a_change_nothing_is_named),
		FACT(of_what_is_shut_only_its_pupil_keeps_notices),
		FACT(what_had_not_seen_it_shut_makes_no_notice),
		FACT(who_is_erased_is_forgotten_here_too),
		FACT(what_it_does_not_know_is_refused),
		FACT(reading_some_leaves_the_others),
		FACT(pages_follow_one_another_without_gaps),
		FACT(only_those_who_may_ask_are_answered),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
