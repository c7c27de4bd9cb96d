/* The inventory says what the code does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/algorithms.h"
#include "libcommon/crypto.h"

static const struct algorithm *row_of(const char *use)
{
	for (size_t i = 0; i < algorithms_n; i++)
		if (strcmp(algorithms[i].use, use) == 0)
			return &algorithms[i];
	return NULL;
}

static void a_password_is_hashed_as_it_says(void **state)
{
	char hash[PASSWORD_HASH_SIZE];
	const struct algorithm *row = row_of("passwordStudent");
	assert_int_equal(crypto_password_hash("とびばこ", PASSWORD_STUDENT_PASSES,
				 (size_t)PASSWORD_STUDENT_MIB << 20, hash),
		OK);
	assert_string_equal(row->figures[0].unit, "memory");
	struct arena *arena = arena_new();
	const char *head = arena_printf(arena, "$argon2id$v=19$m=%lld,t=%lld,",
		(long long)row->figures[0].value * 1024, (long long)row->figures[1].value);
	assert_memory_equal(hash, head, strlen(head));
	arena_free(arena);
}

static void parameters_read_well(void **state)
{
	struct arena *arena = arena_new();
	assert_string_equal(algorithm_parameters(arena, row_of("tenantText")),
		"key 256 bit, nonce 192 bit, tag 128 bit");
	assert_string_equal(algorithm_parameters(arena, row_of("media")),
		"key 256 bit, nonce 192 bit, tag 128 bit, chunk 65536 bytes");
	assert_string_equal(algorithm_parameters(arena, row_of("browser")), "");
	arena_free(arena);
}

static void each_use_stands_once(void **state)
{
	for (size_t i = 0; i < algorithms_n; i++)
		assert_ptr_equal(row_of(algorithms[i].use), &algorithms[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_hashed_as_it_says),
		cmocka_unit_test(parameters_read_well),
		cmocka_unit_test(each_use_stands_once),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
