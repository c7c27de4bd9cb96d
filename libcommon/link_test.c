/* Facts about bus links: who can open one, and what is refused on it. */
#include "libcommon/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct link_keys keys_of(unsigned char byte)
{
	struct link_keys keys = { .n = 1 };
	memset(keys.keys[0], byte, KEY_SIZE);
	return keys;
}

static enum err shake(struct link *caller, struct link *callee, const struct link_keys *caller_keys,
	const struct link_keys *callee_keys)
{
	unsigned char hello[LINK_HELLO_MAX], welcome[LINK_WELCOME_SIZE];
	size_t n = link_hello(caller, caller_keys, "gateway", hello);
	enum err e = link_accept_hello(callee, callee_keys, hello, n, welcome);
	return e ? e : link_accept_welcome(caller, welcome, sizeof(welcome));
}

static void both_sides_read_each_other(void **state)
{
	struct link caller, callee;
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	link_seal(&caller, "hello", 5, sealed);
	assert_int_equal(link_open(&callee, sealed, sizeof(sealed), plain), OK);
	assert_memory_equal(plain, "hello", 5);
	link_seal(&callee, "world", 5, sealed);
	assert_int_equal(link_open(&caller, sealed, sizeof(sealed), plain), OK);
	assert_memory_equal(plain, "world", 5);
}

static void a_message_is_sealed_and_opened_in_its_place(void **state)
{
	static unsigned char message[100000 + LINK_OVERHEAD]; /* long enough for either library */
	static const size_t sizes[] = { 5, 100000 };
	struct link caller, callee;
	struct link_keys keys = keys_of(1);
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	for (size_t i = 0; i < 2; i++) {
		unsigned char *plain = message + LINK_HEAD;
		memset(plain, 'a', sizes[i]);
		link_seal(&caller, plain, sizes[i], message);
		assert_memory_not_equal(plain, "aaaaa", 5);
		assert_int_equal(link_open(&callee, message, sizes[i] + LINK_OVERHEAD, plain), OK);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(plain[at], 'a');
	}
}

static void another_key_proves_nothing(void **state)
{
	struct link caller, callee;
	struct link_keys ours = keys_of(1), theirs = keys_of(2);
	assert_int_equal(shake(&caller, &callee, &theirs, &ours), ERR_UNAUTHENTICATED);
}

static void the_key_before_is_accepted_during_a_rotation(void **state)
{
	struct link caller, callee;
	struct link_keys old = keys_of(1), both = keys_of(2);
	memcpy(both.keys[1], old.keys[0], KEY_SIZE);
	both.n = 2;
	assert_int_equal(shake(&caller, &callee, &old, &both), OK);
}

static void a_replayed_message_is_refused(void **state)
{
	struct link caller, callee;
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	link_seal(&caller, "hello", 5, sealed);
	assert_int_equal(link_open(&callee, sealed, sizeof(sealed), plain), OK);
	assert_int_equal(link_open(&callee, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void a_message_of_an_earlier_link_does_not_open(void **state)
{
	struct link caller, callee;
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	link_seal(&caller, "hello", 5, sealed);
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	assert_int_equal(link_open(&callee, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void a_message_does_not_open_in_the_other_direction(void **state)
{
	struct link caller, callee;
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	link_seal(&caller, "hello", 5, sealed);
	assert_int_equal(link_open(&caller, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct link caller, callee;
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&caller, &callee, &keys, &keys), OK);
	link_seal(&caller, "hello", 5, sealed);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(link_open(&callee, sealed, sizeof(sealed), plain), ERR_INVALID);
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_equal(link_open(&callee, sealed, sizeof(sealed), plain), OK);
}

static void names_that_leave_the_key_directory_are_refused(void **state)
{
	struct link caller;
	struct link_keys keys = keys_of(1);
	unsigned char hello[LINK_HELLO_MAX];
	char name[LINK_NAME_MAX + 1];
	size_t n = link_hello(&caller, &keys, "../x", hello);
	assert_int_equal(link_hello_name(hello, n, name), ERR_INVALID);
	n = link_hello(&caller, &keys, "", hello);
	assert_int_equal(link_hello_name(hello, n, name), ERR_INVALID);
	n = link_hello(&caller, &keys, "auth", hello);
	assert_int_equal(link_hello_name(hello, n, name), OK);
	assert_string_equal(name, "auth");
	assert_int_equal(link_hello_name(hello, n - 1, name), ERR_INVALID);
}

static void write_keys(const char *directory, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/a-b.key", directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void key_files_are_read_exactly(void **state)
{
	char directory[] = "/tmp/link_test.XXXXXX", path[128];
	struct link_keys keys;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(link_keys_read(directory, "a", "b", &keys), ERR_NOT_FOUND);
	write_keys(directory,
		"0000000000000000000000000000000000000000000000000000000000000001\n"
		"0000000000000000000000000000000000000000000000000000000000000002\n");
	assert_int_equal(link_keys_read(directory, "a", "b", &keys), OK);
	assert_int_equal(keys.n, 2);
	assert_int_equal(keys.keys[1][31], 2);
	write_keys(directory, "0001\n");
	assert_int_equal(link_keys_read(directory, "a", "b", &keys), ERR_INVALID);
	write_keys(directory, "");
	assert_int_equal(link_keys_read(directory, "a", "b", &keys), ERR_INVALID);
	snprintf(path, sizeof(path), "%s/a-b.key", directory);
	unlink(path);
	rmdir(directory);
}

static int start(void **state)
{
	crypto_start();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_read_each_other),
		cmocka_unit_test(a_message_is_sealed_and_opened_in_its_place),
		cmocka_unit_test(another_key_proves_nothing),
		cmocka_unit_test(the_key_before_is_accepted_during_a_rotation),
		cmocka_unit_test(a_replayed_message_is_refused),
		cmocka_unit_test(a_message_of_an_earlier_link_does_not_open),
		cmocka_unit_test(a_message_does_not_open_in_the_other_direction),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(names_that_leave_the_key_directory_are_refused),
		cmocka_unit_test(key_files_are_read_exactly),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
