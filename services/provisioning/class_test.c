/* Facts about schools, classes and enrolments. */
#include "services/provisioning/provisioning_test.h"

static struct actor teacher;
static const char *class_id, *other_class_id, *pupil_id;

static const char *user_ref(const char *id)
{
	return arena_printf(test.arena, "{\"userId\":\"%s\"}", id);
}

static int open_school(void **state)
{
	int e = open_world(state);
	const char *id = add_user(&head, "sensei", "instructor", "せん", "せい");
	teacher = test_actor(&test, TEST_TENANT, id, ROLE_INSTRUCTOR);
	pupil_id = add_user(&head, "taro", "student", "さとう", "たろう");
	class_id = add_class(&head, "東小", "5-1");
	other_class_id = add_class(&head, "西小", "5-1");
	(void)expect(201, &head, "enrollment_create", params_of("classId", class_id), user_ref(id));
	return e;
}

static void a_class_is_made_in_a_school_and_told(void **state)
{
	const struct json *event = event_of(&event_class_changed, class_id);
	assert_string_equal(json_text(json_member(event, "title")), "5-1");
	assert_int_equal(json_integer(json_member(event, "version"), 0), 1);
	(void)expect(
		404, &head, "class_create", NULL, "{\"title\":\"x\",\"orgId\":\"" TEST_USER "\"}");
	struct answer answer = expect(409, &head, "org_create", NULL, "{\"name\":\"東小\"}");
	assert_string_equal(text_of(&answer, "code"), "org_name_taken");
}

