#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/crypto.h"

#define MEMORY (1u << 20) /* small, so that the test is quick */

static void password_verifies_exactly(void **state)
{
	char hash[PASSWORD_HASH_SIZE];
	assert_int_equal(crypto_password_hash("逆上がり tomorrow", 1, MEMORY, hash), OK);
	assert_memory_equal(hash, "$argon2id$v=19$m=1024,t=1,p=1$", 30);
	assert_true(crypto_password_verify(hash, "逆上がり tomorrow"));
	assert_false(crypto_password_verify(hash, "逆上がり tomorrow "));
	assert_false(crypto_password_verify(hash, "逆上がり Tomorrow"));
	assert_false(crypto_password_verify(hash, ""));
	assert_false(crypto_password_verify("$argon2id$v=19$broken", "x"));
}

/* From the reference implementation's own tests (phc-winner-argon2, src/test.c). */
static void hash_of_the_reference_implementation_verifies(void **state)
{
	static const char hash[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
				   "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
	assert_true(crypto_password_verify(hash, "password"));
	assert_false(crypto_password_verify(hash, "Password"));
}

static void other_costs_are_stale(void **state)
{
	char hash[PASSWORD_HASH_SIZE];
	assert_int_equal(crypto_password_hash("secret", 1, MEMORY, hash), OK);
	assert_false(crypto_password_is_stale(hash, 1, MEMORY));
	assert_true(crypto_password_is_stale(hash, 2, MEMORY));
	assert_true(crypto_password_is_stale(hash, 1, 2 * MEMORY));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(password_verifies_exactly),
		cmocka_unit_test(hash_of_the_reference_implementation_verifies),
		cmocka_unit_test(other_costs_are_stale),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
