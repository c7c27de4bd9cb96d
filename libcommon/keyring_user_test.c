/* Keys of single users: what stays, what is gone, and what a crash may leave. */
#include "libcommon/keyring_user.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/clock.h"
#include "libcommon/uuid.h"

#define TENANT "01920000-0000-7000-8000-00000000000a"
#define OTHER_TENANT "01920000-0000-7000-8000-00000000000b"
#define HANAKO "01920000-0000-7000-8000-000000000001"
#define TARO "01920000-0000-7000-8000-000000000002"
#define SLOT_SIZE 64
#define MANY 10000

static char directory[64];
static struct keyring *keyring;

static struct keyring *open_again(void)
{
	static const char root[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	struct keyring *opened = keyring_open(directory, root);
	assert_non_null(opened);
	return opened;
}

static int set_up(void **state)
{
	crypto_start();
	snprintf(directory, sizeof(directory), "/tmp/keyring-user-test-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	keyring = open_again();
	return keyring_create(keyring, TENANT) || keyring_create(keyring, OTHER_TENANT);
}

static void path_of(const char *name, char out[160])
{
	snprintf(out, 160, "%s/%s", directory, name);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "root.check", TENANT ".1.key", TENANT ".2.key",
		OTHER_TENANT ".1.key", TENANT ".users", OTHER_TENANT ".users", KEYRING_LEDGER,
		TENANT ".index.key", OTHER_TENANT ".index.key", TENANT ".login",
		OTHER_TENANT ".login", ("receipt." TENANT) };
	char path[160];
	keyring_close(keyring);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(names[i], path);
		(void)unlink(path);
	}
	return rmdir(directory);
}

static enum err make(const char *user_id)
{
	return keyring_user_create(keyring, TENANT, &user_id, 1);
}

static enum err key_from(struct keyring *from, const char *tenant_id, const char *user_id,
	unsigned char out[KEY_SIZE])
{
	const struct data_key which = { .domain = "name", .version = 1 };
	return keyring_user_key(from, tenant_id, which, user_id, out);
}

static enum err key_of(const char *user_id, unsigned char out[KEY_SIZE])
{
	return key_from(keyring, TENANT, user_id, out);
}

/* Bytes of the users' file. */
static int64_t size_of_file(void)
{
	struct stat status;
	char path[160];
	path_of(TENANT ".users", path);
	return stat(path, &status) == 0 ? status.st_size : -1;
}

static void append_to_file(const void *bytes, size_t n)
{
	char path[160];
	path_of(TENANT ".users", path);
	int file = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(file, bytes, n), n);
	close(file);
}

static bool file_holds(const void *bytes, size_t n)
{
	char path[160], content[4096];
	path_of(TENANT ".users", path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t got = fread(content, 1, sizeof(content), file);
	(void)fclose(file);
	return memmem(content, got, bytes, n) != NULL;
}

static void each_user_has_a_key_of_its_own(void **state)
{
	unsigned char hanako[KEY_SIZE], taro[KEY_SIZE], elsewhere[KEY_SIZE], tenant[KEY_SIZE];
	const char *both[] = { HANAKO, TARO }, *one = HANAKO;
	assert_int_equal(keyring_user_create(keyring, TENANT, both, 2), OK);
	assert_int_equal(keyring_user_create(keyring, OTHER_TENANT, &one, 1), OK);
	assert_int_equal(key_of(HANAKO, hanako), OK);
	assert_int_equal(key_of(TARO, taro), OK);
	assert_int_equal(key_from(keyring, OTHER_TENANT, HANAKO, elsewhere), OK);
	const struct data_key which = { .domain = "name", .version = 1 };
	assert_int_equal(keyring_data_key(keyring, TENANT, which, tenant), OK);
	assert_memory_not_equal(hanako, taro, KEY_SIZE);
	assert_memory_not_equal(hanako, elsewhere, KEY_SIZE);
	assert_memory_not_equal(hanako, tenant, KEY_SIZE);
	assert_false(file_holds(hanako, KEY_SIZE));
}

static void a_key_depends_on_domain_and_version_and_outlives_rotation(void **state)
{
	unsigned char before[KEY_SIZE], key[KEY_SIZE];
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(key_of(HANAKO, before), OK);
	assert_int_equal(keyring_rotate(keyring, TENANT), OK);
	const struct data_key others[] = { { "name", 2 }, { "text", 1 } };
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(keyring_user_key(keyring, TENANT, others[i], HANAKO, key), OK);
		assert_memory_not_equal(before, key, KEY_SIZE);
	}
	assert_int_equal(key_of(HANAKO, key), OK);
	assert_memory_equal(before, key, KEY_SIZE);
}

