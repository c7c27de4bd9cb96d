/* Facts about bus links: who can open one, and what is refused on it. */
#include "libcommon/link.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/core_search.h"

/* Both ends of one link, made anew by each shake(). */
static struct link *caller, *callee;

static void hang_up(void)
{
	link_free(caller);
	link_free(callee);
	caller = callee = NULL;
}

static struct link_keys keys_of(unsigned char byte)
{
	struct link_keys keys = { .n = 1 };
	memset(keys.keys[0], byte, KEY_SIZE);
	return keys;
}

static enum err shake(const struct link_keys *caller_keys, const struct link_keys *callee_keys)
{
	unsigned char hello[LINK_HELLO_MAX], welcome[LINK_WELCOME_SIZE];
	size_t n;
	hang_up();
	caller = link_hello(caller_keys, "gateway", hello, &n);
	enum err e = link_accept_hello(callee_keys, hello, n, welcome, &callee);
	return e ? e : link_accept_welcome(caller, welcome, sizeof(welcome));
}

static void both_sides_read_each_other(void **state)
{
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&keys, &keys), OK);
	link_seal(caller, "hello", 5, sealed);
	assert_int_equal(link_open(callee, sealed, sizeof(sealed), plain), OK);
	assert_memory_equal(plain, "hello", 5);
	link_seal(callee, "world", 5, sealed);
	assert_int_equal(link_open(caller, sealed, sizeof(sealed), plain), OK);
	assert_memory_equal(plain, "world", 5);
}

static void a_message_is_sealed_and_opened_in_its_place(void **state)
{
	static unsigned char message[100000 + LINK_OVERHEAD]; /* long enough for either library */
	static const size_t sizes[] = { 5, 100000 };
	struct link_keys keys = keys_of(1);
	assert_int_equal(shake(&keys, &keys), OK);
	for (size_t i = 0; i < 2; i++) {
		unsigned char *plain = message + LINK_HEAD;
		memset(plain, 'a', sizes[i]);
		link_seal(caller, plain, sizes[i], message);
		assert_memory_not_equal(plain, "aaaaa", 5);
		assert_int_equal(link_open(callee, message, sizes[i] + LINK_OVERHEAD, plain), OK);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(plain[at], 'a');
	}
}

static void another_key_proves_nothing(void **state)
{
	struct link_keys ours = keys_of(1), theirs = keys_of(2);
	assert_int_equal(shake(&theirs, &ours), ERR_UNAUTHENTICATED);
}

static void the_key_before_is_accepted_during_a_rotation(void **state)
{
	struct link_keys old = keys_of(1), both = keys_of(2);
	memcpy(both.keys[1], old.keys[0], KEY_SIZE);
	both.n = 2;
	assert_int_equal(shake(&old, &both), OK);
}

static void the_key_of_a_link_is_known_again(void **state)
{
	struct link_keys old = keys_of(1), both = keys_of(2);
	memcpy(both.keys[1], old.keys[0], KEY_SIZE);
	both.n = 2;
	assert_int_equal(shake(&old, &both), OK);
	assert_true(link_is_under(caller, old.keys[0]));
	assert_false(link_is_under(caller, both.keys[0]));
}

/* As of a caller that has no key left, or never had one: everybody knows what zeros prove. */
static enum err welcome_by_zeros(const unsigned char random[KEY_SIZE])
{
	static const unsigned char zeros[KEY_SIZE], label[] = "welcome";
	enum { LABEL = sizeof(label) - 1 };
	unsigned char welcome[LINK_WELCOME_SIZE] = { LINK_WELCOME }, text[LABEL + 2 * KEY_SIZE];
	memcpy(text, label, LABEL);
	memcpy(text + LABEL, random, KEY_SIZE);
	memcpy(text + LABEL + KEY_SIZE, welcome + 1, KEY_SIZE);
	crypto_keyed_hash(zeros, text, sizeof(text), welcome + 1 + KEY_SIZE);
	return link_accept_welcome(caller, welcome, sizeof(welcome));
}

