/* The copies of people, classes and enrolments: whatever order events come in, the highest version
 * stays. */
#include "services/learning/lesson_world.h"

#include "events_proto.h"
#include "libcommon/json.h"
#include "libcommon/keyring_user.h"
#include "services/learning/media_store.h"

static struct test test;

static int open_world(void **state)
{
	static const char *const pupil = PUPIL;
	test_open(&test, &learning_under_test);
	test_people(&test, TEST_TENANT, &pupil, 1);
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

/* One event as provisioning's relay brings it. `data` is JSON, here with ' for ". */
static unsigned bring(const char *event_id, const char *type, const char *data)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, TEST_TENANT, "provisioning", ROLE_SERVICE);
	struct buf text = { .arena = test.arena };
	for (const char *at = data; *at; at++)
		buf_text(&text, *at == '\'' ? "\\\"" : (char[]){ *at, '\0' });
	const struct test_request request = { .operation = "event_accept",
		.actor = &actor,
		.caller = "provisioning",
		.body = arena_printf(test.arena,
			"{\"events\":[{\"id\":\"%s\",\"type\":\"%s\",\"time\":"
			"\"2026-04-08T00:30:00.000Z\",\"data\":\"%s\"}]}",
			event_id, type, text.data) };
	test_dispatch(&test, &request, &reply, NULL);
	return reply.status;
}

#define USER(version_, status_, name_)                                                             \
	"{'userId':'" PUPIL "','version':" version_ ",'role':'student','status':'" status_         \
	"','familyName':'" name_ "','givenName':'花子','kanaFamilyName':'ヤマダ',"            \
	"'kanaGivenName':'ﾊﾅｺ'}"
#define CLASS_OF(version_, status_)                                                                \
	"{'classId':'" CLASS "','version':" version_ ",'title':'1年1組','status':'" status_ "'}"
#define ENROLLED(version_, status_)                                                                \
	"{'enrollmentId':'" ID("601") "','version':" version_ ",'classId':'" CLASS                 \
				      "','userId':'" PUPIL "','role':'student','status':'" status_ \
				      "'}"

#define USER_OF_CLASS(version_, label_)                                                            \
	"{'userId':'" PUPIL "','version':" version_ ",'role':'student','status':'active',"         \
	"'familyName':'山田','givenName':'花子','kanaFamilyName':'ヤマダ',"                 \
	"'kanaGivenName':'ﾊﾅｺ','label':'" label_ "'}"

static const char *name(void)
{
	return test_name(&test, "learning.member", PUPIL);
}

static const char *member(const char *column)
{
	return test_sql_text(&test,
		arena_printf(test.arena, "SELECT %s FROM learning.member WHERE id = '" PUPIL "'",
			column));
}

static void the_higher_version_wins_in_any_order(void **state)
{
	assert_int_equal(bring(ID("701"), "user.changed", USER("2", "active", "新山")), 204);
	assert_int_equal(bring(ID("702"), "user.changed", USER("1", "active", "山田")), 204);
	assert_string_equal(name(), "新山 花子 ヤマダ ﾊﾅｺ");
	assert_int_equal(bring(ID("703"), "user.changed", USER("3", "active", "森")), 204);
	assert_string_equal(name(), "森 花子 ヤマダ ﾊﾅｺ");
}

static void an_event_takes_effect_once(void **state)
{
	assert_int_equal(bring(ID("701"), "user.changed", USER("1", "active", "山田")), 204);
	assert_int_equal(bring(ID("701"), "user.changed", USER("9", "active", "山本")), 204);
	assert_string_equal(name(), "山田 花子 ヤマダ ﾊﾅｺ");
}

static void what_was_deleted_does_not_come_back(void **state)
{
	assert_int_equal(bring(ID("701"), "user.changed", USER("2", "deleted", "山田")), 204);
	assert_int_equal(bring(ID("702"), "user.changed", USER("1", "active", "山田")), 204);
	assert_string_equal(member("status"), "deleted");
	assert_int_equal(bring(ID("703"), "class.changed", CLASS_OF("2", "deleted")), 204);
	assert_int_equal(bring(ID("704"), "class.changed", CLASS_OF("1", "active")), 204);
	assert_string_equal(test_sql_text(&test, "SELECT status FROM learning.class"), "deleted");
}