static void whoever_has_a_key_keeps_it(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	const char *both[] = { TARO, HANAKO };
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(key_of(HANAKO, before), OK);
	assert_int_equal(keyring_user_create(keyring, TENANT, both, 2), OK);
	assert_int_equal(size_of_file(), 2 * SLOT_SIZE);
	keyring_close(keyring);
	keyring = open_again();
	assert_int_equal(key_of(HANAKO, after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
}

static void nobody_knows_whom_nobody_made(void **state)
{
	unsigned char key[KEY_SIZE];
	assert_int_equal(key_of(HANAKO, key), ERR_UNAVAILABLE);
	assert_int_equal(keyring_user_erase(keyring, TENANT, HANAKO), ERR_NOT_FOUND);
	assert_int_equal(make(TARO), OK);
	assert_int_equal(key_of(HANAKO, key), ERR_UNAVAILABLE);
	assert_int_equal(keyring_user_erase(keyring, TENANT, HANAKO), ERR_NOT_FOUND);
	assert_int_equal(key_of("../somebody", key), ERR_INVALID);
	assert_int_equal(make("../somebody"), ERR_INVALID);
	assert_int_equal(keyring_user_erase(keyring, "..", HANAKO), ERR_INVALID);
}

/* Another process, whose file and places are of before. */
static void erasing_is_at_once_for_everybody_and_for_ever(void **state)
{
	unsigned char key[KEY_SIZE];
	const char *both[] = { HANAKO, TARO };
	assert_int_equal(keyring_user_create(keyring, TENANT, both, 2), OK);
	struct keyring *other = open_again();
	assert_int_equal(key_from(other, TENANT, HANAKO, key), OK);
	assert_int_equal(keyring_user_erase(keyring, TENANT, HANAKO), OK);
	assert_int_equal(key_from(other, TENANT, HANAKO, key), ERR_NOT_FOUND);
	assert_int_equal(key_of(HANAKO, key), ERR_NOT_FOUND);
	assert_int_equal(key_of(TARO, key), OK);
	assert_int_equal(keyring_user_erase(keyring, TENANT, HANAKO), OK);
	assert_int_equal(make(HANAKO), ERR_CONFLICT);
	keyring_close(other);
	other = open_again();
	assert_int_equal(key_from(other, TENANT, HANAKO, key), ERR_NOT_FOUND);
	keyring_close(other);
	assert_int_equal(size_of_file(), 2 * SLOT_SIZE);
}

static void of_an_erased_user_nothing_is_left(void **state)
{
	unsigned char slot[SLOT_SIZE];
	char path[160];
	assert_int_equal(make(HANAKO), OK);
	path_of(TENANT ".users", path);
	int file = open(path, O_RDONLY);
	assert_int_equal(read(file, slot, SLOT_SIZE), SLOT_SIZE);
	close(file);
	assert_true(file_holds(slot + UUID_BYTES, 32));
	assert_int_equal(keyring_user_erase(keyring, TENANT, HANAKO), OK);
	for (size_t i = 0; i < 32; i += 8)
		assert_false(file_holds(slot + UUID_BYTES + i, 8));
}

static void with_its_tenant_everybody_is_erased(void **state)
{
	struct arena *arena = arena_new();
	struct erasure receipt;
	unsigned char key[KEY_SIZE];
	const char *one = HANAKO;
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(keyring_user_create(keyring, OTHER_TENANT, &one, 1), OK);
	struct keyring *other = open_again();
	assert_int_equal(key_from(other, TENANT, HANAKO, key), OK);
	assert_int_equal(keyring_destroy(keyring, arena, TENANT, &receipt), OK);
	clock_shift_ms(2 * KEYRING_TRUST_MS);
	assert_int_not_equal(key_from(other, TENANT, HANAKO, key), OK);
	assert_int_not_equal(key_of(HANAKO, key), OK);
	assert_int_equal(key_from(other, OTHER_TENANT, HANAKO, key), OK);
	assert_int_equal(size_of_file(), -1);
	keyring_close(other);
	arena_free(arena);
}

/* A crash in the middle of an append: half a slot, or a whole one of which not all was written. */
static void what_a_crash_left_is_passed_over(void **state)
{
	static const unsigned char garbage[SLOT_SIZE] = "half written";
	unsigned char before[KEY_SIZE], key[KEY_SIZE];
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(key_of(HANAKO, before), OK);
	append_to_file(garbage, SLOT_SIZE);
	append_to_file(garbage, 30);
	struct keyring *other = open_again();
	assert_int_equal(key_from(other, TENANT, HANAKO, key), OK);
	assert_memory_equal(before, key, KEY_SIZE);
	assert_int_equal(key_from(other, TENANT, TARO, key), ERR_UNAVAILABLE);
	assert_int_equal(make(TARO), OK);
	assert_int_equal(size_of_file(), 3 * SLOT_SIZE);
	assert_int_equal(key_from(other, TENANT, TARO, key), OK);
	assert_int_equal(key_from(other, TENANT, HANAKO, key), OK);
	assert_memory_equal(before, key, KEY_SIZE);
	keyring_close(other);
}

/* As it may be seen while it is overwritten: nothing is sealed or opened with half of a salt. */
static void half_a_salt_makes_no_key(void **state)
{
	char path[160];
	unsigned char key[KEY_SIZE], noise = 0;
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(key_of(HANAKO, key), OK);
	path_of(TENANT ".users", path);
	int file = open(path, O_RDWR);
	assert_int_equal(pread(file, &noise, 1, UUID_BYTES), 1);
	noise ^= 1;
	assert_int_equal(pwrite(file, &noise, 1, UUID_BYTES), 1);
	close(file);
	assert_int_equal(key_of(HANAKO, key), ERR_UNAVAILABLE);
	assert_int_equal(
		keyring_user_salt(keyring_users_of(keyring), TENANT, HANAKO, key), ERR_UNAVAILABLE);
	assert_int_equal(keyring_user_erase(keyring, TENANT, HANAKO), OK);
	assert_int_equal(key_of(HANAKO, key), ERR_NOT_FOUND);
}

/* Somebody has the file open when it is put back from a copy: within a second the copy counts. */
static void a_file_that_was_replaced_is_read_anew(void **state)
{
	char path[160], aside[200];
	unsigned char key[KEY_SIZE];
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(key_of(HANAKO, key), OK);
	path_of(TENANT ".users", path);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	clock_shift_ms(2 * KEYRING_TRUST_MS);
	assert_int_equal(key_of(HANAKO, key), ERR_UNAVAILABLE);
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(key_of(HANAKO, key), OK);
}

/* Several processes make the same users at the same time, in different orders. */
static void make_in_a_process_of_its_own(int which)
{
	char ids[40][UUID_SIZE];
	const char *order[40];
	struct keyring *own = open_again();
	for (int i = 0; i < 40; i++)
		snprintf(ids[i], UUID_SIZE, "01920000-0000-7000-8000-0000000001%02x", i);
	for (int i = 0; i < 40; i++)
		order[i] = ids[(i * 7 + which * 11) % 40];
	for (int i = 0; i < 40; i += 4)
		if (keyring_user_create(own, TENANT, order + i, 4) != OK)
			_exit(1);
	keyring_close(own);
	_exit(0);
}

static void several_processes_make_each_user_once(void **state)
{
	pid_t children[4];
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] == 0)
			make_in_a_process_of_its_own(i);
	}
	for (int i = 0; i < 4; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(size_of_file(), 40 * SLOT_SIZE);
	unsigned char key[KEY_SIZE];
	assert_int_equal(key_of("01920000-0000-7000-8000-000000000127", key), OK);
}

