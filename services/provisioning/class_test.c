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
		arena_printf(test.arena,
			"WITH p AS (INSERT INTO provisioning.person (tenant_id, id, username, role,"
			" family_name, given_name, kana_family_name, kana_given_name)"
			" SELECT '" TEST_TENANT
			"', gen_random_uuid(), 'many' || i, 'student', 'a', 'a',"
			" 'a', 'a' FROM generate_series(1, 500) i RETURNING id)"
			" INSERT INTO provisioning.enrollment (tenant_id, id, class_id, user_id, "
			"role)"
			" SELECT '" TEST_TENANT "', gen_random_uuid(), '%s', p.id, 'student' FROM p"
			" LIMIT 499",
			other_class_id));
	const char *id = add_user(&head, "one-more", "student", "い", "い");
	struct answer answer = expect(409, &head, "enrollment_create",
		params_of("classId", other_class_id), user_ref(id));
	assert_string_equal(text_of(&answer, "code"), "class_full");
}

static void a_class_is_renamed_and_deleted_with_its_enrolments(void **state)
{
	const char *params = params_of("classId", class_id);
	struct answer answer = expect(200, &head, "class_update", params, "{\"title\":\"5-3\"}");
	assert_string_equal(text_of(&answer, "title"), "5-3");
	assert_string_equal(text_of(&answer, "grade"), "P5");
	assert_int_equal(json_integer(json_member(answer.json, "studentCount"), 0), 1);
	(void)expect(404, &other_head, "class_update", params, "{\"title\":\"x\"}");
	(void)expect(404, &other_head, "class_delete", params, NULL);
	(void)expect(204, &head, "class_delete", params, NULL);
	const struct json *event = event_of(&event_class_changed, class_id);
	assert_string_equal(json_text(json_member(event, "status")), "deleted");
	assert_int_equal(json_integer(json_member(event, "version"), 0), 3);
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
		cmocka_unit_test(a_class_is_renamed_and_deleted_with_its_enrolments),
	};
	return cmocka_run_group_tests(tests, open_school, close_world);
}
