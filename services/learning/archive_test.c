/* What an archive holds of lessons: every type, page by page, and only of the own tenant. */
#include "libcommon/db.h"
#include "services/learning/archive.h"
#include "services/learning/lesson_world.h"

static struct test test;

static const char *lines_of(const char *tenant_id, const char *type, int max)
{
	struct buf out = { .arena = test.arena };
	struct archived_lines lines = { 0 };
	const struct actor actor = test_actor(&test, tenant_id, "learning", ROLE_SERVICE);
	struct call c = test_call(&test, &actor);
	buf_text(&out, "");
	do {
		assert_int_equal(
			archive_lines(&c,
				archived_type_find(learning_archived, LEARNING_ARCHIVED_N, type),
				lines.next_cursor, max, &lines),
			OK);
		for (size_t i = 0; i < lines.n; i++)
			buf_printf(&out, "%s\n", lines.items[i]);
	} while (lines.next_cursor);
	db_rollback(c.db);
	return out.data;
}

static void every_type_comes_whole_whatever_the_page(void **state)
{
	for (size_t i = 0; i < LEARNING_ARCHIVED_N; i++) {
		const char *whole = lines_of(TEST_TENANT, learning_archived[i].name, 200);
		assert_string_not_equal(whole, "");
		assert_string_equal(lines_of(TEST_TENANT, learning_archived[i].name, 1), whole);
		assert_string_equal(lines_of(TEST_OTHER_TENANT, learning_archived[i].name, 1), "");
	}
}

static void a_line_is_read_again_by_the_shape_that_wrote_it(void **state)
{
	const struct actor actor = test_actor(&test, TEST_TENANT, "learning", ROLE_SERVICE);
	for (size_t i = 0; i < LEARNING_ARCHIVED_N; i++) {
		const struct archived_type *type = &learning_archived[i];
		const char *line = lines_of(TEST_TENANT, type->name, 200);
		struct call c = test_call(&test, &actor);
		void *row = arena_alloc(test.arena, type->shape->size);
		struct buf again = { .arena = test.arena };
		size_t n = strcspn(line, "\n");
		assert_int_equal(shape_read_json(&c, type->shape, line, n, row), OK);
		shape_write_json(type->shape, row, &again);
		assert_string_equal(again.data, arena_strndup(test.arena, line, n));
		db_rollback(c.db);
	}
}

static void the_class_of_an_object_comes_along(void **state)
{
	test_sql(&test,
		"UPDATE learning.try SET label = 'II', label_by = 'student' WHERE id = '" SHARED
		"'; UPDATE learning.unit SET label = 'III'");
	assert_non_null(strstr(lines_of(TEST_TENANT, "try", 200),
		"\"shared\":true,\"label\":\"II\",\"labelBy\":\"student\""));
	assert_non_null(strstr(lines_of(TEST_TENANT, "unit", 200), "\"label\":\"III\""));
}

static void texts_come_in_clear(void **state)
{
	assert_non_null(strstr(lines_of(TEST_TENANT, "goal", 200),
		"\"userId\":\"" PUPIL "\",\"goal\":\"まっすぐ\",\"condition\":4"));
	assert_non_null(strstr(lines_of(TEST_TENANT, "comment", 200),
		"\"positionMs\":1500,\"text\":\"あごを引いて\""));
	assert_non_null(strstr(lines_of(TEST_TENANT, "evaluation", 200),
		"\"knowledgeAndSkills\":\"A\",\"thinkingJudgementExpression\":\"B\","
		"\"proactiveAttitude\":\"A\",\"note\":\"よくできた\",\"evaluatedAt\""));
	assert_non_null(strstr(lines_of(TEST_TENANT, "reflection", 200),
		"\"tryId\":\"" SHARED "\",\"feeling\":3,\"writtenAt\""));
	assert_non_null(strstr(lines_of(TEST_TENANT, "unit", 200),
		"\"skills\":[{\"skillId\":\"" SKILL "\",\"modelMediaId\":\"" MODEL "\"}]"));
}

static void say_about_the_shared_try(void)
{
	struct reply reply = ask(&test, T, "comment_create", "tryId=" SHARED,
		"{\"positionMs\":1500,\"text\":\"あごを引いて\"}");
	expect_status(&reply, 201, "comment_create", T);
	reply = ask(&test, T, "evaluation_put", "tryId=" SHARED,
		"{\"knowledgeAndSkills\":\"A\",\"thinkingJudgementExpression\":\"B\","
		"\"proactiveAttitude\":\"A\",\"note\":\"よくできた\"}");
	expect_status(&reply, 200, "evaluation_put", T);
}

static int open_world(void **state)
{
	test_open(&test, &learning_under_test);
	add_people(&test);
	test_sql(&test, LESSON_TRIES);
	add_words(&test);
	say_about_the_shared_try();
	return 0;
}

static int close_world(void **state)
{
	test_close(&test);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_whole_whatever_the_page),
		cmocka_unit_test(a_line_is_read_again_by_the_shape_that_wrote_it),
		cmocka_unit_test(the_class_of_an_object_comes_along),
		cmocka_unit_test(texts_come_in_clear),
	};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
