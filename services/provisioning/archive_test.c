/* What an archive holds of provisioning: every type, page by page, and only of the own tenant. */
#include "services/provisioning/provisioning_test.h"

static struct actor learning, elsewhere;

/* The lines of a type as one text, asked for `max` at a time. */
static const char *lines_of(const struct actor *actor, const char *type, int max)
{
	struct buf out = { .arena = test.arena };
	const char *cursor = "";
	buf_text(&out, "");
	do {
		struct reply reply;
		const struct json *page;
		const struct test_request request = { .operation = "archive_read",
			.actor = actor,
			.caller = "learning",
			.params = arena_printf(test.arena, "type=%s&max=%d%s", type, max, cursor) };
		test_dispatch(&test, &request, &reply, NULL);
		assert_int_equal(reply.status, 200);
		assert_int_equal(
			json_parse(test.arena, (const char *)reply.body.data, reply.body.n, &page),
			OK);
		const struct json *lines = json_member(page, "lines");
		for (size_t i = 0; i < json_count(lines); i++)
			buf_printf(&out, "%s\n", json_text(json_item(lines, i)));
		cursor = json_text(json_member(page, "nextCursor"));
		if (cursor)
			cursor = arena_printf(test.arena, "&cursor=%s", cursor);
	} while (cursor);
	return out.data;
}

static const char *const TYPES[] = { "org", "user", "class", "enrollment", "feature", "roster_org",
	"roster_role", "roster_enrollment" };

static void every_type_comes_whole_whatever_the_page(void **state)
{
	for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
		const char *whole = lines_of(&learning, TYPES[i], 200);
		assert_string_not_equal(whole, "");
		assert_string_equal(lines_of(&learning, TYPES[i], 1), whole);
		assert_string_equal(lines_of(&learning, TYPES[i], 2), whole);
	}
}

static void people_come_with_their_names_in_clear(void **state)
{
	assert_non_null(strstr(lines_of(&learning, "user", 200),
		"{\"id\":\"" HEAD "\",\"username\":\"head\",\"role\":\"contractor\","
		"\"familyName\":\"長\",\"givenName\":\"一\",\"kanaFamilyName\":\"おさ\","
		"\"kanaGivenName\":\"はじめ\",\"status\":\"active\""));
}

/* Or a move would lower it without a reason. */
static void the_class_that_a_user_was_raised_to_goes_along(void **state)
{
	test_sql(&test, "UPDATE provisioning.person SET label = 'II' WHERE id = '" HEAD "'");
	assert_non_null(strstr(lines_of(&learning, "user", 200), "\"label\":\"II\""));
	test_sql(&test,
		"UPDATE provisioning.person SET label = NULL;"
		"UPDATE provisioning.class SET label = 'III'");
	assert_null(strstr(lines_of(&learning, "user", 200), "label"));
	assert_non_null(strstr(lines_of(&learning, "class", 200), "\"label\":\"III\""));
	test_sql(&test, "UPDATE provisioning.class SET label = NULL");
}

static void whose_end_has_begun_is_marked(void **state)
{
	static const char mark[] = "\"kanaGivenName\":\"はじめ\",\"status\":\"tobedeleted\"";
	test_sql(&test,
		"INSERT INTO provisioning.user_erasure (tenant_id, id, user_id, due_at) VALUES"
		" ('" TEST_TENANT "', gen_random_uuid(), '" HEAD "', now())");
	assert_non_null(strstr(lines_of(&learning, "user", 200), mark));
	test_sql(&test, "DELETE FROM provisioning.user_erasure");
	assert_null(strstr(lines_of(&learning, "user", 200), mark));
}

static void a_line_is_read_again_by_the_shape_that_wrote_it(void **state)
{
	static const struct shape *const shapes[] = { &provisioning_archived_org_shape,
		&provisioning_archived_user_shape, &provisioning_archived_class_shape,
		&provisioning_archived_enrollment_shape, &provisioning_archived_feature_shape,
		&provisioning_roster_org_shape, &provisioning_roster_role_shape,
		&provisioning_roster_enrollment_shape };
	for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
		const char *line = lines_of(&learning, TYPES[i], 200);
		struct call c = test_call(&test, &learning);
		void *row = arena_alloc(test.arena, shapes[i]->size);
		struct buf again = { .arena = test.arena };
		size_t n = strcspn(line, "\n");
		assert_int_equal(shape_read_json(&c, shapes[i], line, n, row), OK);
		shape_write_json(shapes[i], row, &again);
		assert_string_equal(again.data, arena_strndup(test.arena, line, n));
		db_rollback(c.db);
	}
}

static void limits_of_people_come_before_the_contract_s(void **state)
{
	assert_string_equal(lines_of(&learning, "feature", 1),
		"{\"userId\":\"" HEAD "\",\"denied\":[\"peer_comment\"]}\n"
		"{\"denied\":[\"peer_comment\",\"video_upload\"]}\n");
}

