/* Facts about codes of authenticator apps. The vectors are those of RFC 6238, appendix B, whose
 * eight digits end in our six. */
#include "libcommon/testing.h"

#include <string.h>

#include "services/auth/auth.h"

static struct arena *arena;
static const unsigned char SECRET[] = "12345678901234567890";

static void codes_are_those_of_the_standard(void **state)
{
	static const struct {
		int64_t unix_s;
		const char *code;
	} rows[] = {
		{ 59, "287082" },
		{ 1111111109, "081804" },
		{ 1111111111, "050471" },
		{ 1234567890, "005924" },
		{ 2000000000, "279037" },
		{ INT64_C(20000000000), "353130" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(
			totp_code(arena, SECRET, totp_step(rows[i].unix_s * 1000)), rows[i].code);
}

static void codes_of_the_steps_beside_are_good_and_no_others(void **state)
{
	const int64_t now_ms = INT64_C(1775606410000), step = totp_step(now_ms);
	for (int64_t aside = -3; aside <= 3; aside++) {
		int64_t found =
			totp_find(arena, SECRET, totp_code(arena, SECRET, step + aside), now_ms);
		assert_int_equal(found, aside >= -1 && aside <= 1 ? step + aside : 0);
	}
	assert_int_equal(totp_find(arena, SECRET, "", now_ms), 0);
	assert_int_equal(totp_find(arena, SECRET, "12345x", now_ms), 0);
	assert_int_equal(totp_find(arena, SECRET, "1234567", now_ms), 0);
}

static void the_secret_is_written_as_apps_read_it(void **state)
{
	static const unsigned char ones[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
					    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
	assert_string_equal(totp_secret_text(arena, SECRET), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	assert_string_equal(totp_secret_text(arena, ones), "77777777777777777777777777777777");
	assert_string_equal(totp_uri(arena, SECRET, "minami", "kanri"),
		"otpauth://totp/Manabiya:kanri@minami?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		"&issuer=Manabiya&algorithm=SHA1&digits=6&period=30");
}

static int open_arena(void **state)
{
	crypto_start();
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
		cmocka_unit_test(codes_are_those_of_the_standard),
		cmocka_unit_test(codes_of_the_steps_beside_are_good_and_no_others),
		cmocka_unit_test(the_secret_is_written_as_apps_read_it),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_arena, free_arena);
}
