/* Facts about schools. */
#include "services/provisioning/provisioning_test.h"

static const char *add_org(const struct actor *actor, const char *name)
{
	struct answer answer = expect(201, actor, "org_create", NULL,
		arena_printf(test.arena, "{\"name\":\"%s\"}", name));
	return text_of(&answer, "id");
}

static void a_school_is_added_once(void **state)
{
	assert_non_null(add_org(&head, "東小"));
	struct answer answer = expect(409, &head, "org_create", NULL, "{\"name\":\"東小\"}");
	assert_string_equal(text_of(&answer, "code"), "org_name_taken");
	assert_non_null(add_org(&other_head, "東小"));
	(void)expect(422, &head, "org_create", NULL, "{\"name\":\"\"}");
}

static void schools_are_listed_by_name_within_the_contract(void **state)
{
	(void)add_org(&other_head, "西小");
	struct answer answer = expect(200, &other_head, "org_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&answer)), 2);
	assert_string_equal(
		json_text(json_member(json_item(items_of(&answer), 0), "type")), "school");
}

static void an_instructor_who_teaches_nowhere_sees_no_school(void **state)
{
	const char *id = add_user(&head, "sensei", "instructor", "せん", "せい");
	struct actor teacher = test_actor(&test, TEST_TENANT, id, ROLE_INSTRUCTOR);
	struct answer answer = expect(200, &teacher, "org_list", NULL, NULL);
	assert_int_equal(json_count(items_of(&answer)), 0);
	(void)expect(403, &teacher, "org_create", NULL, "{\"name\":\"南小\"}");
}

static void schools_come_page_by_page(void **state)
{
	static const char *const names[] = { "d", "b", "e", "a", "c" };
	for (size_t i = 0; i < 5; i++)
		(void)add_org(&head, names[i]);
	assert_string_equal(walk(&head, "org_list", NULL, "name"), "a b c d e 東小 ");
	(void)expect(422, &head, "org_list", "cursor=AQAAAAA", NULL);
	(void)expect(422, &head, "org_list", "limit=201", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_school_is_added_once),
		cmocka_unit_test(schools_are_listed_by_name_within_the_contract),
		cmocka_unit_test(an_instructor_who_teaches_nowhere_sees_no_school),
		cmocka_unit_test(schools_come_page_by_page),
		cmocka_unit_test(ids_are_version_7_and_accounts_have_people),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
