#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/samples.h"

static void take(struct samples *samples, const char *text)
{
	samples_add(samples, text, strlen(text));
}

static void equal_series_add_up_and_families_stand_together(void **state)
{
	struct arena *arena = arena_new();
	struct samples *samples = samples_new(arena);
	struct buf out = { .arena = arena };
	take(samples, "# HELP x\na_total{s=\"1\"} 2\nb_bucket{le=\"+Inf\"} 1\nb_sum 0.5\n");
	take(samples, "c 7\na_total{s=\"2\"} 1\nbroken\nb_count 1\na_total{s=\"3\"} nan?\n");
	take(samples, "a_total{s=\"1\"} 3\nb_sum 0.25");
	samples_write(samples, &out);
	assert_string_equal(out.data,
		"# TYPE a_total counter\na_total{s=\"1\"} 5\na_total{s=\"2\"} 1\n"
		"# TYPE b histogram\nb_bucket{le=\"+Inf\"} 1\nb_sum 0.75\nb_count 1\n"
		"# TYPE c gauge\nc 7\n");
	arena_free(arena);
}

static void a_flood_of_series_is_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct samples *samples = samples_new(arena);
	struct buf out = { .arena = arena };
	for (int i = 0; i < 20000; i++) {
		take(samples, arena_printf(arena, "a{i=\"%d\"} 1\n", i));
	}
	take(samples, "a{i=\"0\"} 1\n");
	samples_write(samples, &out);
	assert_non_null(strstr(out.data, "a{i=\"0\"} 2\n"));
	assert_null(strstr(out.data, "a{i=\"19999\"}"));
	arena_free(arena);
}

/* Two lines whose names differ only behind it must not be taken for one. */
static void a_line_with_a_nul_is_no_line(void **state)
{
	static const char text[] = "a\0b 1\na\0c 2\na 4\n";
	struct arena *arena = arena_new();
	struct samples *samples = samples_new(arena);
	struct buf out = { .arena = arena };
	samples_add(samples, text, sizeof(text) - 1);
	samples_write(samples, &out);
	assert_string_equal(out.data, "# TYPE a gauge\na 4\n");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_series_add_up_and_families_stand_together),
		cmocka_unit_test(a_flood_of_series_is_bounded),
		cmocka_unit_test(a_line_with_a_nul_is_no_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
