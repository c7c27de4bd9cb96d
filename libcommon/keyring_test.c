#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/keyring.h"

#define ROOT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_ROOT "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define A "01920000-0000-7000-8000-00000000000a"
#define B "01920000-0000-7000-8000-00000000000b"

static char directory[64];

static unsigned files_in_directory(void)
{
	DIR *dir = opendir(directory);
	assert_non_null(dir);
	unsigned n = 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void path_of(const char *name, char out[160])
{
	snprintf(out, 160, "%s/%s", directory, name);
}

static int make_directory(void **state)
{
	crypto_start();
	snprintf(directory, sizeof directory, "/tmp/keyring-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	DIR *dir = opendir(directory);
	if (!dir)
		return -1;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[320];
		snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
			unlink(path);
	}
	closedir(dir);
	return rmdir(directory);
}

static void key_survives_reopening(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_non_null(keyring);
	assert_int_equal(keyring_data_key(keyring, A, "media", before), ERR_NOT_FOUND);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_data_key(keyring, A, "media", before), OK);
	assert_int_equal(keyring_create(keyring, A), OK);
	keyring_close(keyring);
	keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_data_key(keyring, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	keyring_close(keyring);
	assert_int_equal(files_in_directory(), 2); /* root.check and one key, nothing left over */
}

static void tenants_and_domains_differ(void **state)
{
	unsigned char a[KEY_SIZE], b[KEY_SIZE], names[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(keyring_data_key(keyring, A, "media", a), OK);
	assert_int_equal(keyring_data_key(keyring, B, "media", b), OK);
	assert_int_equal(keyring_data_key(keyring, A, "names", names), OK);
	assert_memory_not_equal(a, b, KEY_SIZE);
	assert_memory_not_equal(a, names, KEY_SIZE);
	keyring_close(keyring);
}

static void wrong_root_is_refused(void **state)
{
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	keyring_close(keyring);
	assert_null(keyring_open(directory, OTHER_ROOT));
	assert_null(keyring_open(directory, "abc"));
	assert_null(keyring_open("/nowhere/at/all", ROOT));
}

static void file_is_private(void **state)
{
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	char path[160];
	path_of(A ".1.key", path);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	keyring_close(keyring);
}

/* One tenant's file under another's name: the name is sealed too. */
static void swapped_file_is_refused(void **state)
{
	unsigned char out[KEY_SIZE];
	char from[160], to[160];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	path_of(A ".1.key", from);
	path_of(B ".1.key", to);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(keyring_data_key(keyring, B, "media", out), ERR_INTERNAL);
	keyring_close(keyring);
}

static void damaged_file_is_refused_and_kept(void **state)
{
	unsigned char out[KEY_SIZE];
	char path[160];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	path_of(A ".1.key", path);
	for (long n = 0; n < 73; n += 24) {
		assert_int_equal(truncate(path, 72 - n), 0);
		assert_int_equal(keyring_data_key(keyring, A, "media", out), ERR_INTERNAL);
		assert_int_equal(keyring_create(keyring, A), ERR_INTERNAL);
	}
	keyring_close(keyring);
}

static void destroyed_key_is_gone_at_once(void **state)
{
	unsigned char out[KEY_SIZE];
	char path[160];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_data_key(keyring, A, "media", out), OK);
	path_of(A ".1.key", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keyring_data_key(keyring, A, "media", out), ERR_NOT_FOUND);
	keyring_close(keyring);
}

static void names_that_are_no_tenants_are_refused(void **state)
{
	unsigned char out[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	static const char *const names[] = { "", "..", "../../etc/passwd", "root", A "x" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(keyring_create(keyring, names[i]), ERR_INVALID);
		assert_int_equal(keyring_data_key(keyring, names[i], "m", out), ERR_INVALID);
	}
	keyring_close(keyring);
}

/* Two processes create at once: both end up with the same key. */
static void first_creator_wins(void **state)
{
	unsigned char a[KEY_SIZE], b[KEY_SIZE];
	struct keyring *one = keyring_open(directory, ROOT);
	struct keyring *two = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(one, A), OK);
	assert_int_equal(keyring_create(two, A), OK);
	assert_int_equal(keyring_data_key(one, A, "media", a), OK);
	assert_int_equal(keyring_data_key(two, A, "media", b), OK);
	assert_memory_equal(a, b, KEY_SIZE);
	keyring_close(one);
	keyring_close(two);
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, make_directory, remove_directory)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(key_survives_reopening),
		FACT(tenants_and_domains_differ),
		FACT(wrong_root_is_refused),
		FACT(file_is_private),
		FACT(swapped_file_is_refused),
		FACT(damaged_file_is_refused_and_kept),
		FACT(destroyed_key_is_gone_at_once),
		FACT(names_that_are_no_tenants_are_refused),
		FACT(first_creator_wins),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