static void an_instructor_sees_the_classes_taught(void **state)
{
	struct answer classes = expect(200, &teacher, "class_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&classes)), 1);
	assert_string_equal(
		json_text(json_member(json_item(items_of(&classes), 0), "id")), class_id);
	struct answer orgs = expect(200, &teacher, "org_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&orgs)), 1);
	(void)expect(200, &teacher, "enrollment_list", params_of("classId", class_id), NULL);
	(void)expect(404, &teacher, "enrollment_list", params_of("classId", other_class_id), NULL);
	classes = expect(200, &head, "class_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&classes)), 2);
}

static void enrolments_follow_the_role_and_the_reading(void **state)
{
	const char *params = params_of("classId", class_id);
	struct answer answer = expect(201, &head, "enrollment_create", params, user_ref(pupil_id));
	assert_string_equal(text_of(&answer, "role"), "student");
	const struct json *event = event_of(&event_enrollment_changed, text_of(&answer, "id"));
	assert_string_equal(json_text(json_member(event, "userId")), pupil_id);
	answer = expect(409, &head, "enrollment_create", params, user_ref(pupil_id));
	assert_string_equal(text_of(&answer, "code"), "already_enrolled");
	answer = expect(200, &head, "enrollment_list", params, NULL);
	assert_string_equal(
		json_text(json_member(json_item(items_of(&answer), 0), "kanaFamilyName")),
		"さとう");
	assert_string_equal(
		json_text(json_member(json_item(items_of(&answer), 1), "role")), "teacher");
	(void)expect(404, &head, "enrollment_create", params, user_ref(HEAD));
	(void)expect(404, &head, "enrollment_create", params, user_ref(TEST_USER));
}

static void an_enrolment_ends_and_may_begin_again(void **state)
{
	const char *params = params_of("classId", other_class_id);
	struct answer answer = expect(201, &head, "enrollment_create", params, user_ref(pupil_id));
	const char *id = text_of(&answer, "id");
	(void)expect(404, &other_head, "enrollment_delete", params_of("enrollmentId", id), NULL);
	(void)expect(204, &head, "enrollment_delete", params_of("enrollmentId", id), NULL);
	const struct json *event = event_of(&event_enrollment_changed, id);
	assert_string_equal(json_text(json_member(event, "status")), "deleted");
	(void)expect(404, &head, "enrollment_delete", params_of("enrollmentId", id), NULL);
	(void)expect(201, &head, "enrollment_create", params, user_ref(pupil_id));
}

static void a_class_holds_so_many_people(void **state)
{
	test_sql(&test,
		"CREATE FUNCTION public.any_id() RETURNS uuid LANGUAGE sql VOLATILE AS"
		" $$ SELECT overlay(gen_random_uuid()::text PLACING '7' FROM 15)::uuid $$");
	test_sql(&test,
		arena_printf(test.arena,
			"WITH p AS (INSERT INTO provisioning.person (tenant_id, id, login, "
			"login_index,"
			" role, name) SELECT '" TEST_TENANT
			"', public.any_id(), n.login, lpad(i::text, 43, '0'), 'student', n.name"
			" FROM generate_series(1, 500) i, provisioning.person n"
			" WHERE n.id = '" HEAD "' RETURNING id)"
			" INSERT INTO provisioning.enrollment (tenant_id, id, class_id, user_id, "
			"role)"
			" SELECT '" TEST_TENANT "', public.any_id(), '%s', p.id, 'student' FROM p"
			" LIMIT 499",
			other_class_id));
	const char *id = add_user(&head, "one-more", "student", "い", "い");
	struct answer answer = expect(409, &head, "enrollment_create",
		params_of("classId", other_class_id), user_ref(id));
	assert_string_equal(text_of(&answer, "code"), "class_full");
}

static const char *matching(const char *params, int version)
{
	return arena_printf(test.arena, "%s&ifMatch=%%22v%d%%22", params, version);
}

static const char *etag_of(const struct answer *answer)
{
	const char *headers = answer->reply.headers.data;
	return arena_strndup(test.arena, headers, (size_t)(strchr(headers, '\r') - headers));
}

static void a_class_is_changed_by_who_has_read_it(void **state)
{
	const char *params = params_of("classId", class_id);
	struct answer answer = expect(200, &head, "class_get", params, NULL);
	assert_string_equal(etag_of(&answer), "ETag: \"v1\"");
	answer = expect(200, &head, "class_update", matching(params, 1), "{\"title\":\"5-3\"}");
	assert_string_equal(etag_of(&answer), "ETag: \"v2\"");
	assert_string_equal(text_of(&answer, "title"), "5-3");
	assert_string_equal(text_of(&answer, "grade"), "P5");
	assert_int_equal(json_integer(json_member(answer.json, "studentCount"), 0), 1);
	answer = expect(412, &head, "class_update", matching(params, 1), "{\"title\":\"5-4\"}");
	assert_string_equal(text_of(&answer, "code"), "stale");
	(void)expect(422, &head, "class_update", params, "{\"title\":\"x\"}");
	(void)expect(404, &other_head, "class_update", matching(params, 2), "{\"title\":\"x\"}");
	(void)expect(404, &other_head, "class_get", params, NULL);
	(void)expect(200, &teacher, "class_get", params, NULL);
	(void)expect(404, &teacher, "class_get", params_of("classId", other_class_id), NULL);
}

/* ---- rest ---- */

static const char *home_class(const struct actor *actor)
{
	struct answer answer = { .json = NULL };
	test_dispatch(&test, &(struct test_request){ .operation = "home_part", .actor = actor },
		&answer.reply, NULL);
	assert_int_equal(json_parse(test.arena, (const char *)answer.reply.body.data,
				 answer.reply.body.n, &answer.json),
		OK);
	const char *title = text_of(&answer, "classTitle");
	return title ? title : "";
}

static void expect_taught(bool is_taught)
{
	const char *params = params_of("classId", class_id);
	struct answer orgs = expect(200, &teacher, "org_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&orgs)), is_taught);
	assert_string_equal(walk(&teacher, "class_list", NULL, "title"), is_taught ? "5-3 " : "");
	assert_string_equal(home_class(&teacher), is_taught ? "5-3" : "");
	(void)expect(is_taught ? 200 : 404, &teacher, "enrollment_list", params, NULL);
	(void)expect(is_taught ? 200 : 404, &teacher, "class_get", params, NULL);
}

static void a_suspended_class_is_shown_to_contractors_only(void **state)
{
	const char *params = params_of("classId", class_id);
	expect_taught(true);
	(void)expect(204, &head, "class_suspend", params, NULL);
	expect_taught(false);
	const struct json *event = event_of(&event_class_changed, class_id);
	assert_string_equal(json_text(json_member(event, "status")), "suspended");
	struct answer answer = expect(200, &head, "class_get", params, NULL);
	assert_string_equal(text_of(&answer, "status"), "suspended");
	assert_int_equal(json_integer(json_member(answer.json, "version"), 0), 3);
	(void)expect(404, &other_head, "class_suspend", params, NULL);
	(void)expect(404, &other_head, "class_restore", params, NULL);
}

static void nothing_begins_in_a_suspended_class(void **state)
{
	const char *id = add_user(&head, "late", "student", "おそ", "い");
	struct answer answer = expect(
		409, &head, "enrollment_create", params_of("classId", class_id), user_ref(id));
	assert_string_equal(text_of(&answer, "code"), "class_suspended");
}

static void a_restored_class_is_as_it_was(void **state)
{
	(void)expect(204, &head, "class_restore", params_of("classId", class_id), NULL);
	expect_taught(true);
	assert_string_equal(walk(&head, "enrollment_list", params_of("classId", class_id), "role"),
		"student teacher ");
	const struct json *event = event_of(&event_class_changed, class_id);
	assert_string_equal(json_text(json_member(event, "status")), "active");
}

/* ---- enrolments ---- */

static const char *enrollment_of(const char *user_id)
{
	return params_of("enrollmentId",
		test_sql_text(&test,
			arena_printf(test.arena,
				"SELECT id FROM provisioning.enrollment WHERE class_id = '%s'"
				" AND user_id = '%s'",
				class_id, user_id)));
}

static void an_enrolment_rests_and_comes_back(void **state)
{
	const char *params = enrollment_of(teacher.user_id);
	(void)expect(204, &head, "enrollment_suspend", params, NULL);
	expect_taught(false);
	struct answer answer = expect(200, &head, "enrollment_get", params, NULL);
	assert_string_equal(text_of(&answer, "status"), "suspended");
	const struct json *event = event_of(&event_enrollment_changed, text_of(&answer, "id"));
	assert_string_equal(json_text(json_member(event, "status")), "suspended");
	(void)expect(204, &head, "enrollment_restore", params, NULL);
	expect_taught(true);
	(void)expect(404, &other_head, "enrollment_suspend", params, NULL);
	(void)expect(404, &other_head, "enrollment_restore", params, NULL);
	(void)expect(404, &other_head, "enrollment_get", params, NULL);
}

static const char *day(int days)
{
	return test_sql_text(&test, arena_printf(test.arena, "SELECT tenancy.today() + %d", days));
}

static struct answer put(unsigned status, const char *params, int version, const char *body)
{
	return expect(status, &head, "enrollment_put", matching(params, version), body);
}

static void an_enrolment_is_in_effect_from_its_first_day_until_its_last(void **state)
{
	static const struct {
		int begin, end;
		bool is_taught;
	} spans[] = { { 0, 1, true }, { -9, 0, false }, { 1, 9, false }, { -1, 9, true } };
	const char *params = enrollment_of(teacher.user_id);
	int version = 3;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct answer answer = put(200, params, version++,
			arena_printf(test.arena,
				"{\"role\":\"teacher\",\"primary\":true,"
				"\"beginDate\":\"%s\",\"endDate\":\"%s\"}",
				day(spans[i].begin), day(spans[i].end)));
		assert_string_equal(text_of(&answer, "endDate"), day(spans[i].end));
		expect_taught(spans[i].is_taught);
	}
	const struct json *event = event_of(&event_enrollment_changed, strchr(params, '=') + 1);
	assert_string_equal(json_text(json_member(event, "beginDate")), day(-1));
	struct answer answer =
		put(200, params, version, "{\"role\":\"teacher\",\"primary\":false}");
	assert_null(text_of(&answer, "endDate"));
	assert_string_equal(etag_of(&answer), "ETag: \"v8\"");
}

static void a_change_of_an_enrolment_must_fit(void **state)
{
	const char *params = enrollment_of(pupil_id);
	struct answer answer = put(409, params, 1, "{\"role\":\"teacher\",\"primary\":false}");
	assert_string_equal(text_of(&answer, "code"), "enrollment_role_unfit");
	(void)put(422, params, 1, "{\"role\":\"student\",\"primary\":true}");
	(void)put(422, params, 1,
		"{\"role\":\"student\",\"primary\":false,\"beginDate\":\"2026-04-08\","
		"\"endDate\":\"2026-04-08\"}");
	(void)put(412, params, 2, "{\"role\":\"student\",\"primary\":false}");
	(void)expect(404, &other_head, "enrollment_put", matching(params, 1),
		"{\"role\":\"student\",\"primary\":false}");
}

/* ---- pages ---- */

static void classes_come_by_school_grade_and_title(void **state)
{
	static const char *const rows[][2] = { { "b", "\"J1\"" }, { "z", "null" },
		{ "a", "\"J1\"" }, { "d", "\"P6\"" }, { "c", "\"P6\"" } };
	struct answer org = expect(201, &other_head, "org_create", NULL, "{\"name\":\"南\"}");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)expect(201, &other_head, "class_create", NULL,
			arena_printf(test.arena, "{\"title\":\"%s\",\"orgId\":\"%s\",\"grade\":%s}",
				rows[i][0], text_of(&org, "id"), rows[i][1]));
	(void)add_class(&other_head, "北", "y");
	assert_string_equal(walk(&other_head, "class_list", NULL, "title"), "y c d a b z ");
	(void)expect(422, &other_head, "class_list", "cursor=AQAAAAA", NULL);
}

static void enrolments_come_by_reading(void **state)
{
	static const char *const people[][3] = { { "e1", "student", "う" },
		{ "e2", "instructor", "あ" }, { "e3", "student", "い" },
		{ "e4", "student", "え" } };
	const char *params = params_of("classId", add_class(&head, "中小", "1-1"));
	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
		const char *id = add_user(&head, people[i][0], people[i][1], people[i][2], "あ");
		(void)expect(201, &head, "enrollment_create", params, user_ref(id));
	}
	assert_string_equal(
		walk(&head, "enrollment_list", params, "kanaFamilyName"), "あ い う え ");
}

static void a_class_is_deleted_with_its_enrolments(void **state)
{
	const char *params = params_of("classId", class_id);
	(void)expect(404, &other_head, "class_delete", params, NULL);
	(void)expect(204, &head, "class_delete", params, NULL);
	const struct json *event = event_of(&event_class_changed, class_id);
	assert_string_equal(json_text(json_member(event, "status")), "deleted");
	assert_int_equal(json_integer(json_member(event, "version"), 0), 5);
	(void)expect(404, &head, "enrollment_list", params, NULL);
	(void)expect(404, &head, "class_delete", params, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_class_is_made_in_a_school_and_told),
		cmocka_unit_test(an_instructor_sees_the_classes_taught),
		cmocka_unit_test(enrolments_follow_the_role_and_the_reading),
		cmocka_unit_test(an_enrolment_ends_and_may_begin_again),
		cmocka_unit_test(a_class_holds_so_many_people),
		cmocka_unit_test(a_class_is_changed_by_who_has_read_it),
		cmocka_unit_test(a_suspended_class_is_shown_to_contractors_only),
		cmocka_unit_test(nothing_begins_in_a_suspended_class),
		cmocka_unit_test(a_restored_class_is_as_it_was),
		cmocka_unit_test(an_enrolment_rests_and_comes_back),
		cmocka_unit_test(an_enrolment_is_in_effect_from_its_first_day_until_its_last),
		cmocka_unit_test(a_change_of_an_enrolment_must_fit),
		cmocka_unit_test(classes_come_by_school_grade_and_title),
		cmocka_unit_test(enrolments_come_by_reading),
		cmocka_unit_test(a_class_is_deleted_with_its_enrolments),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_school, close_world);
}
