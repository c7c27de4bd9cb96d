#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/paseto.h"

/* The specification's vectors 4-S-1 (no footer), 4-S-2 (with one) and 4-S-3 (with one and an
 * implicit assertion); we refuse the latter two. Of v4.public there are no others. */
#define SEED "b4cbfb43df4ce210727d953e4a713307fa19bb7d9f85041438d9e11b942a3774"
#define PAYLOAD "{\"data\":\"this is a signed message\",\"exp\":\"2022-01-01T00:00:00+00:00\"}"
#define TOKEN_1                                                                                    \
	"v4.public."                                                                               \
	"eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDow"         \
	"MCswMDowMCJ9bg_XBBzds8lTZShVlwwKSgeKpLT3yukTw6JUz3W4h_ExsQV-"                             \
	"P0V54zemZDcAxFaSeef1QlXEFtkqx"                                                            \
	"T1ciiQEDA"
#define TOKEN_2                                                                                    \
	"v4.public."                                                                               \
	"eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDow"         \
	"MCswMDowMCJ9v3Jt8mx_TdM2ceTGoqwrh4yDFn0XsHvvV_D0DtwQxVrJEBMl0F2caAdgnpKlt4p7xBnx1HcO-SPo" \
	"8FPp214HDw.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9"
#define TOKEN_3_CUT                                                                                \
	"v4.public."                                                                               \
	"eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDow"         \
	"MCswMDowMCJ9NPWciuD3d0o5eXJXG5pJy-DiVEoyPYWs1YSTwWHNJq6DZD3je5gf-0M4JR9ipdUSJbIovzmBECea" \
	"WmaqcaP0DQ"
#define TOKEN_3                                                                                    \
	TOKEN_3_CUT ".eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9"

static struct arena *arena;
static unsigned char public_key[PUBLIC_KEY_SIZE], signing_key[SIGNING_KEY_SIZE];

static void official_vector_is_made(void **state)
{
	struct bytes payload = { (const unsigned char *)PAYLOAD, strlen(PAYLOAD) };
	assert_string_equal(paseto_sign(arena, signing_key, payload), TOKEN_1);
}

static void official_vector_verifies(void **state)
{
	struct bytes payload;
	assert_int_equal(paseto_verify(arena, public_key, TOKEN_1, &payload), OK);
	assert_string_equal(payload.data, PAYLOAD);
	assert_int_equal(payload.n, strlen(PAYLOAD));
}

static void other_tokens_are_refused(void **state)
{
	static const char *const tokens[] = { "", "v4.public.", "v4.public.AAAA", "v4.local.AAAA",
		"v3.public.AAAA", TOKEN_2, TOKEN_3, TOKEN_3_CUT, TOKEN_1 ".", TOKEN_1 "=",
		TOKEN_1 "A" };
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
		struct bytes payload;
		assert_int_equal(
			paseto_verify(arena, public_key, tokens[i], &payload), ERR_UNAUTHENTICATED);
	}
}

static void every_changed_character_is_noticed(void **state)
{
	char *token = arena_strdup(arena, TOKEN_1);
	for (size_t i = 0; token[i]; i++) {
		char kept = token[i];
		struct bytes payload;
		token[i] = kept == 'A' ? 'B' : 'A';
		assert_int_equal(
			paseto_verify(arena, public_key, token, &payload), ERR_UNAUTHENTICATED);
		token[i] = kept;
	}
}

static void every_truncation_is_noticed(void **state)
{
	for (size_t n = 0; n < strlen(TOKEN_1); n++) {
		struct bytes payload;
		assert_int_equal(paseto_verify(arena, public_key, arena_strndup(arena, TOKEN_1, n),
					 &payload),
			ERR_UNAUTHENTICATED);
	}
}

static void another_key_is_refused(void **state)
{
	unsigned char other[PUBLIC_KEY_SIZE], unused_key[SIGNING_KEY_SIZE];
	unsigned char seed[KEY_SIZE] = { 1 };
	crypto_sign_keys(seed, other, unused_key);
	struct bytes payload;
	assert_int_equal(paseto_verify(arena, other, TOKEN_1, &payload), ERR_UNAUTHENTICATED);
}

static int open_keys(void **state)
{
	crypto_start();
	arena = arena_new();
	unsigned char seed[KEY_SIZE];
	enum err e = crypto_from_hex(SEED, seed, sizeof seed);
	crypto_sign_keys(seed, public_key, signing_key);
	return e ? -1 : 0;
}

static int free_arena(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(official_vector_is_made),
		cmocka_unit_test(official_vector_verifies),
		cmocka_unit_test(other_tokens_are_refused),
		cmocka_unit_test(every_changed_character_is_noticed),
		cmocka_unit_test(every_truncation_is_noticed),
		cmocka_unit_test(another_key_is_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_keys, free_arena);
}
