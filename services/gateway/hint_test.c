/* Facts about what services push: for whom it is, and that only kinds and ids pass. */
#include "services/gateway/hint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int start(void **state)
{
	arena = arena_new();
	return 0;
}

static int stop(void **state)
{
	arena_free(arena);
	return 0;
}

static bool read_hint(const char *topic, const char *body, struct hint *out)
{
	return hint_read(arena, topic, body, strlen(body), out);
}

static bool hears(const struct hint *hint, const char *tenant, const char *user, enum role role)
{
	const struct actor actor = { .tenant_id = tenant, .user_id = user, .role = role };
	return audience_has(&hint->audience, &actor);
}

static void a_notice_is_for_its_users(void **state)
{
	struct hint hint;
	assert_true(read_hint("notice",
		"{\"tenant\":\"t\",\"users\":[\"a\",\"b\"],\"kind\":\"comment\",\"tryId\":\"1\"}",
		&hint));
	assert_true(hears(&hint, "t", "a", ROLE_STUDENT) && hears(&hint, "t", "b", ROLE_STUDENT));
	assert_false(hears(&hint, "t", "c", ROLE_STUDENT) || hears(&hint, "u", "a", ROLE_STUDENT));
	assert_string_equal(hint.data, "{\"kind\":\"comment\",\"tryId\":\"1\"}");
}

static void an_announcement_is_for_its_role(void **state)
{
	struct hint hint;
	assert_true(read_hint("announcement",
		"{\"tenant\":null,\"audience\":\"student\",\"announcementId\":\"7\"}", &hint));
	assert_true(hears(&hint, "t", "a", ROLE_STUDENT) && hears(&hint, "u", "b", ROLE_STUDENT));
	assert_false(hears(&hint, "t", "a", ROLE_INSTRUCTOR));
	assert_true(
		read_hint("announcement", "{\"tenant\":\"t\",\"audience\":\"everyone\"}", &hint));
	assert_true(hears(&hint, "t", "a", ROLE_OPERATOR));
	assert_false(hears(&hint, "u", "a", ROLE_STUDENT));
}

static void nothing_else_passes(void **state)
{
	struct hint hint;
	assert_true(read_hint("notice",
		"{\"tenant\":\"t\",\"users\":[],\"familyName\":\"x\",\"text\":\"y\"}", &hint));
	assert_string_equal(hint.data, "{}");
	assert_false(hears(&hint, "t", "a", ROLE_STUDENT));
	static const char *const broken[][2] = {
		{ "notice", "{\"users\":[\"a\"]}" },
		{ "notice", "[1" },
		{ "announcement", "{\"audience\":\"nobody\"}" },
		{ "announcement", "{}" },
		{ "session.revoked", "{}" },
	};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_false(read_hint(broken[i][0], broken[i][1], &hint));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_notice_is_for_its_users, start, stop),
		cmocka_unit_test_setup_teardown(an_announcement_is_for_its_role, start, stop),
		cmocka_unit_test_setup_teardown(nothing_else_passes, start, stop),
	};
	return cmocka_run_group_tests_name("hint", tests, NULL, NULL);
}