static void idle_files_are_closed_and_opened_again(void **state)
{
	unsigned char key[KEY_SIZE];
	assert_int_equal(make(HANAKO), OK);
	assert_int_equal(key_of(HANAKO, key), OK);
	clock_shift_ms(2 * KEYRING_IDLE_MS);
	keyring_drop(keyring);
	assert_int_equal(key_of(HANAKO, key), OK);
}

/* As auth reads them, which opens no key. */
static void a_slot_is_read_without_a_keyring(void **state)
{
	unsigned char hanako[KEY_SIZE], taro[KEY_SIZE], salt[KEY_SIZE];
	const char *both[] = { HANAKO, TARO };
	int file = open(directory, O_RDONLY | O_DIRECTORY);
	struct keyring_users *users = keyring_users_new(file);
	assert_int_equal(keyring_user_salt(users, TENANT, HANAKO, salt), ERR_UNAVAILABLE);
	assert_int_equal(keyring_user_create(keyring, TENANT, both, 2), OK);
	assert_int_equal(keyring_user_salt(users, TENANT, HANAKO, hanako), OK);
	assert_int_equal(keyring_user_salt(users, TENANT, TARO, taro), OK);
	assert_true(file_holds(hanako, KEY_SIZE));
	assert_memory_not_equal(hanako, taro, KEY_SIZE);
	assert_int_equal(keyring_rotate(keyring, TENANT), OK);
	assert_int_equal(keyring_user_erase(keyring, TENANT, TARO), OK);
	assert_int_equal(keyring_user_salt(users, TENANT, TARO, salt), ERR_NOT_FOUND);
	clock_shift_ms(2 * KEYRING_IDLE_MS);
	keyring_users_drop_idle(users);
	assert_int_equal(keyring_user_salt(users, TENANT, HANAKO, salt), OK);
	assert_memory_equal(salt, hanako, KEY_SIZE);
	assert_int_equal(keyring_user_salt(users, TENANT, "nobody", salt), ERR_INVALID);
	assert_int_equal(keyring_user_salt(users, "..", HANAKO, salt), ERR_INVALID);
	assert_int_equal(keyring_user_salt(users, OTHER_TENANT, HANAKO, salt), ERR_UNAVAILABLE);
	keyring_users_free(users);
	close(file);
}

