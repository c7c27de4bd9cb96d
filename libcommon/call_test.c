#include "libcommon/cmocka_call.h"

#include <string.h>

#include "libcommon/call.h"
#include "libcommon/crypto.h"
#include "libcommon/json.h"

static int new_call(void **state)
{
	struct arena *arena = arena_new();
	struct call *c = arena_alloc(arena, sizeof(*c));
	c->arena = arena;
	c->call_id = "0190b6a0-0000-7000-8000-000000000001";
	*state = c;
	return 0;
}

static int free_call(void **state)
{
	struct call *c = *state;
	arena_free(c->arena);
	return 0;
}

static const struct json *problem(struct call *c)
{
	const struct json *json;
	const char *text = failure_json(c);
	assert_int_equal(json_parse(c->arena, text, strlen(text), &json), OK);
	return json;
}

static void failing_keeps_the_text_and_the_place(void **state)
{
	struct call *c = *state;
	assert_int_equal(fail(c, ERR_NOT_FOUND, "course %s", "x"), ERR_NOT_FOUND);
	assert_string_equal(c->failure.detail, "course x");
	assert_non_null(strstr(c->failure.place, "call_test.c:"));
	const struct json *json = problem(c);
	assert_string_equal(json_text(json_member(json, "type")), "urn:manabiya:problem:not_found");
	assert_string_equal(json_text(json_member(json, "title")), "見つかりません。");
	assert_int_equal(json_integer(json_member(json, "status"), 0), 404);
	assert_string_equal(json_text(json_member(json, "code")), "not_found");
	assert_string_equal(json_text(json_member(json, "detail")), "course x");
	assert_string_equal(json_text(json_member(json, "traceId")), c->call_id);
	assert_null(json_member(json, "errors"));
}

static void what_is_our_fault_is_not_told(void **state)
{
	struct call *c = *state;
	c->language = LANGUAGE_EN;
	assert_int_equal(fail(c, ERR_INTERNAL, "password is hunter2"), ERR_INTERNAL);
	assert_null(strstr(failure_json(c), "hunter2"));
	assert_int_equal(fail(c, ERR_UNAVAILABLE, "10.0.0.7 is down"), ERR_UNAVAILABLE);
	assert_null(strstr(failure_json(c), "10.0.0.7"));
	assert_string_equal(json_text(json_member(problem(c), "title")), "Not now: try later.");
}

static void a_problem_of_its_own_keeps_its_code_and_status(void **state)
{
	static const struct problem stale = { ERR_CONFLICT, 412, "stale", "古い", "stale" };
	struct call *c = *state;
	assert_int_equal(fail_as(c, &stale), ERR_CONFLICT);
	assert_int_equal(json_integer(json_member(problem(c), "status"), 0), 412);
	assert_null(json_member(problem(c), "detail"));
}

static void fields_gather_until_another_failure(void **state)
{
	struct call *c = *state;
	assert_int_equal(fail_field(c, "/a", "あ", "a"), ERR_INVALID);
	assert_int_equal(fail_field(c, "/b", "い", "b"), ERR_INVALID);
	const struct json *errors = json_member(problem(c), "errors");
	assert_int_equal(json_count(errors), 2);
	assert_string_equal(json_text(json_member(json_item(errors, 1), "pointer")), "/b");
	assert_string_equal(json_text(json_member(json_item(errors, 1), "detail")), "い");
	c->language = LANGUAGE_EN;
	errors = json_member(problem(c), "errors");
	assert_string_equal(json_text(json_member(json_item(errors, 1), "detail")), "b");
	assert_int_equal(fail(c, ERR_FORBIDDEN, "no"), ERR_FORBIDDEN);
	assert_int_equal(c->failure.fields_n, 0);
	assert_int_equal(fail_field(c, "/c", "う", "c"), ERR_INVALID);
	assert_int_equal(c->failure.fields_n, 1);
}

static void no_failure_reads_as_internal(void **state)
{
	assert_string_equal(json_text(json_member(problem(*state), "code")), "internal");
}

static void cursors_read_back(void **state)
{
	struct call *c = *state;
	static const char *const in[] = { "さとう", "", NULL, "z" };
	const char *out[4];
	const char *cursor = cursor_make(c, in, 4);
	assert_int_equal(cursor_read(c, cursor, out, 4), OK);
	assert_string_equal(out[0], "さとう");
	assert_string_equal(out[1], "");
	assert_null(out[2]);
	assert_string_equal(out[3], "z");
}

static void no_cursor_is_the_first_page(void **state)
{
	const char *out[2] = { "x", "y" };
	assert_int_equal(cursor_read(*state, NULL, out, 2), OK);
	assert_null(out[0]);
	assert_null(out[1]);
}

static void broken_cursors_are_refused(void **state)
{
	struct call *c = *state;
	static const char *const in[] = { "a", "b" };
	const char *out[3], *good = cursor_make(c, in, 2);
	const char *const bad[] = { "", "!", "AA", "AQ", "AQAF", "AQABAA",
		arena_strndup(c->arena, good, strlen(good) - 2),
		arena_printf(c->arena, "%sAA", good) };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cursor_read(c, bad[i], out, 2), ERR_INVALID);
	assert_int_equal(cursor_read(c, good, out, 3), ERR_INVALID);
	assert_int_equal(cursor_read(c, good, out, 1), ERR_INVALID);
}

#define IN_CALL(test_) cmocka_unit_test_setup_teardown(test_, new_call, free_call)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_CALL(failing_keeps_the_text_and_the_place),
		IN_CALL(what_is_our_fault_is_not_told),
		IN_CALL(a_problem_of_its_own_keeps_its_code_and_status),
		IN_CALL(fields_gather_until_another_failure),
		IN_CALL(no_failure_reads_as_internal),
		IN_CALL(cursors_read_back),
		IN_CALL(no_cursor_is_the_first_page),
		IN_CALL(broken_cursors_are_refused),
	};
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
