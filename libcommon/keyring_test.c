#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/clock.h"
#include "libcommon/keyring_file.h"
#include "libcommon/keyring_salt.h"
#include "libcommon/keyring_user.h"

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
	/* In memory if possible: a disk takes its time to sync each of thousands of keys. */
	const char *place = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	snprintf(directory, sizeof directory, "%s/keyring-test-XXXXXX", place);
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

static enum err data_key(
	struct keyring *keyring, const char *tenant_id, const char *domain, unsigned char *out)
{
	return keyring_data_key(
		keyring, tenant_id, (struct data_key){ .domain = domain, .version = 1 }, out);
}

static void key_survives_reopening(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_non_null(keyring);
	assert_int_equal(data_key(keyring, A, "media", before), ERR_NOT_FOUND);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(data_key(keyring, A, "media", before), OK);
	assert_int_equal(keyring_create(keyring, A), OK);
	keyring_close(keyring);
	keyring = keyring_open(directory, ROOT);
	assert_int_equal(data_key(keyring, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	keyring_close(keyring);
	assert_int_equal(
		files_in_directory(), 4); /* root.check, key, index key, salt; nothing left over */
}

static void tenants_and_domains_differ(void **state)
{
	unsigned char a[KEY_SIZE], b[KEY_SIZE], names[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(data_key(keyring, A, "media", a), OK);
	assert_int_equal(data_key(keyring, B, "media", b), OK);
	assert_int_equal(data_key(keyring, A, "names", names), OK);
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

static void file_is_for_its_owner_and_group(void **state)
{
	mode_t before = umask(0);
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	umask(before);
	char path[160];
	path_of(A ".1.key", path);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
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
	assert_int_equal(data_key(keyring, B, "media", out), ERR_INTERNAL);
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
		assert_int_equal(data_key(keyring, A, "media", out), ERR_INTERNAL);
		assert_int_equal(keyring_create(keyring, A), ERR_INTERNAL);
	}
	keyring_close(keyring);
}

static void destroyed_key_is_gone_within_a_second(void **state)
{
	unsigned char out[KEY_SIZE];
	char path[160];
	uint32_t version;
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(data_key(keyring, A, "media", out), OK);
	path_of(A ".1.key", path);
	assert_int_equal(unlink(path), 0);
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(data_key(keyring, A, "media", out), ERR_NOT_FOUND);
	assert_int_equal(keyring_newest(keyring, A, &version), ERR_NOT_FOUND);
	clock_shift_ms(0);
	keyring_close(keyring);
}

/* What was destroyed is here again under its old inode, as only a test can do it: a key that is
 * still in memory would be taken from there. */
static bool is_read_anew(struct keyring *keyring, void (*meanwhile)(struct keyring *keyring))
{
	unsigned char out[KEY_SIZE];
	char path[160], away[160];
	uint64_t before = keyring_openings(keyring).opened;
	path_of(A ".1.key", path);
	path_of("away", away);
	assert_int_equal(rename(path, away), 0);
	meanwhile(keyring);
	assert_int_equal(rename(away, path), 0);
	assert_int_equal(data_key(keyring, A, "media", out), OK);
	return keyring_openings(keyring).opened == before + 1;
}

static void ask_in_vain(struct keyring *keyring)
{
	unsigned char out[KEY_SIZE];
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(data_key(keyring, A, "media", out), ERR_NOT_FOUND);
	clock_shift_ms(0);
}

static void ask_nothing(struct keyring *keyring)
{
}

static void a_destroyed_key_stays_in_no_memory(void **state)
{
	unsigned char out[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(data_key(keyring, A, "media", out), OK);
	assert_false(is_read_anew(keyring, ask_nothing));
	assert_true(is_read_anew(keyring, ask_in_vain));
	assert_true(is_read_anew(keyring, keyring_drop)); /* nobody asked */
	keyring_close(keyring);
}

/* ---- another root ---- */

static struct keyring *open_with_both(void)
{
	static const struct keyring_root both = {
		.text = OTHER_ROOT, .before_text = ROOT, .passphrase = ""
	};
	return keyring_open_rooted(directory, &both);
}

static void make_two_tenants(unsigned char key_of_a[KEY_SIZE])
{
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(data_key(keyring, A, "media", key_of_a), OK);
	keyring_close(keyring);
}

#define FILES_OF_TWO 7 /* root.check; of each tenant a key, an index key and a salt */

static void the_root_is_replaced_without_a_key_missing(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	struct keyring_tally tally;
	make_two_tenants(before);
	struct keyring *keyring = open_with_both(), *service = open_with_both();
	assert_int_equal(data_key(service, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	assert_int_equal(keyring_reseal(keyring, &tally), OK);
	assert_int_equal(tally.resealed, 4); /* a key and an index key each */
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(data_key(service, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	clock_shift_ms(0);
	assert_int_equal(keyring_reseal(keyring, &tally), OK);
	assert_int_equal(tally.unchanged, 4);
	keyring_close(service);
	keyring_close(keyring);
	assert_null(keyring_open(directory, ROOT));
	keyring = keyring_open(directory, OTHER_ROOT);
	assert_int_equal(data_key(keyring, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	keyring_close(keyring);
	assert_int_equal(files_in_directory(), FILES_OF_TWO); /* nothing left over */
}

static void resealing_goes_on_where_it_was_cut_short(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	static const struct keyring_root both = {
		.text = OTHER_ROOT, .before_text = ROOT, .passphrase = ""
	};
	struct keyring_files files;
	struct keyring_tally tally;
	bool changed;
	make_two_tenants(before);
	assert_null(keyring_files_open(&files, directory, &both));
	assert_int_equal(keyring_file_reseal(&files, A, A ".1.key", &changed), OK);
	assert_true(changed);
	keyring_files_close(&files);
	/* Half is under the one, half under the other, and new keys come in between. */
	struct keyring *keyring = open_with_both();
	assert_int_equal(data_key(keyring, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	assert_int_equal(data_key(keyring, B, "media", after), OK);
	assert_int_equal(keyring_rotate(keyring, B), OK);
	assert_int_equal(keyring_reseal(keyring, &tally), OK);
	assert_int_equal(tally.resealed, 3);
	assert_int_equal(tally.unchanged, 2);
	keyring_close(keyring);
}

/* ---- a disk that fails ---- */

/* Which call of fsync() fails, of those that follow, and what a file was that it was asked for. */
static int failing_sync;
static struct {
	unsigned char data[512];
	ssize_t n;
} written, removed;

static void look_at(const char *path, unsigned char data[512], ssize_t *n)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	*n = read(fd, data, 512);
	close(fd);
}

/* In the place of libc's. */
int fsync(int fd)
{
	char path[64];
	if (!failing_sync || --failing_sync)
		return (int)syscall(SYS_fsync, fd);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	look_at(path, written.data, &written.n);
	errno = EIO;
	return -1;
}

int unlinkat(int at, const char *name, int flags)
{
	char path[320];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	look_at(path, removed.data, &removed.n);
	return (int)syscall(SYS_unlinkat, at, name, flags);
}

static void what_never_came_into_use_is_overwritten(void **state)
{
	static const struct keyring_root root = {
		.text = ROOT, .before_text = "", .passphrase = ""
	};
	struct keyring_files files;
	unsigned char kek[KEY_SIZE];
	assert_null(keyring_files_open(&files, directory, &root));
	failing_sync = 1; /* of the file */
	assert_int_equal(keyring_file_make(&files, A, A ".1.key"), ERR_UNAVAILABLE);
	assert_int_equal(failing_sync, 0);
	assert_int_equal(files_in_directory(), 0);
	assert_true(written.n > KEY_SIZE);
	assert_int_equal(removed.n, written.n);
	assert_memory_not_equal(removed.data, written.data, (size_t)written.n);
	failing_sync = 2; /* of the directory that has its name: it may be in use then */
	assert_int_equal(keyring_file_make(&files, A, A ".1.key"), ERR_UNAVAILABLE);
	assert_int_equal(failing_sync, 0);
	assert_int_equal(keyring_file_load(&files, A, A ".1.key", kek), OK);
	keyring_files_close(&files);
}

/* Which of the two a crash would leave is open: neither is noise, and both go with the key. */
static void a_change_of_the_root_that_fails_loses_no_key(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	static const struct keyring_root both = {
		.text = OTHER_ROOT, .before_text = ROOT, .passphrase = ""
	};
	struct arena *arena = arena_new();
	struct erasure receipt;
	struct keyring_files files;
	bool changed;
	make_two_tenants(before);
	assert_null(keyring_files_open(&files, directory, &both));
	failing_sync = 2;
	assert_int_equal(keyring_file_reseal(&files, A, A ".1.key", &changed), ERR_UNAVAILABLE);
	assert_int_equal(failing_sync, 0);
	keyring_files_close(&files);
	assert_int_equal(files_in_directory(), FILES_OF_TWO + 1);
	struct keyring *keyring = open_with_both();
	assert_int_equal(data_key(keyring, A, "media", after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_int_equal(files_in_directory(), FILES_OF_TWO - 3 + 2); /* a ledger, a receipt */
	keyring_close(keyring);
	arena_free(arena);
}

static void a_key_that_is_gone_does_not_come_back(void **state)
{
	unsigned char before[KEY_SIZE];
	static const struct keyring_root both = {
		.text = OTHER_ROOT, .before_text = ROOT, .passphrase = ""
	};
	struct keyring_files files;
	bool changed;
	make_two_tenants(before);
	assert_null(keyring_files_open(&files, directory, &both));
	assert_int_equal(keyring_file_reseal(&files, A, A ".2.key", &changed), ERR_NOT_FOUND);
	assert_int_equal(files_in_directory(), FILES_OF_TWO);
	keyring_files_close(&files);
}

/* ---- the end of a tenant ---- */

static void put_file(const char *name, const char *text)
{
	char path[160];
	path_of(name, path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *name)
{
	char path[160];
	path_of(name, path);
	return access(path, F_OK) == 0;
}

static void nothing_of_a_destroyed_tenant_is_left(void **state)
{
	unsigned char out[KEY_SIZE];
	struct erasure receipt, again;
	struct arena *arena = arena_new();
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(keyring_rotate(keyring, A), OK);
	put_file(A ".slots", "keys of users");
	put_file("." A ".3.key.0000000000000000", "half a key");
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_false(is_there(A ".1.key") || is_there(A ".2.key") || is_there(A ".slots") ||
		is_there(A ".index.key") || is_there(A ".login") ||
		is_there("." A ".3.key.0000000000000000"));
	assert_true(is_there("receipt." A));
	assert_non_null(strstr(receipt.keys, "1.key="));
	assert_non_null(strstr(receipt.keys, "2.key="));
	assert_non_null(strstr(receipt.keys, "slots="));
	assert_non_null(strstr(receipt.keys, "index.key="));
	assert_non_null(strstr(receipt.keys, "login="));
	assert_null(strstr(receipt.keys, "3.key"));
	assert_int_equal(data_key(keyring, A, "media", out), ERR_NOT_FOUND);
	assert_int_equal(data_key(keyring, B, "media", out), OK);
	assert_int_equal(keyring_destroy(keyring, arena, A, &again), OK);
	assert_string_equal(again.hash, receipt.hash);
	assert_string_equal(again.keys, receipt.keys);
	keyring_close(keyring);
	arena_free(arena);
}

static enum err index_key(struct keyring *keyring, const char *tenant_id, unsigned char *out)
{
	const struct data_key which = { .domain = "index a.b", .version = KEYRING_INDEX };
	return keyring_data_key(keyring, tenant_id, which, out);
}

static void a_rotation_leaves_index_keys_and_salts_alone(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE], other[KEY_SIZE], salt[KEY_SIZE];
	uint32_t version;
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(index_key(keyring, A, before), OK);
	assert_int_equal(index_key(keyring, B, other), OK);
	assert_memory_not_equal(before, other, KEY_SIZE);
	assert_int_equal(keyring_salt_read(keyring_directory(keyring), A, salt), OK);
	assert_int_equal(keyring_rotate(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, A), OK);
	keyring_close(keyring);
	keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_newest(keyring, A, &version), OK);
	assert_int_equal(version, 2);
	assert_int_equal(index_key(keyring, A, after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	assert_int_equal(keyring_salt_read(keyring_directory(keyring), A, after), OK);
	assert_memory_equal(salt, after, KEY_SIZE);
	assert_int_equal(keyring_salt_read(keyring_directory(keyring), B, after), OK);
	assert_memory_not_equal(salt, after, KEY_SIZE);
	keyring_close(keyring);
}

static void a_salt_that_was_cut_short_is_none(void **state)
{
	unsigned char salt[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_salt_read(keyring_directory(keyring), A, salt), ERR_NOT_FOUND);
	put_file(A ".login", "half of it");
	assert_int_equal(keyring_salt_read(keyring_directory(keyring), A, salt), ERR_UNAVAILABLE);
	keyring_close(keyring);
}

/* What a receipt holds; "" when there is none. */
static const char *content_of(struct arena *arena, const char *name)
{
	char path[160], text[256] = "";
	path_of(name, path);
	FILE *file = fopen(path, "r");
	if (!file)
		return "";
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	return arena_strndup(arena, text, n);
}

static void an_old_version_ends_with_a_receipt(void **state)
{
	static const struct keyring_version first = { A, 1 }, second = { A, 2 }, none = { A, 7 };
	unsigned char out[KEY_SIZE];
	struct keyring_receipt receipt, again;
	struct arena *arena = arena_new();
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_version_destroy(keyring, arena, &first, &receipt), ERR_CONFLICT);
	assert_int_equal(keyring_rotate(keyring, A), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	put_file("." A ".1.key.0000000000000000", "under another root, half written");
	assert_int_equal(keyring_version_destroy(keyring, arena, &first, &receipt), OK);
	assert_false(is_there(A ".1.key") || is_there("." A ".1.key.0000000000000000"));
	assert_string_equal(content_of(arena, "receipt." A ".1"),
		arena_printf(arena, "destroyed %s\nkey %s\n", receipt.at, receipt.key));
	assert_int_equal(keyring_version_destroy(keyring, arena, &first, &again), OK);
	assert_string_equal(again.at, receipt.at);
	assert_string_equal(again.key, receipt.key);
	assert_int_equal(keyring_version_destroy(keyring, arena, &second, &again), ERR_CONFLICT);
	assert_int_equal(keyring_version_destroy(keyring, arena, &none, &again), ERR_CONFLICT);
	assert_int_equal(data_key(keyring, A, "media", out), ERR_NOT_FOUND); /* version 1 */
	assert_true(is_there(A ".2.key"));
	clock_shift_ms(0);
	keyring_close(keyring);
	arena_free(arena);
}

/* The receipt of the first attempt counts: it names the key, which is noise by now. */
static void the_end_of_a_version_goes_on_where_a_crash_left_it(void **state)
{
	static const struct keyring_version first = { A, 1 };
	struct keyring_receipt receipt;
	struct arena *arena = arena_new();
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_rotate(keyring, A), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	put_file("receipt." A ".1", "destroyed 2026-11-26T00:00:00.000Z\nkey 1.key=00\n");
	put_file(A ".1.key", "noise");
	assert_int_equal(keyring_version_destroy(keyring, arena, &first, &receipt), OK);
	assert_string_equal(receipt.at, "2026-11-26T00:00:00.000Z");
	assert_string_equal(receipt.key, "1.key=00");
	assert_false(is_there(A ".1.key"));
	clock_shift_ms(0);
	keyring_close(keyring);
	arena_free(arena);
}

static void versions_are_listed_by_tenant(void **state)
{
	struct keyring_list list;
	struct arena *arena = arena_new();
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(keyring_create(keyring, A), OK);
	for (int i = 2; i <= 301; i++) /* more than the list begins with */
		put_file(arena_printf(arena, A ".%d.key", i), "a key");
	put_file("receipt." A ".1", "of before");
	assert_int_equal(keyring_list(keyring, arena, &list), OK);
	assert_int_equal(list.n, 302);
	for (size_t i = 0; i < 301; i++) {
		assert_string_equal(list.items[i].tenant_id, A);
		assert_int_equal(list.items[i].version, i + 1);
	}
	assert_string_equal(list.items[301].tenant_id, B);
	keyring_close(keyring);
	arena_free(arena);
}

static void an_erased_tenant_never_has_a_key_again(void **state)
{
	struct erasure receipt;
	struct arena *arena = arena_new();
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK); /* it had none */
	assert_string_equal(receipt.keys, "-");
	assert_int_equal(keyring_create(keyring, A), ERR_CONFLICT);
	assert_int_equal(keyring_rotate(keyring, A), ERR_CONFLICT);
	/* Somebody restores the store from a backup. */
	put_file(A ".1.key", "of a backup");
	assert_int_equal(keyring_destroy_again(keyring), OK);
	assert_false(is_there(A ".1.key"));
	assert_true(is_there(B ".1.key"));
	keyring_close(keyring);
	arena_free(arena);
}

static void a_user_whom_a_backup_of_the_store_brings_back_goes_again(void **state)
{
	static const char user[] = "01920000-0000-7000-8000-0000000000a1";
	static const char *const users[] = { user };
	const struct data_key which = { .domain = "text", .version = 1 };
	const struct erasure line = {
		.tenant_id = A, .user_id = user, .at = "2026-11-26T00:00:00.000Z", .keys = "-"
	};
	unsigned char out[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_user_create(keyring, A, users, 1), OK);
	assert_int_equal(erasure_add(keyring_ledger(keyring), &line), OK);
	assert_int_equal(keyring_user_key(keyring, A, which, user, out), OK);
	assert_int_equal(keyring_destroy_again(keyring), OK);
	assert_int_equal(keyring_user_key(keyring, A, which, user, out), ERR_NOT_FOUND);
	keyring_close(keyring);
}

static void destruction_goes_on_where_a_crash_left_it(void **state)
{
	struct erasure receipt;
	struct arena *arena = arena_new();
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	/* The line was written, then the power went. */
	const struct erasure line = { .tenant_id = A,
		.user_id = ERASURE_ALL,
		.at = "2026-11-26T00:00:00.000Z",
		.keys = "1.key=00" };
	assert_int_equal(erasure_add(keyring_ledger(keyring), &line), OK);
	keyring_close(keyring);
	keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_false(is_there(A ".1.key"));
	assert_string_equal(receipt.at, line.at);
	assert_string_equal(receipt.keys, line.keys);
	keyring_close(keyring);
	arena_free(arena);
}

static void a_ledger_may_lie_elsewhere(void **state)
{
	struct erasure receipt;
	struct arena *arena = arena_new();
	char path[160];
	path_of("elsewhere", path);
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_ledger_at(keyring, path), OK);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_true(is_there("elsewhere"));
	assert_false(is_there(KEYRING_LEDGER));
	keyring_close(keyring);
	put_file(KEYRING_LEDGER, "not a ledger\n");
	assert_null(keyring_open(directory, ROOT));
	arena_free(arena);
}

/* Another file under the same name is another key, not the one remembered. */
static void exchanged_key_is_noticed(void **state)
{
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	char path[160], aside[80];
	snprintf(aside, sizeof aside, "%s-aside", directory);
	struct keyring *keyring = keyring_open(directory, ROOT);
	struct keyring *other = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(data_key(keyring, A, "media", before), OK);
	path_of(A ".1.key", path);
	assert_int_equal(keyring_rotate(other, A), OK); /* holds the place of the old inode */
	assert_int_equal(rename(path, aside), 0);
	path_of(A ".2.key", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keyring_create(other, A), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(data_key(keyring, A, "media", after), OK);
	assert_memory_not_equal(before, after, KEY_SIZE);
	clock_shift_ms(0);
	assert_int_equal(unlink(aside), 0);
	keyring_close(keyring);
	keyring_close(other);
}

static void rotated_key_is_newest_and_the_old_one_opens(void **state)
{
	unsigned char first[KEY_SIZE], second[KEY_SIZE], again[KEY_SIZE];
	struct data_key which = { .domain = "text", .version = 2 };
	uint32_t version = 0;
	struct keyring *keyring = keyring_open(directory, ROOT);
	struct keyring *other = keyring_open(directory, ROOT);
	assert_int_equal(keyring_rotate(keyring, A), ERR_NOT_FOUND);
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_newest(other, A, &version), OK);
	assert_int_equal(version, 1);
	assert_int_equal(data_key(other, A, "text", first), OK);
	assert_int_equal(keyring_rotate(keyring, A), OK);
	clock_shift_ms(KEYRING_TRUST_MS);
	assert_int_equal(keyring_newest(other, A, &version), OK);
	assert_int_equal(version, 2);
	assert_int_equal(keyring_data_key(other, A, which, second), OK);
	assert_int_equal(data_key(other, A, "text", again), OK);
	assert_memory_equal(first, again, KEY_SIZE);
	assert_memory_not_equal(first, second, KEY_SIZE);
	which.version = 3;
	assert_int_equal(keyring_data_key(other, A, which, again), ERR_NOT_FOUND);
	clock_shift_ms(0);
	keyring_close(keyring);
	keyring_close(other);
}

static void a_key_is_opened_once_and_forgotten_when_idle(void **state)
{
	unsigned char out[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(keyring, A), OK);
	for (int64_t i = 0; i < 5; i++) {
		clock_shift_ms(i * KEYRING_TRUST_MS);
		assert_int_equal(data_key(keyring, A, "text", out), OK);
		keyring_drop(keyring);
	}
	assert_int_equal(keyring_openings(keyring).opened, 1);
	clock_shift_ms(4 * KEYRING_TRUST_MS + KEYRING_IDLE_MS);
	keyring_drop(keyring);
	assert_int_equal(data_key(keyring, A, "text", out), OK);
	assert_int_equal(keyring_openings(keyring).opened, 2);
	/* A clock that is set back does not keep it for as long as it was. */
	clock_shift_ms(-KEYRING_IDLE_MS / 2);
	keyring_drop(keyring);
	assert_int_equal(data_key(keyring, A, "text", out), OK);
	assert_int_equal(keyring_openings(keyring).opened, 3);
	clock_shift_ms(0);
	keyring_close(keyring);
}

/* More tenants than there are places: every one still gets its own key. */
static void more_tenants_than_are_remembered(void **state)
{
	enum { TENANTS = 1500 };
	static unsigned char keys[TENANTS][KEY_SIZE];
	unsigned char again[KEY_SIZE];
	char tenant_id[40];
	struct keyring *keyring = keyring_open(directory, ROOT);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < TENANTS; i++) {
			snprintf(tenant_id, sizeof tenant_id, "01920000-0000-7000-8000-%012x", i);
			if (round == 0)
				assert_int_equal(keyring_create(keyring, tenant_id), OK);
			assert_int_equal(
				data_key(keyring, tenant_id, "text", round == 0 ? keys[i] : again),
				OK);
			if (round == 1)
				assert_memory_equal(keys[i], again, KEY_SIZE);
		}
	}
	keyring_close(keyring);
}

static void names_that_are_no_tenants_are_refused(void **state)
{
	unsigned char out[KEY_SIZE];
	struct keyring *keyring = keyring_open(directory, ROOT);
	static const char *const names[] = { "", "..", "../../etc/passwd", "root", A "x" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(keyring_create(keyring, names[i]), ERR_INVALID);
		assert_int_equal(data_key(keyring, names[i], "m", out), ERR_INVALID);
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
	assert_int_equal(data_key(one, A, "media", a), OK);
	assert_int_equal(data_key(two, A, "media", b), OK);
	assert_memory_equal(a, b, KEY_SIZE);
	keyring_close(one);
	keyring_close(two);
}

/* ---- what a handle is for ---- */

static void a_handle_gives_keys_of_its_domains_alone(void **state)
{
	static const char *const others[] = { "media", "", "tex", "text2",
		"index person.login_index" };
	const char *const pupil = B;
	const struct data_key which = { .domain = "media", .version = 1 };
	unsigned char key[KEY_SIZE], same[KEY_SIZE], before[KEY_SIZE] = { 0 };
	struct keyring *all = keyring_open(directory, ROOT), *bound = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(all, A), OK);
	assert_int_equal(keyring_user_create(all, A, &pupil, 1), OK);
	keyring_allow(bound, "text");
	keyring_allow(bound, "name");
	keyring_allow(bound, "text");
	memcpy(key, before, KEY_SIZE);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(data_key(bound, A, others[i], key), ERR_FORBIDDEN);
	assert_int_equal(keyring_user_key(bound, A, which, pupil, key), ERR_FORBIDDEN);
	assert_memory_equal(key, before, KEY_SIZE);
	struct keyring_openings openings = keyring_openings(bound);
	assert_int_equal(openings.foreign, sizeof others / sizeof *others + 1);
	assert_string_equal(openings.foreign_domain, "media");
	assert_int_equal(openings.opened, 0); /* not even the tenant's own key */
	assert_int_equal(data_key(bound, A, "text", key), OK);
	assert_int_equal(data_key(all, A, "text", same), OK);
	assert_memory_equal(key, same, KEY_SIZE);
	assert_int_equal(data_key(bound, A, "name", key), OK);
	assert_int_equal(data_key(all, A, "media", key), OK);
	assert_int_equal(keyring_openings(bound).foreign, openings.foreign);
	keyring_close(all);
	keyring_close(bound);
}

/* Every way to change something; two versions and a user are there. */
static void try_to_change(struct keyring *keyring, enum err expected)
{
	const char *const pupil = B;
	const struct keyring_version first = { .tenant_id = A, .version = 1 };
	struct arena *arena = arena_new();
	struct erasure receipt;
	struct keyring_receipt end;
	struct keyring_tally tally;
	assert_int_equal(keyring_create(keyring, A), expected);
	assert_int_equal(keyring_create(keyring, B), expected);
	assert_int_equal(keyring_rotate(keyring, A), expected);
	assert_int_equal(keyring_user_create(keyring, A, &pupil, 1), expected);
	assert_int_equal(keyring_user_erase(keyring, A, pupil), expected);
	assert_int_equal(keyring_version_destroy(keyring, arena, &first, &end), expected);
	assert_int_equal(keyring_reseal(keyring, &tally), expected);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), expected);
	assert_int_equal(keyring_destroy_again(keyring), expected);
	arena_free(arena);
}

/* Names and contents of all files. */
static void digest_of_directory(unsigned char out[HASH_SIZE])
{
	static const char *const names[] = { A ".1.key", A ".2.key", A ".index.key", A ".login",
		A ".users", KEYRING_CHECK };
	static unsigned char all[sizeof names / sizeof *names][512];
	assert_int_equal(files_in_directory(), sizeof names / sizeof *names);
	memset(all, 0, sizeof all);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[160];
		path_of(names[i], path);
		int file = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(read(file, all[i], sizeof all[i]) > 0);
		close(file);
	}
	crypto_sha256(all, sizeof all, out);
}

static void a_handle_that_only_reads_changes_nothing(void **state)
{
	const char *const pupil = B;
	const struct data_key which = { .domain = "text", .version = 2 };
	unsigned char before[HASH_SIZE], after[HASH_SIZE], key[KEY_SIZE];
	struct keyring *writes = keyring_open(directory, ROOT),
		       *reads = keyring_open(directory, ROOT);
	assert_int_equal(keyring_create(writes, A), OK);
	assert_int_equal(keyring_rotate(writes, A), OK);
	assert_int_equal(keyring_user_create(writes, A, &pupil, 1), OK);
	digest_of_directory(before);
	keyring_only_reads(reads);
	try_to_change(reads, ERR_FORBIDDEN);
	digest_of_directory(after);
	assert_memory_equal(before, after, HASH_SIZE);
	assert_int_equal(keyring_user_key(reads, A, which, pupil, key), OK);
	try_to_change(writes, OK);
	keyring_close(reads);
	keyring_close(writes);
}

#define FACT(name_) cmocka_unit_test_setup_teardown(name_, make_directory, remove_directory)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(key_survives_reopening),
		FACT(tenants_and_domains_differ),
		FACT(wrong_root_is_refused),
		FACT(file_is_for_its_owner_and_group),
		FACT(swapped_file_is_refused),
		FACT(damaged_file_is_refused_and_kept),
		FACT(destroyed_key_is_gone_within_a_second),
		FACT(a_destroyed_key_stays_in_no_memory),
		FACT(exchanged_key_is_noticed),
		FACT(the_root_is_replaced_without_a_key_missing),
		FACT(resealing_goes_on_where_it_was_cut_short),
		FACT(what_never_came_into_use_is_overwritten),
		FACT(a_change_of_the_root_that_fails_loses_no_key),
		FACT(a_key_that_is_gone_does_not_come_back),
		FACT(nothing_of_a_destroyed_tenant_is_left),
		FACT(a_rotation_leaves_index_keys_and_salts_alone),
		FACT(a_salt_that_was_cut_short_is_none),
		FACT(an_old_version_ends_with_a_receipt),
		FACT(the_end_of_a_version_goes_on_where_a_crash_left_it),
		FACT(versions_are_listed_by_tenant),
		FACT(an_erased_tenant_never_has_a_key_again),
		FACT(a_user_whom_a_backup_of_the_store_brings_back_goes_again),
		FACT(destruction_goes_on_where_a_crash_left_it),
		FACT(a_ledger_may_lie_elsewhere),
		FACT(rotated_key_is_newest_and_the_old_one_opens),
		FACT(a_key_is_opened_once_and_forgotten_when_idle),
		FACT(more_tenants_than_are_remembered),
		FACT(names_that_are_no_tenants_are_refused),
		FACT(first_creator_wins),
		FACT(a_handle_gives_keys_of_its_domains_alone),
		FACT(a_handle_that_only_reads_changes_nothing),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