/* Prints what it takes; a machine may be slow, but nobody may be missing. */
static void ten_thousand_users_are_made_and_found(void **state)
{
	static char ids[MANY][UUID_SIZE];
	static const char *all[MANY];
	unsigned char key[KEY_SIZE];
	for (size_t i = 0; i < MANY; i++) {
		uuid_new(ids[i]);
		all[i] = ids[i];
	}
	int64_t start_ms = clock_steady_ms();
	assert_int_equal(keyring_user_create(keyring, TENANT, all, MANY), OK);
	int64_t made_ms = clock_steady_ms();
	struct keyring *other = open_again();
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(key_from(other, TENANT, ids[MANY - 1 - i], key), OK);
	print_message("%d users: made in %lld ms, found in %lld ms\n", MANY,
		(long long)(made_ms - start_ms), (long long)(clock_steady_ms() - made_ms));
	assert_int_equal(size_of_file(), (int64_t)MANY * SLOT_SIZE);
	keyring_close(other);
}

int main(void)
{
#define FACT(fact_) cmocka_unit_test_setup_teardown(fact_, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		FACT(each_user_has_a_key_of_its_own),
		FACT(a_key_depends_on_domain_and_version_and_outlives_rotation),
		FACT(whoever_has_a_key_keeps_it),
		FACT(nobody_knows_whom_nobody_made),
		FACT(erasing_is_at_once_for_everybody_and_for_ever),
		FACT(of_an_erased_user_nothing_is_left),
		FACT(with_its_tenant_everybody_is_erased),
		FACT(what_a_crash_left_is_passed_over),
		FACT(half_a_salt_makes_no_key),
		FACT(a_file_that_was_replaced_is_read_anew),
		FACT(several_processes_make_each_user_once),
		FACT(idle_files_are_closed_and_opened_again),
		FACT(a_slot_is_read_without_a_keyring),
		FACT(ten_thousand_users_are_made_and_found),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
