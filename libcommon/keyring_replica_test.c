#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcommon/buf.h"
#include "libcommon/clock.h"
#include "libcommon/keyring_file.h"
#include "libcommon/keyring_level.h"
#include "libcommon/keyring_replica.h"
#include "libcommon/keyring_user.h"

#define ROOT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_ROOT "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define A "01920000-0000-7000-8000-00000000000a"
#define B "01920000-0000-7000-8000-00000000000b"
#define U "01920000-0000-7000-8000-000000000001"
#define V "01920000-0000-7000-8000-000000000002"
#define SLOT 64

/* A keyring in `keys`, two replicas in `one` and `two`. */
static char place[64], list[256];
static struct arena *arena;
static struct keyring *keyring;
static struct keyring_replicas *replicas;

static const char *path(const char *directory, const char *name)
{
	return arena_printf(arena, "%s/%s/%s", place, directory, name);
}

static struct bytes content(const char *directory, const char *name)
{
	struct stat status;
	int fd = open(path(directory, name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (struct bytes){ NULL, 0 };
	assert_int_equal(fstat(fd, &status), 0);
	unsigned char *data = arena_alloc(arena, (size_t)status.st_size + 1);
	assert_int_equal(read(fd, data, (size_t)status.st_size), status.st_size);
	close(fd);
	return (struct bytes){ data, (size_t)status.st_size };
}

static bool is_there(const char *directory, const char *name)
{
	return access(path(directory, name), F_OK) == 0;
}

static void put(const char *directory, const char *name, struct bytes bytes)
{
	int fd = open(path(directory, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.data, bytes.n), bytes.n);
	close(fd);
}

static void put_text(const char *directory, const char *name, const char *text)
{
	put(directory, name, (struct bytes){ (const unsigned char *)text, strlen(text) });
}

static bool are_same(const char *directory, const char *name)
{
	struct bytes ours = content("keys", name), theirs = content(directory, name);
	return ours.data && theirs.data && ours.n == theirs.n &&
		memcmp(ours.data, theirs.data, ours.n) == 0;
}

/* Every file of the one is in the other, and as it is there. */
static void assert_covers(const char *a, const char *b)
{
	DIR *files = opendir(path(a, "."));
	assert_non_null(files);
	for (struct dirent *file; (file = readdir(files));)
		if (file->d_type == DT_REG && !are_same(strcmp(a, "keys") ? a : b, file->d_name))
			fail_msg("%s of %s is not so in %s", file->d_name, a, b);
	closedir(files);
}

static void assert_level(const char *directory)
{
	assert_covers("keys", directory);
	assert_covers(directory, "keys");
}

static struct keyring *open_keyring(const char *directory, const char *root)
{
	return keyring_open(path(directory, "."), root);
}

static void open_replicas(void)
{
	replicas = keyring_replicas_open(keyring, list);
	assert_non_null(replicas);
}

static void reopen(const char *root)
{
	keyring_replicas_close(replicas);
	keyring_close(keyring);
	keyring = open_keyring("keys", root);
	assert_non_null(keyring);
	open_replicas();
}

static const char *level_of(const char *tenant_id)
{
	const char *behind;
	enum err e = keyring_replicas_level(replicas, arena, tenant_id, &behind);
	assert_int_equal(e, behind ? ERR_UNAVAILABLE : OK);
	return behind ? behind : "";
}

static const char *level(void)
{
	return level_of(NULL);
}

static int set_up(void **state)
{
	crypto_start();
	snprintf(place, sizeof place, "/tmp/keyring-replica-XXXXXX");
	if (!mkdtemp(place))
		return -1;
	arena = arena_new();
	for (const char *const *name = (const char *const[]){ "keys", "one", "two", NULL }; *name;
		name++)
		mkdir(path(*name, ""), 0700);
	snprintf(list, sizeof list, "one=%s/one,two=%s/two", place, place);
	keyring = open_keyring("keys", ROOT);
	if (!keyring || keyring_replica_join(keyring, list))
		return -1;
	open_replicas();
	return 0;
}

static int tear_down(void **state)
{
	keyring_replicas_close(replicas);
	keyring_close(keyring);
	const char *command = arena_printf(arena, "rm -rf %s", place);
	int status = system(command); /* NOLINT(cert-env33-c): a fixed text */
	arena_free(arena);
	return status;
}

static void make_tenants(void)
{
	const char *const users[] = { U, V };
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_create(keyring, B), OK);
	assert_int_equal(keyring_user_create(keyring, A, users, 2), OK);
	assert_string_equal(level(), "");
}

/* Noted as provisioning does. */
static void erase_user(const char *user_id)
{
	const struct erasure erasure = {
		.tenant_id = A, .user_id = user_id, .at = "2026-04-01T00:00:00Z", .keys = "user=0"
	};
	assert_int_equal(erasure_add(keyring_ledger(keyring), &erasure), OK);
	assert_int_equal(keyring_user_erase(keyring, A, user_id), OK);
}

/* ---- writing ---- */

static void what_is_written_is_in_every_replica(void **state)
{
	make_tenants();
	assert_level("one");
	assert_level("two");
	struct stat ours, theirs;
	assert_int_equal(stat(path("keys", A ".1.key"), &ours), 0);
	assert_int_equal(stat(path("one", A ".1.key"), &theirs), 0);
	assert_int_equal(ours.st_mode, theirs.st_mode);
	assert_memory_equal(&ours.st_mtim, &theirs.st_mtim, sizeof(ours.st_mtim));
	assert_int_equal(keyring_rotate(keyring, A), OK);
	assert_int_equal(keyring_user_create(keyring, B, (const char *const[]){ U }, 1), OK);
	assert_string_equal(level(), "");
	assert_level("one");
	assert_true(is_there("two", A ".2.key"));
}

/* More slots than are read at once, and one more later. */
static void keys_of_many_users_are_in_every_replica(void **state)
{
	char ids[600][UUID_SIZE];
	const char *users[600];
	for (size_t i = 0; i < 600; i++) {
		uuid_new(ids[i]);
		users[i] = ids[i];
	}
	assert_int_equal(keyring_create(keyring, A), OK);
	assert_int_equal(keyring_user_create(keyring, A, users, 599), OK);
	assert_string_equal(level(), "");
	assert_int_equal(keyring_user_create(keyring, A, users + 599, 1), OK);
	assert_string_equal(level(), "");
	assert_int_equal(content("one", A ".users").n, 600 * SLOT);
	assert_level("one");
}

static void under_another_root_the_old_wrapping_is_gone_there_too(void **state)
{
	make_tenants();
	struct bytes old = content("one", A ".1.key");
	int held = open(path("one", A ".1.key"), O_RDONLY | O_CLOEXEC);
	const struct keyring_root both = {
		.text = OTHER_ROOT, .before_text = ROOT, .passphrase = ""
	};
	struct keyring_tally tally;
	keyring_close(keyring);
	keyring_replicas_close(replicas);
	keyring = keyring_open_rooted(path("keys", "."), &both);
	open_replicas();
	assert_int_equal(keyring_reseal(keyring, &tally), OK);
	assert_string_equal(level(), "");
	assert_level("one");
	assert_level("two");
	/* On the disk as well, where its name is another file's by now. */
	unsigned char there[512];
	ssize_t n = pread(held, there, sizeof there, 0);
	close(held);
	assert_int_equal(n, old.n);
	assert_memory_not_equal(there, old.data, old.n);
	struct keyring *restored = open_keyring("two", OTHER_ROOT);
	unsigned char key[KEY_SIZE];
	assert_non_null(restored);
	assert_int_equal(keyring_data_key(restored, A, (struct data_key){ "text", 1 }, key), OK);
	keyring_close(restored);
}

static void what_a_crash_left_half_written_is_gone_with_the_next_pass(void **state)
{
	make_tenants();
	struct bytes key = content("keys", A ".1.key");
	put("one", "." A ".1.key.0123456789abcdef", key);
	int held = open(path("one", "." A ".1.key.0123456789abcdef"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(unlink(path("one", B ".1.key")), 0);
	assert_int_equal(truncate(path("one", A ".users"), SLOT + 20), 0);
	reopen(ROOT); /* who starts remembers nothing of them */
	assert_string_equal(level(), "");
	assert_level("one");
	unsigned char there[512];
	assert_int_equal(pread(held, there, sizeof there, 0), key.n);
	close(held);
	assert_memory_not_equal(there, key.data, key.n);
}

/* What the last file was that lost its name. */
static unsigned char removed[512];
static ssize_t removed_n;

/* In the place of libc's. */
int unlinkat(int at, const char *name, int flags)
{
	int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	removed_n = read(fd, removed, sizeof removed);
	close(fd);
	return (int)syscall(SYS_unlinkat, at, name, flags);
}

static void what_cannot_take_its_name_is_overwritten(void **state)
{
	make_tenants();
	struct bytes key = content("keys", A ".1.key");
	assert_int_equal(mkdir(path("one", B ".9.key"), 0700), 0);
	int directory = open(path("one", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(keyring_level_put(directory, B ".9.key", key, NULL), ERR_UNAVAILABLE);
	close(directory);
	assert_int_equal(removed_n, key.n);
	assert_memory_not_equal(removed, key.data, key.n);
	assert_int_equal(rmdir(path("one", B ".9.key")), 0);
	assert_level("one");
}

/* ---- what somebody else does there ---- */

static time_t passed_s;

/* In the place of libc's: the clock that goes on by itself, and what the test adds. */
int clock_gettime(clockid_t id, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, id, now);
	if (id == CLOCK_MONOTONIC)
		now->tv_sec += passed_s;
	return result;
}

static void what_was_changed_there_is_found_within_the_hour(void **state)
{
	make_tenants();
	put_text("one", A ".1.key", "noise");
	assert_int_equal(unlink(path("two", B ".login")), 0);
	passed_s += 3600;
	assert_string_equal(level(), "");
	assert_level("one");
	assert_level("two");
}

static void another_disk_in_its_place_is_brought_level(void **state)
{
	make_tenants();
	const char *copy = arena_printf(arena, "cp -a %s %s", path("two", ""), path("older", ""));
	assert_int_equal(system(copy), 0); /* NOLINT(cert-env33-c) */
	assert_int_equal(keyring_rotate(keyring, A), OK);
	assert_string_equal(level(), "");
	assert_int_equal(rename(path("two", ""), path("away", "")), 0);
	assert_int_equal(rename(path("older", ""), path("two", "")), 0);
	assert_string_equal(level(), "");
	assert_level("two");
}

/* ---- the end of keys ---- */

static void an_erased_tenant_is_gone_from_every_replica(void **state)
{
	struct erasure receipt;
	make_tenants();
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_string_equal(level_of(A), "");
	for (const char *const *suffix =
			(const char *const[]){ ".1.key", ".index.key", ".login", ".users", NULL };
		*suffix; suffix++) {
		assert_false(is_there("one", arena_printf(arena, A "%s", *suffix)));
		assert_false(is_there("two", arena_printf(arena, A "%s", *suffix)));
	}
	assert_true(are_same("one", "receipt." A) && are_same("one", KEYRING_LEDGER));
	assert_true(is_there("one", B ".1.key"));
	assert_string_equal(level(), "");
	assert_level("two");
}

static void what_is_destroyed_is_overwritten_there_first(void **state)
{
	struct erasure receipt;
	make_tenants();
	struct bytes key = content("one", A ".1.key");
	int held = open(path("one", A ".1.key"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_string_equal(level_of(A), "");
	unsigned char there[512];
	assert_int_equal(pread(held, there, sizeof there, 0), key.n);
	close(held);
	assert_memory_not_equal(there, key.data, key.n);
}

static void an_erased_user_is_overwritten_in_every_replica(void **state)
{
	make_tenants();
	struct bytes before = content("one", A ".users");
	erase_user(U);
	assert_string_equal(level_of(A), "");
	struct bytes after = content("two", A ".users");
	assert_memory_not_equal(after.data, before.data, SLOT);
	assert_memory_equal(after.data + SLOT, before.data + SLOT, SLOT);
	assert_level("one");
	assert_true(are_same("two", KEYRING_LEDGER));
}

static void an_ended_version_is_gone_from_every_replica(void **state)
{
	struct keyring_receipt receipt;
	make_tenants();
	assert_int_equal(keyring_rotate(keyring, A), OK);
	assert_string_equal(level(), "");
	const struct keyring_version first = { A, 1 };
	assert_int_equal(keyring_version_destroy(keyring, arena, &first, &receipt), OK);
	assert_string_equal(level_of(A), "");
	assert_false(is_there("one", A ".1.key"));
	assert_true(are_same("two", "receipt." A ".1") && is_there("two", A ".2.key"));
}

static void one_that_is_away_is_named_and_made_up_for(void **state)
{
	struct erasure receipt;
	struct buf figures = { .arena = arena };
	make_tenants();
	assert_int_equal(rename(path("two", ""), path("away", "")), 0);
	assert_int_equal(keyring_destroy(keyring, arena, A, &receipt), OK);
	assert_string_equal(level_of(A), "two");
	assert_false(is_there("one", A ".1.key"));
	assert_true(is_there("away", A ".1.key"));
	put_text("", "two", "a file in its place\n");
	assert_string_equal(level(), "two");
	keyring_replicas_metrics(replicas, &figures);
	assert_string_equal(figures.data,
		"manabiya_keyring_replica_behind{replica=\"one\"} 0\n"
		"manabiya_keyring_replica_behind{replica=\"two\"} 1\n");
	assert_int_equal(unlink(path("", "two")), 0);
	assert_int_equal(rename(path("away", ""), path("two", "")), 0);
	assert_string_equal(level_of(A), "");
	assert_false(is_there("two", A ".1.key"));
	assert_string_equal(level(), "");
	assert_level("two");
}

/* Killed at some moment: whatever it is, the next pass ends it. */
static void it_goes_on_where_kill_9_left_it(void **state)
{
	struct erasure receipt;
	char id[UUID_SIZE];
	make_tenants();
	assert_int_equal(keyring_destroy(keyring, arena, B, &receipt), OK);
	erase_user(V);
	for (useconds_t us = 0; us < 6000; us += 300) {
		pid_t child = fork();
		if (child == 0) {
			for (;;)
				(void)level();
		}
		usleep(us);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		uuid_new(id);
		assert_int_equal(keyring_rotate(keyring, A), OK);
		assert_int_equal(
			keyring_user_create(keyring, A, (const char *const[]){ id }, 1), OK);
	}
	assert_string_equal(level(), "");
	assert_level("one");
	assert_level("two");
	assert_false(is_there("one", B ".1.key"));
}

static void put_map(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* A file system that only this process and its children see. */
static bool mount_hidden(const char *options)
{
	unsigned user = geteuid(), group = getegid();
	if (unshare(user ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS))
		return false;
	if (user) {
		put_map("/proc/self/uid_map", arena_printf(arena, "%u %u 1", user, user));
		put_map("/proc/self/setgroups", "deny");
		put_map("/proc/self/gid_map", arena_printf(arena, "%u %u 1", group, group));
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("none", path("two", ""), "tmpfs", 0, options) == 0;
}

/* A disk of 64 KiB in the place of the second replica. Returns what takes it away, if anything has
 * to: there are no user namespaces in a chroot, so there it is made by sudo. */
static const char *mount_small(void)
{
	const char *options = arena_printf(
		arena, "size=64k,mode=700,uid=%u,gid=%u", (unsigned)geteuid(), (unsigned)getegid());
	if (mount_hidden(options))
		return NULL;
	const char *by_sudo = arena_printf(
		arena, "sudo -n mount -t tmpfs -o %s none %s", options, path("two", ""));
	assert_int_equal(system(by_sudo), 0); /* NOLINT(cert-env33-c) */
	return arena_printf(arena, "sudo -n umount %s", path("two", ""));
}

static void fill(void)
{
	static const unsigned char page[4096] = { 1 };
	int fd = open(path("two", "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, page, sizeof page) > 0)
		continue;
	close(fd);
}

static void destroy_on_a_full_disk(void)
{
	struct erasure receipt;
	assert_int_equal(keyring_replica_join(keyring, list), OK);
	make_tenants();
	struct bytes slots = content("two", A ".users");
	fill();
	assert_int_equal(keyring_rotate(keyring, A), OK);
	erase_user(U);
	assert_int_equal(keyring_destroy(keyring, arena, B, &receipt), OK);
	assert_string_equal(level(), "two");
	assert_false(is_there("two", B ".1.key") || is_there("two", B ".index.key") ||
		is_there("two", B ".login"));
	assert_memory_not_equal(content("two", A ".users").data, slots.data, SLOT);
	assert_int_equal(unlink(path("two", "filler")), 0);
	assert_string_equal(level(), "");
	assert_level("two");
}

/* What cannot be copied for want of room holds up no end of a key. */
static void a_full_disk_loses_keys_all_the_same(void **state)
{
	pid_t child = fork(); /* what is mounted hidden goes with it */
	int status = 0;
	if (child == 0) {
		const char *unmount = mount_small();
		destroy_on_a_full_disk();
		_exit(unmount && system(unmount)); /* NOLINT(cert-env33-c) */
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- what is never done ---- */

static void what_nothing_explains_is_left_alone(void **state)
{
	make_tenants();
	assert_int_equal(unlink(path("keys", B ".1.key")), 0);
	assert_string_equal(level(), "one, two");
	assert_true(is_there("one", B ".1.key") && is_there("two", B ".1.key"));
	assert_string_equal(level(), "one, two"); /* and is not forgotten */
	put("keys", B ".1.key", content("one", B ".1.key"));
	assert_string_equal(level(), "");
}

static void a_damaged_key_takes_no_good_ones_place(void **state)
{
	make_tenants();
	struct bytes good = content("one", A ".1.key");
	put_text("keys", A ".1.key", "noise");
	assert_string_equal(level(), "one, two");
	struct bytes there = content("one", A ".1.key");
	assert_int_equal(there.n, good.n);
	assert_memory_equal(there.data, good.data, good.n);
}

static void another_key_of_a_user_takes_no_ones_place(void **state)
{
	const char *const users[] = { U, V };
	make_tenants();
	struct bytes good = content("one", A ".users");
	assert_int_equal(unlink(path("keys", A ".users")), 0);
	for (size_t n = 1; n <= 2; n++) { /* fewer than there, and as many */
		reopen(ROOT);
		assert_int_equal(keyring_user_create(keyring, A, users, n), OK);
		assert_string_equal(level(), "one, two");
		struct bytes there = content("two", A ".users");
		assert_int_equal(there.n, good.n);
		assert_memory_equal(there.data, good.data, good.n);
	}
}

/* An older copy of the keyring, put into place. */
static void keys_of_more_users_than_ours_stay(void **state)
{
	make_tenants();
	struct bytes good = content("one", A ".users");
	assert_int_equal(truncate(path("keys", A ".users"), SLOT), 0);
	assert_string_equal(level(), "one, two");
	struct bytes there = content("one", A ".users");
	assert_int_equal(there.n, good.n);
	assert_memory_equal(there.data, good.data, good.n);
	assert_string_equal(level(), "one, two"); /* and is not forgotten */
}

static void who_is_erased_is_not_brought_back(void **state)
{
	struct erasure receipt;
	make_tenants();
	struct bytes key = content("keys", B ".1.key"), slots = content("keys", A ".users");
	erase_user(U);
	assert_int_equal(keyring_destroy(keyring, arena, B, &receipt), OK);
	put("keys", B ".1.key", key); /* an old copy of the keyring, put into place */
	put("keys", A ".users", slots);
	assert_string_equal(level(), "");
	assert_false(is_there("one", B ".1.key"));
	assert_memory_not_equal(content("one", A ".users").data, slots.data, SLOT);
	assert_memory_equal(content("one", A ".users").data + SLOT, slots.data + SLOT, SLOT);
}

static void in_an_empty_directory_nothing_is_written(void **state)
{
	make_tenants();
	assert_int_equal(rename(path("two", ""), path("away", "")), 0);
	assert_int_equal(mkdir(path("two", ""), 0700), 0); /* where its disk should be */
	assert_string_equal(level(), "two");
	assert_false(is_there("two", A ".1.key"));
	assert_int_equal(rmdir(path("two", "")), 0);
	assert_int_equal(rename(path("away", ""), path("two", "")), 0);
	assert_string_equal(level(), "");
}

static void what_is_no_file_of_a_keyring_stays(void **state)
{
	put_text("one", ".snapshot", "of somebody else");
	put_text("one", "README", "of somebody else");
	assert_int_equal(mkdir(path("one", "lost+found"), 0700), 0);
	make_tenants();
	assert_true(is_there("one", ".snapshot") && is_there("one", "README"));
}

/* ---- starting ---- */

static void assert_refused(void)
{
	assert_null(keyring_replicas_open(keyring, list));
}

static void a_start_with_an_empty_keyring_is_refused(void **state)
{
	make_tenants();
	keyring_close(keyring);
	assert_int_equal(rename(path("keys", ""), path("lost", "")), 0);
	assert_int_equal(mkdir(path("keys", ""), 0700), 0);
	keyring = open_keyring("keys", ROOT);
	assert_refused();
	assert_true(is_there("one", A ".1.key"));
	assert_int_equal(keyring_replica_join(keyring, list), ERR_INVALID);
	/* Also when none can be looked at. */
	assert_int_equal(rename(path("one", ""), path("away", "")), 0);
	assert_int_equal(rename(path("two", ""), path("away too", "")), 0);
	assert_refused();
}

static void a_replica_of_another_keyring_is_refused(void **state)
{
	make_tenants();
	put_text("two", "keyring.id", "manabiya-keyring " V "\n");
	assert_string_equal(level(), "two"); /* mounted while it runs */
	assert_true(is_there("two", A ".1.key"));
	assert_refused();
}

static void a_ledger_that_is_older_than_a_replicas_is_refused(void **state)
{
	make_tenants();
	erase_user(U);
	assert_string_equal(level(), "");
	assert_int_equal(truncate(path("keys", KEYRING_LEDGER), 0), 0);
	assert_refused();
	assert_string_equal(level(), "one, two");
	assert_true(content("one", KEYRING_LEDGER).n > 0);
}

static void the_same_directory_is_no_replica(void **state)
{
	assert_null(keyring_replicas_open(
		keyring, arena_printf(arena, "one=%s/one,again=%s/one", place, place)));
	assert_null(keyring_replicas_open(keyring, arena_printf(arena, "one=%s/keys", place)));
}

static void a_list_that_is_none_is_refused(void **state)
{
	static const char *const wrong[] = { "one", "=x", "one=", "One=/x", "a b=/x", "a=/x,a=/y",
		",", "a=/1,b=/2,c=/3,d=/4,e=/5", "a23456789012345678901234567890123=/x" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(keyring_replicas_open(keyring, wrong[i]));
	struct keyring_replicas *none = keyring_replicas_open(keyring, "");
	const char *behind;
	assert_int_equal(keyring_replicas_level(none, arena, NULL, &behind), OK);
	keyring_replicas_close(none);
}

static void only_an_empty_directory_joins(void **state)
{
	make_tenants();
	assert_int_equal(mkdir(path("new", ""), 0700), 0);
	const char *more = arena_printf(arena, "%s,new=%s/new", list, place);
	put("new", A ".1.key", content("keys", A ".1.key"));
	assert_int_equal(keyring_replica_join(keyring, more), ERR_INVALID);
	assert_int_equal(unlink(path("new", A ".1.key")), 0);
	assert_int_equal(keyring_replica_join(keyring, more), OK);
	assert_int_equal(keyring_replica_join(keyring, more), OK);
	keyring_replicas_close(replicas);
	replicas = keyring_replicas_open(keyring, more);
	assert_string_equal(level(), "");
	assert_level("new");
}

/* ---- the keyring is lost ---- */

static void a_replica_takes_the_keyrings_place(void **state)
{
	struct erasure receipt;
	unsigned char before[KEY_SIZE], after[KEY_SIZE];
	const struct data_key text = { "text", 1 };
	make_tenants();
	assert_int_equal(keyring_user_key(keyring, A, text, V, before), OK);
	erase_user(U);
	assert_int_equal(keyring_destroy(keyring, arena, B, &receipt), OK);
	assert_string_equal(level(), "");
	keyring_close(keyring);
	keyring_replicas_close(replicas);
	assert_int_equal(rename(path("keys", ""), path("lost", "")), 0);
	assert_int_equal(rename(path("one", ""), path("keys", "")), 0);
	assert_int_equal(mkdir(path("one", ""), 0700), 0);
	keyring = open_keyring("keys", ROOT);
	assert_int_equal(keyring_replica_join(keyring, list), OK);
	open_replicas();
	assert_string_equal(level(), "");
	assert_level("one");
	assert_int_equal(keyring_user_key(keyring, A, text, V, after), OK);
	assert_memory_equal(before, after, KEY_SIZE);
	assert_int_equal(keyring_user_key(keyring, A, text, U, after), ERR_NOT_FOUND);
	assert_int_equal(keyring_create(keyring, B), ERR_CONFLICT);
}

static void who_only_reads_brings_nothing_level(void **state)
{
	const char *behind;
	keyring_only_reads(keyring);
	assert_int_equal(keyring_replicas_level(replicas, arena, NULL, &behind), ERR_FORBIDDEN);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_in_every_replica),
		TEST(keys_of_many_users_are_in_every_replica),
		TEST(under_another_root_the_old_wrapping_is_gone_there_too),
		TEST(what_a_crash_left_half_written_is_gone_with_the_next_pass),
		TEST(what_cannot_take_its_name_is_overwritten),
		TEST(what_was_changed_there_is_found_within_the_hour),
		TEST(another_disk_in_its_place_is_brought_level),
		TEST(an_erased_tenant_is_gone_from_every_replica),
		TEST(what_is_destroyed_is_overwritten_there_first),
		TEST(an_erased_user_is_overwritten_in_every_replica),
		TEST(an_ended_version_is_gone_from_every_replica),
		TEST(one_that_is_away_is_named_and_made_up_for),
		TEST(it_goes_on_where_kill_9_left_it),
		TEST(a_full_disk_loses_keys_all_the_same),
		TEST(what_nothing_explains_is_left_alone),
		TEST(a_damaged_key_takes_no_good_ones_place),
		TEST(another_key_of_a_user_takes_no_ones_place),
		TEST(keys_of_more_users_than_ours_stay),
		TEST(who_is_erased_is_not_brought_back),
		TEST(in_an_empty_directory_nothing_is_written),
		TEST(what_is_no_file_of_a_keyring_stays),
		TEST(a_start_with_an_empty_keyring_is_refused),
		TEST(a_replica_of_another_keyring_is_refused),
		TEST(a_ledger_that_is_older_than_a_replicas_is_refused),
		TEST(the_same_directory_is_no_replica),
		TEST(a_list_that_is_none_is_refused),
		TEST(only_an_empty_directory_joins),
		TEST(a_replica_takes_the_keyrings_place),
		TEST(who_only_reads_brings_nothing_level),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