static void zeros_welcome_nobody(void **state)
{
	struct link_keys zeros = keys_of(0), keys = keys_of(1);
	unsigned char hello[LINK_HELLO_MAX], welcome[LINK_WELCOME_SIZE];
	const unsigned char *random = hello + 2 + strlen("auth");
	size_t n;
	hang_up();
	caller = link_hello(&zeros, "auth", hello, &n);
	assert_int_equal(welcome_by_zeros(random), OK); /* who has such a key is welcomed by it */
	hang_up();
	caller = link_hello(&keys, "auth", hello, &n);
	assert_int_equal(welcome_by_zeros(random), ERR_UNAUTHENTICATED);
	assert_int_equal(link_accept_hello(&keys, hello, n, welcome, &callee), OK);
	assert_int_equal(link_accept_welcome(caller, welcome, sizeof(welcome)), OK);
	assert_int_equal(welcome_by_zeros(random), ERR_INVALID); /* its key is wiped by now */
}

static void before_it_is_proven_nothing_opens(void **state)
{
	static const unsigned char zeros[KEY_SIZE];
	struct link_keys keys = keys_of(1);
	unsigned char hello[LINK_HELLO_MAX], sealed[LINK_OVERHEAD] = { LINK_DATA, 1 }, plain[1];
	unsigned char associated[LINK_HEAD + 1] = { LINK_DATA, 1, [LINK_HEAD] = true };
	size_t n;
	hang_up();
	caller = link_hello(&keys, "auth", hello, &n);
	crypto_stream_seal(zeros, 1, (struct bytes){ associated, sizeof(associated) }, "", 0,
		sealed + LINK_HEAD);
	assert_int_equal(link_open(caller, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void a_replayed_message_is_refused(void **state)
{
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&keys, &keys), OK);
	link_seal(caller, "hello", 5, sealed);
	assert_int_equal(link_open(callee, sealed, sizeof(sealed), plain), OK);
	assert_int_equal(link_open(callee, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void a_message_of_an_earlier_link_does_not_open(void **state)
{
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&keys, &keys), OK);
	link_seal(caller, "hello", 5, sealed);
	assert_int_equal(shake(&keys, &keys), OK);
	assert_int_equal(link_open(callee, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void a_message_does_not_open_in_the_other_direction(void **state)
{
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&keys, &keys), OK);
	link_seal(caller, "hello", 5, sealed);
	assert_int_equal(link_open(caller, sealed, sizeof(sealed), plain), ERR_INVALID);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct link_keys keys = keys_of(1);
	unsigned char sealed[5 + LINK_OVERHEAD], plain[5];
	assert_int_equal(shake(&keys, &keys), OK);
	link_seal(caller, "hello", 5, sealed);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(link_open(callee, sealed, sizeof(sealed), plain), ERR_INVALID);
		sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_equal(link_open(callee, sealed, sizeof(sealed), plain), OK);
}

static void names_that_leave_the_key_directory_are_refused(void **state)
{
	struct link_keys keys = keys_of(1);
	unsigned char hello[LINK_HELLO_MAX];
	char name[LINK_NAME_MAX + 1];
	size_t n;
	link_free(link_hello(&keys, "../x", hello, &n));
	assert_int_equal(link_hello_name(hello, n, name), ERR_INVALID);
	link_free(link_hello(&keys, "", hello, &n));
	assert_int_equal(link_hello_name(hello, n, name), ERR_INVALID);
	link_free(link_hello(&keys, "auth", hello, &n));
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

/* ---- where the keys are not ---- */

struct secrets {
	struct link_keys keys;
	char hex[2 * KEY_SIZE + 1];
	unsigned char to_callee[KEY_SIZE], to_caller[KEY_SIZE];
};

/* What both sides derive, from what goes over the wire. */
static void derive(const struct secrets *secrets, const char *label, const unsigned char *hello,
	const unsigned char *welcome, unsigned char *out)
{
	unsigned char text[2 * KEY_SIZE + 16];
	size_t n = strlen(label);
	memcpy(text, label, n);
	memcpy(text + n, hello + 2 + strlen("b"), KEY_SIZE);
	memcpy(text + n + KEY_SIZE, welcome + 1, KEY_SIZE);
	crypto_keyed_hash(secrets->keys.keys[0], text, n + 2 * KEY_SIZE, out);
}

/* Written by system calls: nothing of it stays in a buffer. */
static void make_key(const char *directory, char hex[2 * KEY_SIZE + 1])
{
	char path[128];
	auto_secret(key, KEY_SIZE);
	crypto_random(key, KEY_SIZE);
	for (size_t i = 0; i < KEY_SIZE; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
	(void)snprintf(path, sizeof(path), "%s/a-b.key", directory);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, hex, 2 * KEY_SIZE), 2 * KEY_SIZE);
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_int_equal(close(fd), 0);
}

static void check(const unsigned char *key, struct link *from, bool is_to_callee)
{
	unsigned char associated[LINK_HEAD + 1] = { LINK_DATA, 1, [LINK_HEAD] = is_to_callee };
	unsigned char sealed[1 + LINK_OVERHEAD], plain[1];
	link_seal(from, "", 1, sealed);
	assert_int_equal(
		crypto_stream_open(key, 1, (struct bytes){ associated, sizeof(associated) },
			sealed + LINK_HEAD, sizeof(sealed) - LINK_HEAD, plain),
		OK);
}

/* One short message, which libsodium seals, and a long one, which OpenSSL does. */
static void talk(struct link *from, struct link *to)
{
	static unsigned char message[5000 + LINK_OVERHEAD];
	static const size_t sizes[] = { 5, 5000 };
	for (size_t i = 0; i < 2; i++) {
		link_seal(from, message + LINK_HEAD, sizes[i], message);
		assert_int_equal(link_open(to, message, sizes[i] + LINK_OVERHEAD, message), OK);
	}
}

static void use_keys(const char *directory, struct secrets *secrets)
{
	struct link_keys keys;
	unsigned char hello[LINK_HELLO_MAX], welcome[LINK_WELCOME_SIZE];
	size_t n;
	hang_up();
	assert_int_equal(link_keys_read(directory, "a", "b", &keys), OK);
	memcpy(&secrets->keys, &keys, sizeof(keys));
	caller = link_hello(&keys, "b", hello, &n);
	assert_int_equal(link_accept_hello(&keys, hello, n, welcome, &callee), OK);
	crypto_wipe(&keys, sizeof(keys));
	assert_int_equal(link_accept_welcome(caller, welcome, sizeof(welcome)), OK);
	derive(secrets, "to callee", hello, welcome, secrets->to_callee);
	derive(secrets, "to caller", hello, welcome, secrets->to_caller);
	check(secrets->to_callee, caller, true);
	check(secrets->to_caller, callee, false);
	talk(caller, callee);
	talk(callee, caller);
}

/* A file of one key and half of another one, which is refused. */
static void read_broken(const char *directory)
{
	struct link_keys keys;
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/a-b.key", directory);
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs("0001\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(link_keys_read(directory, "a", "b", &keys), ERR_INVALID);
	for (size_t i = 0; i < sizeof(keys); i++)
		assert_int_equal(((unsigned char *)&keys)[i], 0);
}

static void no_key_is_in_a_core_dump(void **state)
{
	char directory[] = "/tmp/link_test.XXXXXX", path[128];
	struct secrets *secrets = crypto_secret_alloc(sizeof(*secrets));
	assert_non_null(mkdtemp(directory));
	make_key(directory, secrets->hex);
	use_keys(directory, secrets);
	read_broken(directory);
	const unsigned char *const keys[] = { secrets->keys.keys[0], secrets->to_callee,
		secrets->to_caller };
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		assert_int_equal(core_search((struct bytes){ keys[i], KEY_SIZE }), 0);
	assert_int_equal(
		core_search((struct bytes){ (unsigned char *)secrets->hex, 2 * KEY_SIZE }), 0);
	crypto_secret_free(secrets);
	(void)snprintf(path, sizeof(path), "%s/a-b.key", directory);
	unlink(path);
	rmdir(directory);
}

static int start(void **state)
{
	crypto_start();
	return 0;
}

static int stop(void **state)
{
	hang_up();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_read_each_other),
		cmocka_unit_test(a_message_is_sealed_and_opened_in_its_place),
		cmocka_unit_test(another_key_proves_nothing),
		cmocka_unit_test(the_key_before_is_accepted_during_a_rotation),
		cmocka_unit_test(the_key_of_a_link_is_known_again),
		cmocka_unit_test(zeros_welcome_nobody),
		cmocka_unit_test(before_it_is_proven_nothing_opens),
		cmocka_unit_test(a_replayed_message_is_refused),
		cmocka_unit_test(a_message_of_an_earlier_link_does_not_open),
		cmocka_unit_test(a_message_does_not_open_in_the_other_direction),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(names_that_leave_the_key_directory_are_refused),
		cmocka_unit_test(key_files_are_read_exactly),
		cmocka_unit_test(no_key_is_in_a_core_dump),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
