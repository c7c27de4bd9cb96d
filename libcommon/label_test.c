/* Facts about what is left out of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/label.h"

struct grades {
	const char *text;
};
struct lesson {
	struct grades *grades, *kept;
	struct lesson *other;
	struct {
		struct lesson *items;
		size_t n;
	} lessons;
};

static const struct shape grades_shape = {
	.name = "grades", .size = sizeof(struct grades), .label = LABEL_II
};
static const struct shape lesson_shape;
static const struct field lesson_fields[] = {
	{ .name = "grades",
		.kind = KIND_OBJECT,
		.offset = offsetof(struct lesson, grades),
		.shape = &grades_shape },
	{ .name = "kept",
		.kind = KIND_OBJECT,
		.required = true,
		.offset = offsetof(struct lesson, kept),
		.shape = &grades_shape },
	{ .name = "other",
		.kind = KIND_OBJECT,
		.offset = offsetof(struct lesson, other),
		.shape = &lesson_shape },
	{ .name = "lessons",
		.kind = KIND_ARRAY,
		.offset = offsetof(struct lesson, lessons),
		.shape = &lesson_shape },
};
static const struct shape lesson_shape = { .name = "lesson",
	.size = sizeof(struct lesson),
	.fields = lesson_fields,
	.fields_n = 4,
	.label = LABEL_III };

/* How many of the grades, everywhere in it, are still there. */
static int grades_left(const struct actor *actor)
{
	struct grades a = { "A" };
	struct lesson items[2] = { { .grades = &a, .kept = &a }, { .grades = &a, .kept = &a } };
	struct lesson other = { .grades = &a, .kept = &a, .lessons = { items, 2 } };
	struct lesson lesson = { .grades = &a, .kept = &a, .other = &other };
	label_withhold(actor, &lesson_shape, &lesson);
	assert_ptr_equal(lesson.other, &other);
	assert_ptr_equal(items[1].kept, &a);
	return (lesson.grades != NULL) + (other.grades != NULL) + (items[0].grades != NULL) +
		(items[1].grades != NULL);
}

static void what_is_graver_is_left_out_wherever_it_stands(void **state)
{
	const struct actor one = { .factors = 1, .needs_second_factor = true };
	assert_int_equal(grades_left(&one), 0);
}

static void with_two_factors_or_none_wanted_all_is_there(void **state)
{
	const struct actor two = { .factors = 2, .needs_second_factor = true };
	const struct actor pupil = { .factors = 1 };
	assert_int_equal(grades_left(&two), 4);
	assert_int_equal(grades_left(&pupil), 4);
}

static void classes_open_as_the_guideline_says(void **state)
{
	const struct actor one = { .factors = 1, .needs_second_factor = true };
	assert_false(label_is_open(&one, LABEL_I));
	assert_false(label_is_open(&one, LABEL_II));
	assert_true(label_is_open(&one, LABEL_III));
	assert_true(label_is_open(&one, LABEL_IV));
	assert_true(label_is_open(&one, LABEL_NONE));
	assert_string_equal(label_name(LABEL_II), "II");
	assert_string_equal(label_name(LABEL_NONE), "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_graver_is_left_out_wherever_it_stands),
		cmocka_unit_test(with_two_factors_or_none_wanted_all_is_there),
		cmocka_unit_test(classes_open_as_the_guideline_says),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