#define DISTRICT "01890000-0000-7000-8000-000000000e00"
#define EAST "01890000-0000-7000-8000-000000000e01"
#define WEST "01890000-0000-7000-8000-000000000e02"
#define TEACHER "01890000-0000-7000-8000-000000000a01"
#define NEWCOMER "01890000-0000-7000-8000-000000000a02"

static void schools_are_under_the_district(void **state)
{
	assert_string_equal(lines_of(&learning, "roster_org", 200),
		"{\"id\":\"" DISTRICT "\",\"name\":\"市\",\"type\":\"district\","
		"\"hasClasses\":false}\n"
		"{\"id\":\"" EAST
		"\",\"name\":\"東小\",\"type\":\"school\",\"parentId\":\"" DISTRICT
		"\",\"hasClasses\":true}\n"
		"{\"id\":\"" WEST
		"\",\"name\":\"西小\",\"type\":\"school\",\"parentId\":\"" DISTRICT
		"\",\"hasClasses\":true}\n");
}

/* Once in each school, however many classes; administrators in the district, whatever they teach.
 */
static void roles_are_where_people_are(void **state)
{
	assert_string_equal(lines_of(&learning, "roster_role", 200),
		"{\"userId\":\"" HEAD "\",\"role\":\"contractor\",\"orgIds\":[\"" DISTRICT "\"]}\n"
		"{\"userId\":\"" TEACHER "\",\"role\":\"instructor\",\"orgIds\":[\"" EAST
		"\",\"" WEST "\"]}\n"
		"{\"userId\":\"" NEWCOMER "\",\"role\":\"student\",\"orgIds\":[\"" DISTRICT
		"\"]}\n");
}

static void another_tenant_gets_its_own(void **state)
{
	const char *users = lines_of(&elsewhere, "user", 200);
	assert_non_null(strstr(users, OTHER_HEAD));
	assert_null(strstr(users, "\"" HEAD "\""));
	assert_string_equal(lines_of(&elsewhere, "class", 200), "");
}

static void nobody_else_may_ask(void **state)
{
	struct reply reply;
	struct test_request request = { .operation = "archive_read",
		.actor = &learning,
		.caller = "notification",
		.params = "type=user&max=1" };
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
	request.actor = &head;
	request.caller = "learning";
	test_dispatch(&test, &request, &reply, NULL);
	assert_int_equal(reply.status, 403);
}

static const char WORLD[] =
	"INSERT INTO provisioning.org (tenant_id, id, name, type) VALUES"
	" ('" TEST_TENANT "', '" DISTRICT "', '市', 'district'),"
	" ('" TEST_TENANT "', '" EAST "', '東小', 'school'),"
	" ('" TEST_TENANT "', '" WEST "', '西小', 'school');"
	"INSERT INTO provisioning.class (tenant_id, id, org_id, title, grade) SELECT '" TEST_TENANT
	"', ('01890000-0000-7000-8000-000000000f0' || n)::uuid,"
	" (CASE WHEN n < 4 THEN '" EAST "' ELSE '" WEST "' END)::uuid, n || '組', 'P1'"
	" FROM generate_series(1, 5) n;"
	"INSERT INTO provisioning.enrollment (tenant_id, id, class_id, user_id, role, is_primary,"
	" begin_date) SELECT '" TEST_TENANT "', gen_random_uuid(), k.id, '" HEAD
	"', 'teacher', true, '2026-04-01' FROM provisioning.class k;"
	"INSERT INTO provisioning.person_feature (tenant_id, user_id, feature) VALUES"
	" ('" TEST_TENANT "', '" HEAD "', 'peer_comment');"
	"INSERT INTO provisioning.tenant_feature (tenant_id, feature) VALUES"
	" ('" TEST_TENANT "', 'video_upload'), ('" TEST_TENANT "', 'peer_comment');";

static int open_archive_world(void **state)
{
	int result = open_world(state);
	add_person(TEST_TENANT, TEACHER, "sensei", "instructor");
	add_person(TEST_TENANT, NEWCOMER, "tenkou", "student");
	test_sql(&test, WORLD);
	test_sql(&test,
		"INSERT INTO provisioning.enrollment (tenant_id, id, class_id, user_id, role)"
		" SELECT '" TEST_TENANT "', gen_random_uuid(), k.id, '" TEACHER "', 'teacher'"
		" FROM provisioning.class k");
	learning = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	elsewhere = test_actor(&test, TEST_OTHER_TENANT, "learning", ROLE_SERVICE);
	return result;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_whole_whatever_the_page),
		cmocka_unit_test(people_come_with_their_names_in_clear),
		cmocka_unit_test(the_class_that_a_user_was_raised_to_goes_along),
		cmocka_unit_test(whose_end_has_begun_is_marked),
		cmocka_unit_test(a_line_is_read_again_by_the_shape_that_wrote_it),
		cmocka_unit_test(limits_of_people_come_before_the_contract_s),
		cmocka_unit_test(schools_are_under_the_district),
		cmocka_unit_test(roles_are_where_people_are),
		cmocka_unit_test(another_tenant_gets_its_own),
		cmocka_unit_test(nobody_else_may_ask),
	};
	return cmocka_run_group_tests(tests, open_archive_world, close_world);
}