static void an_enrolment_may_come_before_its_class_and_user(void **state)
{
	assert_int_equal(bring(ID("701"), "enrollment.changed", ENROLLED("1", "active")), 204);
	assert_int_equal(bring(ID("702"), "class.changed", CLASS_OF("1", "active")), 204);
	assert_int_equal(bring(ID("703"), "user.changed", USER("1", "active", "山田")), 204);
	assert_string_equal(
		test_sql_text(&test, "SELECT status FROM learning.enrollment"), "active");
}

#define ENROLLED_ON(version_, status_, begin_, end_)                                               \
	"{'enrollmentId':'" ID("601") "','version':" version_ ",'classId':'" CLASS                 \
				      "','userId':'" PUPIL "','role':'student','status':'" status_ \
				      "','beginDate':'" begin_ "','endDate':'" end_ "'}"

/* What the pupil, then the teacher, is shown of the class: home, list and board. */
static void expect_shown(bool to_pupil, bool to_teacher)
{
	struct reply home = ask(&test, P, "assignment_list", NULL, NULL);
	assert_int_equal(strstr(body_of(&test, &home), ASSIGNMENT) != NULL, to_pupil);
	struct reply board = ask(&test, T, "board_get", "assignmentId=" ASSIGNMENT, NULL);
	assert_int_equal(board.status, to_teacher ? 200 : 404);
	if (to_teacher)
		assert_int_equal(strstr(body_of(&test, &board), PUPIL) != NULL, to_pupil);
}

static void a_suspended_class_is_not_shown_and_is_kept(void **state)
{
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	expect_shown(true, true);
	assert_int_equal(bring(ID("701"), "class.changed", CLASS_OF("2", "suspended")), 204);
	expect_shown(false, false);
	const struct reply refused = ask(&test, T, "assignment_create", NULL,
		"{\"unitId\":\"" UNIT "\",\"classId\":\"" CLASS "\"}");
	expect_status(&refused, 404, "assignment_create", T);
	const struct reply own = ask(&test, P, "try_get", "tryId=" SHARED, NULL);
	expect_status(&own, 200, "try_get", P);
	assert_int_equal(bring(ID("702"), "class.changed", CLASS_OF("3", "active")), 204);
	expect_shown(true, true);
}

static void an_enrolment_counts_while_it_is_in_effect(void **state)
{
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	test_sql(&test,
		"UPDATE learning.enrollment SET id = '" ID("601") "' WHERE user_id = '" PUPIL "'");
	static const struct {
		const char *event_id, *data;
		bool is_shown;
	} events[] = {
		{ ID("701"), ENROLLED_ON("2", "active", "2000-04-01", "2001-04-01"), false },
		{ ID("702"), ENROLLED_ON("3", "active", "2000-04-01", "2999-04-01"), true },
		{ ID("703"), ENROLLED_ON("4", "suspended", "2000-04-01", "2999-04-01"), false },
		{ ID("704"), ENROLLED_ON("5", "active", "2998-04-01", "2999-04-01"), false },
		{ ID("705"), ENROLLED("6", "active"), true },
	};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		assert_int_equal(
			bring(events[i].event_id, "enrollment.changed", events[i].data), 204);
		expect_shown(events[i].is_shown, true);
	}
}

