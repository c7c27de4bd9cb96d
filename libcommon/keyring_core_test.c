/* What a core dump would hold while keys are in use: every mapping that the kernel writes into one
 * is searched for their bytes. A service forbids core dumps as well (privileges.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/core_search.h"
#include "libcommon/keyring_file.h"
#include "libcommon/keyring_user.h"

#define TENANT "01920000-0000-7000-8000-00000000000a"
#define PUPIL "01920000-0000-7000-8000-0000000000aa"
/* Long and short texts are sealed by different libraries (crypto_aead.c). */
#define TEXT_SIZE 4096

/* In memory that is left out of core dumps, as are the keys' own. */
struct secrets {
	unsigned char root[KEY_SIZE], kek[KEY_SIZE], data_key[KEY_SIZE], pupils_key[KEY_SIZE];
	char root_hex[2 * KEY_SIZE + 1];
};

static char directory[] = "/tmp/keyring-core-test-XXXXXX";
static struct secrets *secrets;
static struct keyring *keyring;

/* ---- using keys ---- */

static void use_key(const unsigned char key[KEY_SIZE])
{
	static unsigned char plain[TEXT_SIZE], sealed[TEXT_SIZE + SEAL_OVERHEAD];
	const struct bytes place = { (const unsigned char *)TENANT, sizeof(TENANT) - 1 };
	const size_t sizes[] = { 20, TEXT_SIZE };
	for (size_t i = 0; i < 2; i++) {
		crypto_seal(key, place, plain, sizes[i], sealed);
		assert_int_equal(
			crypto_open(key, place, sealed, sizes[i] + SEAL_OVERHEAD, plain), OK);
	}
}

static void use_keys(void)
{
	const struct data_key which = { .domain = "text", .version = 1 };
	assert_int_equal(keyring_data_key(keyring, TENANT, which, secrets->data_key), OK);
	use_key(secrets->data_key);
	assert_int_equal(keyring_user_key(keyring, TENANT, which, PUPIL, secrets->pupils_key), OK);
	use_key(secrets->pupils_key);
}

static void learn_kek(void)
{
	const struct keyring_root root = {
		.text = secrets->root_hex, .before_text = "", .passphrase = ""
	};
	struct keyring_files files = { 0 };
	char name[KEYRING_NAME_SIZE];
	assert_null(keyring_files_open(&files, directory, &root));
	keyring_file_name(TENANT, 1, name);
	assert_int_equal(keyring_file_load(&files, TENANT, name, secrets->kek), OK);
	keyring_files_close(&files);
}

static int open_keyring(void **state)
{
	const char *const pupil = PUPIL;
	crypto_start();
	secrets = crypto_secret_alloc(sizeof *secrets);
	crypto_random(secrets->root, KEY_SIZE);
	for (size_t i = 0; i < KEY_SIZE; i++)
		snprintf(secrets->root_hex + 2 * i, 3, "%02x", secrets->root[i]);
	if (!mkdtemp(directory))
		return -1;
	keyring = keyring_open(directory, secrets->root_hex);
	return !keyring || keyring_create(keyring, TENANT) ||
			keyring_user_create(keyring, TENANT, &pupil, 1)
		? -1
		: 0;
}

static int close_keyring(void **state)
{
	struct erasure receipt;
	struct arena *arena = arena_new();
	enum err e = keyring_destroy(keyring, arena, TENANT, &receipt);
	keyring_close(keyring);
	arena_free(arena);
	crypto_secret_free(secrets);
	return e ? -1 : 0;
}

static void no_key_is_in_a_core_dump(void **state)
{
	use_keys();
	learn_kek();
	const unsigned char *const keys[] = { secrets->root, secrets->kek, secrets->data_key,
		secrets->pupils_key };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		assert_int_equal(core_search((struct bytes){ keys[i], KEY_SIZE }), 0);
	assert_int_equal(
		core_search((struct bytes){ (unsigned char *)secrets->root_hex, 2 * KEY_SIZE }), 0);
}

/* What lies where everything lies is found: so what is not found above is not there. */
static void what_is_in_usual_memory_is_found(void **state)
{
	unsigned char on_stack[KEY_SIZE], *on_heap = malloc(KEY_SIZE);
	crypto_random(secrets->data_key, KEY_SIZE);
	memcpy(on_stack, secrets->data_key, KEY_SIZE);
	memcpy(on_heap, secrets->data_key, KEY_SIZE);
	assert_int_equal(core_search((struct bytes){ secrets->data_key, KEY_SIZE }), 2);
	crypto_wipe(on_stack, KEY_SIZE);
	crypto_wipe(on_heap, KEY_SIZE);
	free(on_heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_key_is_in_a_core_dump),
		cmocka_unit_test(what_is_in_usual_memory_is_found),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_keyring, close_keyring);
}
