/* Facts about which passwords are taken, without a database. */
#include "libcommon/cmocka_call.h"

#include <string.h>

#include "services/auth/auth.h"

static struct arena *arena;

static enum err check(enum role role, const char *password, struct call *c)
{
	static const unsigned char key[KEY_SIZE] = "of a school";
	*c = (struct call){ .arena = arena };
	const struct password_context context = {
		.policy = policy_of(role),
		.login_key = key,
		.login_index = login_index(c, key, "y.tanabe"),
		.tenant_code = "Minami03",
		.current = "k3vd-92mq-zzt4-7hxw",
	};
	return password_check(c, &context, password, "/newPassword");
}

static void good_ones_are_taken(void **state)
{
	static const char *const good[] = { "tetsubou7mai", "kaze to sora", "ぞうさんとくじら",
		"Xk9#mQ2vB", "umi4hoshi2", "3bikinokobuta", "逆上がりができた日",
		"🦊🐢🐬🦉🌻🍙🎈🚲", "minami03 no neko" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct call c;
		if (check(ROLE_STUDENT, good[i], &c) != OK)
			fail_msg("%s: %s", good[i], c.failure.fields[0].en);
	}
}

static const char REPEAT[] = "repeats the same characters";
static const char ROW[] = "is little more than a row of the keyboard or the alphabet";
static const char NAME[] = "is little more than the username or the school code";
static const char WORD[] = "is little more than a word that everybody takes";
static const char SAME[] = "is little more than the password so far";
static const char SHORT[] = "must have at least 8 characters";

static void guessable_ones_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *password, *reason;
	} rows[] = {
		{ "", SHORT },
		{ "umi4hos", SHORT },
		{ "くじらくじらく", SHORT }, /* characters, not bytes */
		{ "aaaaaaaa", REPEAT },
		{ "abababababab", REPEAT },
		{ "umi4umi4umi4", REPEAT },
		{ "さくさくさくさく", REPEAT },
		{ "11112222", REPEAT },
		{ "12345678", ROW },
		{ "87654321", ROW },
		{ "123456789", ROW },
		{ "abcdefgh1", ROW },
		{ "abcd1234", ROW },
		{ "qwertyui", ROW },
		{ "QWERTY123", ROW },
		{ "poiuytrewq", ROW },
		{ "1qaz2wsx", ROW },
		{ "asdfghjk", ROW },
		{ "あぃいぅうぇえぉ", ROW },
		{ "y.tanabe", NAME },
		{ "Y.Tanabe12", NAME },
		{ "minami03", NAME },
		{ "minami0399", NAME },
		{ "password", WORD },
		{ "Password1!", WORD },
		{ "doraemon", WORD },
		{ "sakura99", WORD },
		{ "パスワード123", WORD },
		{ "k3vd-92mq-zzt4-7hxw", SAME },
		{ "K3VD-92MQ-ZZT4-7HXW1", SAME },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct call c;
		assert_int_equal(check(ROLE_STUDENT, rows[i].password, &c), ERR_INVALID);
		assert_int_equal(c.failure.fields_n, 1);
		assert_string_equal(c.failure.fields[0].pointer, "/newPassword");
		if (strcmp(c.failure.fields[0].en, rows[i].reason) != 0)
			fail_msg("%s: %s", rows[i].password, c.failure.fields[0].en);
		assert_true(strlen(c.failure.fields[0].ja) > 0);
	}
}

static void staff_need_more(void **state)
{
	struct call c;
	static const enum role staff[] = { ROLE_OPERATOR, ROLE_CONTRACTOR, ROLE_INSTRUCTOR };
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(check(staff[i], "tetsubou7maime", &c), ERR_INVALID);
		assert_string_equal(c.failure.fields[0].en, "must have at least 15 characters");
		assert_string_equal(c.failure.fields[0].ja, "15文字以上にしてください。");
		assert_int_equal(check(staff[i], "tetsubou7maimee", &c), OK);
	}
}

static int open_arena(void **state)
{
	arena = arena_new();
	return 0;
}

static int free_arena(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken),
		cmocka_unit_test(guessable_ones_are_refused_with_the_reason),
		cmocka_unit_test(staff_need_more),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_arena, free_arena);
}