/* Pages of who could see the user look again: administrators, and all who share a class. */
static void a_class_that_changes_is_told_to_who_could_see_the_user_without_a_name(void **state)
{
	static const struct {
		const char *event_id, *data, *label;
		bool is_told;
	} events[] = {
		{ ID("701"), USER_OF_CLASS("2", "II"), "II", true },
		{ ID("702"), USER_OF_CLASS("3", "II"), "II", false },
		{ ID("703"), USER("1", "active", "山田"), "II", false },
		{ ID("704"), USER_OF_CLASS("4", "I"), "I", true },
		{ ID("705"), USER("5", "active", "山田"), "", true },
		{ ID("706"), USER("6", "active", "山田"), "", false },
	};
	add_people(&test);
	test_sql(&test,
		"INSERT INTO learning.member (tenant_id, id, version, role, status, name)"
		" SELECT tenant_id, '" CONTRACTOR "', 1, 'contractor', 'active', name"
		" FROM learning.member WHERE id = '" TEACHER "'");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		test_sql(&test, "DELETE FROM learning.outbox");
		assert_int_equal(bring(events[i].event_id, "user.changed", events[i].data), 204);
		assert_string_equal(member("coalesce(label, '')"), events[i].label);
		assert_string_equal(test_event(&test, "lesson.happened", ""),
			events[i].is_told ? "{\"kind\":\"change\",\"recipients\":[],\"watchers\":["
					    "\"" PUPIL "\",\"" CLASSMATE "\",\"" TEACHER
					    "\",\"" CONTRACTOR "\"]}"
					  : "");
	}
}

static void of_a_school_class_those_who_are_in_it_look_again(void **state)
{
	static const char raised[] = "{'classId':'" CLASS "','version':2,'title':'1年1組',"
				     "'status':'active','label':'II'}";
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	test_sql(&test, "DELETE FROM learning.outbox");
	assert_int_equal(bring(ID("701"), "class.changed", raised), 204);
	assert_string_equal(
		test_sql_text(&test, "SELECT label FROM learning.class WHERE id = '" CLASS "'"),
		"II");
	assert_string_equal(test_event(&test, "lesson.happened", ""),
		"{\"kind\":\"change\",\"recipients\":[],\"watchers\":[\"" PUPIL "\",\"" CLASSMATE
		"\",\"" TEACHER "\"]}");
	/* Notices of what is in it go, but those of its pupils, who see it. */
	const char *shut = test_event(&test, "lesson.happened", "\"kind\":\"shut\"");
	assert_non_null(strstr(shut, "\"assignmentId\":\"" ASSIGNMENT "\""));
	assert_non_null(strstr(shut, PUPIL));
	assert_non_null(strstr(shut, CLASSMATE));
	assert_null(strstr(shut, TEACHER));
	test_sql(&test, "DELETE FROM learning.outbox");
	assert_int_equal(bring(ID("702"), "class.changed", CLASS_OF("3", "active")), 204);
	assert_true(*test_event(&test, "lesson.happened", PUPIL));
}

/* Whatever becomes of the key afterwards. */
static void who_is_deleted_is_called_so_under_nobodys_key(void **state)
{
	assert_int_equal(bring(ID("701"), "user.changed", USER("1", "active", "山田")), 204);
	assert_string_equal(
		test_sql_text(&test, "SELECT left(name, 4) FROM learning.member"), "AQEA");
	assert_int_equal(bring(ID("702"), "user.changed", USER("2", "deleted", "削除済み")), 204);
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, PUPIL), OK);
	assert_string_equal(name(), "削除済み 花子 ヤマダ ﾊﾅｺ");
}

/* The key went before the event came; the one of the deletion follows. */
static void who_is_erased_meanwhile_holds_up_no_events(void **state)
{
	assert_int_equal(keyring_user_erase(test.keyring, TEST_TENANT, PUPIL), OK);
	assert_int_equal(bring(ID("701"), "user.changed", USER("1", "active", "山田")), 204);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM learning.member"), "0");
	assert_int_equal(bring(ID("702"), "user.changed", USER("2", "deleted", "削除済み")), 204);
	assert_string_equal(member("status"), "deleted");
}

static void add_archive(const char *id, const char *created_at, const char *state)
{
	test_sql(&test,
		arena_printf(test.arena,
			"INSERT INTO learning.archive_import (tenant_id, id, created_by, "
			"created_at,"
			" size, received, sealed_key, state) VALUES ('" TEST_TENANT
			"', '%s', '" CONTRACTOR "', '%s', 10, 10, " NO_MEDIA_KEY ", '%s')",
			id, created_at, state));
}

