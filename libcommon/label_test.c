/* Facts about what is left out of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours is of another kind */

#include "libcommon/call.h"
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

/* What is shut of an answer as a whole; left_out says whether more proof would have shown more. */
static enum label_bar left_out;
static enum label withhold(
	const struct actor *actor, int64_t now_ms, const struct shape *shape, void *out)
{
	left_out = LABEL_WANTS_PASSWORD;
	return label_withhold(actor, now_ms, shape, out, &left_out);
}

/* How many of the grades, everywhere in it, are still there. */
static int grades_left(const struct actor *actor)
{
	struct grades a = { "A" };
	struct lesson items[2] = { { .grades = &a, .kept = &a }, { .grades = &a, .kept = &a } };
	struct lesson other = { .grades = &a, .kept = &a, .lessons = { items, 2 } };
	struct lesson lesson = { .grades = &a, .kept = &a, .other = &other };
	assert_int_equal(withhold(actor, 0, &lesson_shape, &lesson), LABEL_NONE);
	assert_ptr_equal(lesson.other, &other);
	assert_ptr_equal(items[1].kept, &a);
	return (lesson.grades != NULL) + (other.grades != NULL) + (items[0].grades != NULL) +
		(items[1].grades != NULL);
}

static void what_is_graver_is_left_out_wherever_it_stands(void **state)
{
	const struct actor one = { .factors = 1, .needs_second_factor = true };
	assert_int_equal(grades_left(&one), 0);
	assert_int_equal(left_out, LABEL_WANTS_FACTOR);
}

static void with_two_factors_or_none_wanted_all_is_there(void **state)
{
	const struct actor two = { .factors = 2, .needs_second_factor = true };
	const struct actor pupil = { .factors = 1 };
	assert_int_equal(grades_left(&two), 4);
	assert_int_equal(grades_left(&pupil), 4);
	assert_int_equal(left_out, LABEL_OPEN);
}

/* ---- single objects ---- */

struct video {
	const char *id, *label;
};
struct video_page {
	struct video *first, *kept;
	struct {
		struct video *items;
		size_t n;
	} items;
};
static const struct field video_fields[] = {
	{ .name = "id", .offset = offsetof(struct video, id) },
	{ .name = "label", .raised = true, .offset = offsetof(struct video, label) },
};
static const struct shape video_shape = { .name = "video",
	.size = sizeof(struct video),
	.fields = video_fields,
	.fields_n = 2,
	.label = LABEL_III };
static const struct field page_fields[] = {
	{ .name = "first",
		.kind = KIND_OBJECT,
		.offset = offsetof(struct video_page, first),
		.shape = &video_shape },
	{ .name = "kept",
		.kind = KIND_OBJECT,
		.required = true,
		.offset = offsetof(struct video_page, kept),
		.shape = &video_shape },
	{ .name = "items",
		.kind = KIND_ARRAY,
		.offset = offsetof(struct video_page, items),
		.shape = &video_shape },
};
static const struct shape page_shape = {
	.name = "page", .size = sizeof(struct video_page), .fields = page_fields, .fields_n = 3
};

#define NOW_MS 1000000000
static const struct actor one_factor = {
	.factors = 1, .needs_second_factor = true, .authenticated_unix_ms = NOW_MS
};
static const struct actor stale = { .factors = 2,
	.needs_second_factor = true,
	.authenticated_unix_ms = NOW_MS - STEP_UP_LIFETIME_MS - 1 };
static const struct actor fresh = {
	.factors = 2, .needs_second_factor = true, .authenticated_unix_ms = NOW_MS
};

static void raised_items_leave_a_list_and_the_rest_stays_in_order(void **state)
{
	struct video items[] = { { "a", NULL }, { "b", "II" }, { "c", "III" }, { "d", "I" } };
	struct video kept = { "k", NULL };
	struct video_page page = { .kept = &kept, .items = { items, 4 } };
	assert_int_equal(withhold(&fresh, NOW_MS, &page_shape, &page), LABEL_NONE);
	assert_int_equal(page.items.n, 4);
	assert_int_equal(left_out, LABEL_OPEN);
	assert_int_equal(withhold(&stale, NOW_MS, &page_shape, &page), LABEL_NONE);
	assert_int_equal(page.items.n, 3);
	assert_int_equal(left_out, LABEL_WANTS_PASSWORD);
	assert_string_equal(page.items.items[1].id, "b");
	assert_int_equal(withhold(&one_factor, NOW_MS, &page_shape, &page), LABEL_NONE);
	assert_int_equal(page.items.n, 2);
	assert_int_equal(left_out, LABEL_WANTS_FACTOR);
	assert_string_equal(page.items.items[0].id, "a");
	assert_string_equal(page.items.items[1].id, "c");
}

static void a_raised_object_is_left_out_or_shuts_the_whole(void **state)
{
	struct video second = { "a", "II" }, first = { "b", "I" };
	struct video_page page = { .first = &second, .kept = &second };
	assert_int_equal(withhold(&one_factor, NOW_MS, &page_shape, &page), LABEL_II);
	assert_null(page.first);
	assert_int_equal(left_out, LABEL_WANTS_FACTOR);
	assert_ptr_equal(page.kept, &second);
	page.kept = &first;
	assert_int_equal(withhold(&one_factor, NOW_MS, &page_shape, &page), LABEL_I);
	assert_int_equal(withhold(&stale, NOW_MS, &page_shape, &page), LABEL_I);
	assert_int_equal(withhold(&fresh, NOW_MS, &page_shape, &page), LABEL_NONE);
	assert_int_equal(withhold(&one_factor, NOW_MS, &video_shape, &second), LABEL_II);
	assert_int_equal(label_raised(&video_shape, &first), LABEL_I);
	assert_int_equal(label_raised(&page_shape, &page), LABEL_NONE);
}

