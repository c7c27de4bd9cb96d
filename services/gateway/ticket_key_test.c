#include "services/gateway/ticket_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcommon/core_search.h"

enum { LIFETIME = 1000 };

static struct ticket_keys *keys;

static void a_key_seals_for_its_lifetime_and_opens_for_two(void **state)
{
	keys = ticket_keys_new(LIFETIME, 0);
	const struct ticket_key first = *ticket_keys_current(keys, LIFETIME - 1);
	assert_ptr_equal(ticket_keys_find(keys, first.name, LIFETIME - 1), &keys->current);
	const struct ticket_key second = *ticket_keys_current(keys, LIFETIME);
	assert_memory_not_equal(first.name, second.name, sizeof first.name);
	assert_memory_not_equal(first.cipher, second.cipher, sizeof first.cipher);
	assert_memory_not_equal(first.mac, second.mac, sizeof first.mac);
	const struct ticket_key *found = ticket_keys_find(keys, first.name, 2 * LIFETIME - 1);
	assert_ptr_equal(found, &keys->previous);
	assert_memory_equal(found->cipher, first.cipher, sizeof first.cipher);
	assert_null(ticket_keys_find(keys, first.name, 2 * LIFETIME));
	ticket_keys_free(keys);
}

static void nobody_asking_makes_no_key_older(void **state)
{
	keys = ticket_keys_new(LIFETIME, 0);
	const struct ticket_key first = *ticket_keys_current(keys, 0);
	assert_null(ticket_keys_find(keys, first.name, 10 * LIFETIME));
	assert_memory_not_equal(
		ticket_keys_current(keys, 10 * LIFETIME)->name, first.name, sizeof first.name);
	ticket_keys_free(keys);
}

static void a_stranger_names_no_key(void **state)
{
	unsigned char name[TICKET_NAME_SIZE] = { 0 };
	keys = ticket_keys_new(LIFETIME, 0);
	assert_null(ticket_keys_find(keys, name, 0));
	ticket_keys_free(keys);
}

static void no_key_is_in_a_core_dump(void **state)
{
	keys = ticket_keys_new(LIFETIME, 0);
	(void)ticket_keys_current(keys, LIFETIME);
	const unsigned char *const parts[] = { keys->current.cipher, keys->current.mac,
		keys->previous.cipher, keys->previous.mac };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		assert_int_equal(core_search((struct bytes){ parts[i], TICKET_SECRET_SIZE }), 0);
	ticket_keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_key_is_in_a_core_dump), /* first: others make copies */
		cmocka_unit_test(a_key_seals_for_its_lifetime_and_opens_for_two),
		cmocka_unit_test(nobody_asking_makes_no_key_older),
		cmocka_unit_test(a_stranger_names_no_key),
	};
	crypto_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