/* Events come when they come: what somebody began after the deletion is none of its business. */
static void archives_from_before_a_pupil_was_deleted_go(void **state)
{
	learning_media = media_store_open(test_directory(&test));
	add_archive(ID("801"), "2026-04-08T00:29:59Z", "uploading");
	add_archive(ID("802"), "2026-04-08T00:30:00.0009Z", "checked");
	add_archive(ID("803"), "2026-04-08T00:29:59Z", "applying");
	add_archive(ID("804"), "2026-04-08T00:30:00.001Z", "uploading");
	assert_int_equal(bring(ID("701"), "user.changed", USER("2", "deleted", "削除済み")), 204);
	assert_string_equal(test_sql_text(&test,
				    "SELECT string_agg(right(id::text, 3), ' ' ORDER BY id)"
				    " FROM learning.archive_import"),
		"803 804");
	media_store_close(learning_media);
}

static void what_is_not_for_us_is_refused(void **state)
{
	assert_int_equal(bring(ID("701"), "privileged.login", "{}"), 422);
	assert_int_equal(bring(ID("702"), "user.changed", "{'userId':'" PUPIL "'}"), 422);
	assert_int_equal(bring(ID("703"), "user.changed", USER("1", "sleeping", "山田")), 422);
	assert_string_equal(test_sql_text(&test, "SELECT count(*) FROM learning.inbox"), "0");
}

static void only_provisioning_may_tell(void **state)
{
	struct reply reply;
	const struct actor actor = test_actor(&test, TEST_TENANT, "audit", ROLE_SERVICE);
	const struct test_request request = { .operation = "event_accept",
		.actor = &actor,
		.caller = "gateway",
		.body = "{\"events\":[]}" };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
}

/* One teacher and 499 pupils, as many as a class may hold. */
static void an_assignment_for_a_class_of_500_can_be_told(void **state)
{
	add_people(&test);
	test_sql(&test,
		arena_printf(test.arena,
			"%sINSERT INTO learning.enrollment (tenant_id, id, version, class_id, "
			"user_id,"
			" role, status) SELECT '" TEST_TENANT "', gen_random_uuid(), 1, '" CLASS
			"', gen_random_uuid(), 'student', 'active' FROM generate_series(1, 497)",
			LESSON_TRIES));
	const struct reply made = ask(&test, T, "assignment_create", NULL,
		"{\"unitId\":\"" UNIT "\",\"classId\":\"" CLASS "\"}");
	expect_status(&made, 201, "assignment_create", T);
	const char *data = test_event(&test, "lesson.happened", "");
	struct buf event = { .arena = test.arena };
	buf_text(&event,
		"{\"id\":\"" ID("701") "\",\"type\":\"lesson.happened\","
				       "\"time\":\"2026-04-08T00:30:00.000Z\",\"data\":");
	json_quote(&event, data);
	buf_char(&event, '}');
	struct call c = { .arena = test.arena };
	struct common_event told = { 0 };
	assert_int_equal(shape_read_json(&c, &common_event_shape, event.data, event.n, &told), OK);
	struct lesson_happened happened = { 0 };
	assert_int_equal(shape_read_json(&c, event_lesson_happened.shape, told.data,
				 strlen(told.data), &happened),
		OK);
	assert_int_equal(happened.recipients.n, 499);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, open_world, close_world)
	const struct CMUnitTest tests[] = {
		FACT(the_higher_version_wins_in_any_order),
		FACT(an_event_takes_effect_once),
		FACT(what_was_deleted_does_not_come_back),
		FACT(an_enrolment_may_come_before_its_class_and_user),
		FACT(a_suspended_class_is_not_shown_and_is_kept),
		FACT(an_enrolment_counts_while_it_is_in_effect),
		FACT(a_class_that_changes_is_told_to_who_could_see_the_user_without_a_name),
		FACT(of_a_school_class_those_who_are_in_it_look_again),
		FACT(who_is_deleted_is_called_so_under_nobodys_key),
		FACT(who_is_erased_meanwhile_holds_up_no_events),
		FACT(archives_from_before_a_pupil_was_deleted_go),
		FACT(what_is_not_for_us_is_refused),
		FACT(only_provisioning_may_tell),
		FACT(an_assignment_for_a_class_of_500_can_be_told),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