/* What is shown counts, and nothing else. */
static void an_answer_is_of_the_gravest_class_that_it_holds(void **state)
{
	struct video items[] = { { "a", NULL }, { "b", "II" } };
	struct video kept = { "k", NULL }, first = { "f", "I" };
	struct video_page page = { .kept = &kept };
	assert_int_equal(label_held(&page_shape, &page), LABEL_III); /* that of the type */
	page.items.items = items;
	page.items.n = 2;
	assert_int_equal(label_held(&page_shape, &page), LABEL_II);
	page.first = &first;
	assert_int_equal(label_held(&page_shape, &page), LABEL_I);
	assert_int_equal(withhold(&one_factor, NOW_MS, &page_shape, &page), LABEL_NONE);
	assert_int_equal(label_held(&page_shape, &page), LABEL_III);
	kept.label = "I";
	assert_int_equal(label_held(&page_shape, &page), LABEL_I);
	assert_int_equal(label_held(&video_shape, &items[0]), LABEL_NONE);
}

static const char *header_of(struct arena *arena, enum label_bar bar)
{
	struct buf headers = { .arena = arena };
	label_bar_header(bar, &headers);
	return headers.n ? headers.data : "";
}

static void a_header_says_what_would_show_more(void **state)
{
	struct arena *arena = arena_new();
	assert_string_equal(header_of(arena, LABEL_OPEN), "");
	assert_string_equal(
		header_of(arena, LABEL_WANTS_FACTOR), "Manabiya-Withheld: second-factor\r\n");
	assert_string_equal(
		header_of(arena, LABEL_WANTS_PASSWORD), "Manabiya-Withheld: step-up\r\n");
	arena_free(arena);
}

static void lowering_needs_a_reason_and_the_right_hand(void **state)
{
	static const struct {
		enum label from, to;
		bool by_student, raised_by_student;
		const char *reason, *code;
	} changes[] = {
		{ LABEL_NONE, LABEL_II, false, false, NULL, NULL },
		{ LABEL_NONE, LABEL_II, true, true, NULL, NULL },
		{ LABEL_NONE, LABEL_III, true, true, NULL, NULL },
		{ LABEL_II, LABEL_I, true, false, NULL, NULL },
		{ LABEL_II, LABEL_II, true, false, NULL, NULL },
		{ LABEL_II, LABEL_III, false, false, NULL, "label_reason_required" },
		{ LABEL_II, LABEL_III, false, true, "consent_given", NULL },
		{ LABEL_I, LABEL_II, true, true, NULL, "label_reason_required" },
		{ LABEL_I, LABEL_II, true, true, "consent_given", NULL },
		{ LABEL_I, LABEL_II, true, false, "consent_given", "label_raised_by_teacher" },
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct call c = { .arena = NULL };
		const struct label_change change = { LABEL_III, changes[i].from, changes[i].to,
			changes[i].by_student, changes[i].raised_by_student, changes[i].reason };
		c.arena = arena_new();
		assert_int_equal(!label_change_check(&c, &change), !changes[i].code);
		if (changes[i].code)
			assert_string_equal(c.failure.problem->code, changes[i].code);
		arena_free(c.arena);
	}
}

static void classes_open_as_the_guideline_says(void **state)
{
	static const struct {
		const struct actor *actor;
		enum label label;
		enum label_bar bar;
	} bars[] = {
		{ &one_factor, LABEL_I, LABEL_WANTS_FACTOR },
		{ &one_factor, LABEL_II, LABEL_WANTS_FACTOR },
		{ &one_factor, LABEL_III, LABEL_OPEN },
		{ &one_factor, LABEL_NONE, LABEL_OPEN },
		{ &stale, LABEL_I, LABEL_WANTS_PASSWORD },
		{ &stale, LABEL_II, LABEL_OPEN },
		{ &fresh, LABEL_I, LABEL_OPEN },
	};
	for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++)
		assert_int_equal(label_bar(bars[i].actor, bars[i].label, NOW_MS), bars[i].bar);
	assert_string_equal(label_name(LABEL_II), "II");
	assert_string_equal(label_name(LABEL_NONE), "");
	assert_int_equal(label_from_name("III"), LABEL_III);
	assert_int_equal(label_from_name("V"), LABEL_NONE);
	assert_int_equal(label_from_name(NULL), LABEL_NONE);
	assert_int_equal(label_gravest(LABEL_NONE, LABEL_IV), LABEL_IV);
	assert_int_equal(label_gravest(LABEL_III, LABEL_II), LABEL_II);
	assert_true(label_is_for_pupils(LABEL_NONE) && label_is_for_pupils(LABEL_III));
	assert_false(label_is_for_pupils(LABEL_II) || label_is_for_pupils(LABEL_I));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_graver_is_left_out_wherever_it_stands),
		cmocka_unit_test(with_two_factors_or_none_wanted_all_is_there),
		cmocka_unit_test(raised_items_leave_a_list_and_the_rest_stays_in_order),
		cmocka_unit_test(a_raised_object_is_left_out_or_shuts_the_whole),
		cmocka_unit_test(an_answer_is_of_the_gravest_class_that_it_holds),
		cmocka_unit_test(a_header_says_what_would_show_more),
		cmocka_unit_test(lowering_needs_a_reason_and_the_right_hand),
		cmocka_unit_test(classes_open_as_the_guideline_says),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
