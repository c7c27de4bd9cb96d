/* What service_main() leaves a service of the keyring, tried from its start(): each in a child, for
 * what is given up does not come back. */
#include "libcommon/service.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/keyring.h"
#include "libcommon/reseal.h"
#include "libcommon/testing.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* What went well, as the child's exit status. */
enum { ROTATES = 1, MAKES_FILES = 2, OPENS_TO_WRITE = 4, OWN_KEY = 8, FOREIGN_KEY = 16 };

static char directory[] = "/tmp/manabiya-service-XXXXXX";

static bool opens(const char *name, int flags)
{
	return openat(keyring_directory(service_keyring()), name, flags | O_CLOEXEC, 0600) >= 0;
}

static bool has_key(const char *domain)
{
	unsigned char key[KEY_SIZE];
	const struct data_key which = { .domain = domain, .version = 1 };
	return keyring_data_key(service_keyring(), TEST_TENANT, which, key) == OK;
}

static enum err try_all(void)
{
	int done = 0;
	/* Refused before the file system is asked. */
	if (keyring_rotate(service_keyring(), TEST_TENANT) != ERR_FORBIDDEN)
		done |= ROTATES;
	if (opens("new", O_CREAT | O_WRONLY))
		done |= MAKES_FILES;
	if (opens(TEST_TENANT ".1.key", O_RDWR))
		done |= OPENS_TO_WRITE;
	if (has_key("text"))
		done |= OWN_KEY;
	if (has_key("media"))
		done |= FOREIGN_KEY;
	_exit(done);
}

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];
	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void run(enum keyring_use use)
{
	static const struct sealed_column sealed[] = {
		SEALED_COLUMN("note", "id", "text", "text", "note.text"),
	};
	const struct service service = { .name = "learning",
		.keyring = use,
		.sealed = sealed,
		.sealed_n = 1,
		.start = try_all };
	char listen[160], bus[160], database[] = "--database=host=/nowhere", key[160], keyring[160],
				    root[160], name[] = "service_test";
	(void)snprintf(listen, sizeof(listen), "--listen=ipc://%s", path_of("run/socket"));
	(void)snprintf(bus, sizeof(bus), "--bus-keys=%s", directory);
	(void)snprintf(key, sizeof(key), "--auth-public-key=%s", path_of("key"));
	(void)snprintf(keyring, sizeof(keyring), "--keyring=%s", path_of("keyring"));
	(void)snprintf(root, sizeof(root), "--keyring-root=%s", path_of("key"));
	char *arguments[] = { name, listen, bus, database, key, keyring, root, NULL };
	_exit(service_main(7, arguments, &service));
}

static int done_by(enum keyring_use use)
{
	pid_t child = fork();
	if (child == 0)
		run(use);
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Without Landlock the directory's rights and mounts are all there is. */
static int without_landlock(int what)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0
		? 0
		: what;
}

static void who_only_reads_the_keyring_can_change_nothing(void **state)
{
	assert_int_equal(
		done_by(KEYRING_READS), OWN_KEY | without_landlock(MAKES_FILES | OPENS_TO_WRITE));
}

static void who_writes_it_is_bound_to_its_domains_too(void **state)
{
	assert_int_equal(done_by(KEYRING_WRITES), ROTATES | MAKES_FILES | OPENS_TO_WRITE | OWN_KEY);
}

static int set_up(void **state)
{
	/* Where a socket is made others can be: it has a directory of its own. */
	if (!mkdtemp(directory) || mkdir(path_of("keyring"), 0700) || mkdir(path_of("run"), 0700))
		return -1;
	int file = open(path_of("key"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (file < 0 || dprintf(file, KEY "\n") < 0 || close(file))
		return -1;
	struct keyring *keyring = keyring_open(path_of("keyring"), KEY);
	enum err e = keyring ? keyring_create(keyring, TEST_TENANT) : ERR_UNAVAILABLE;
	keyring_close(keyring);
	return e ? -1 : 0;
}

static void remove_directory(const char *path)
{
	DIR *files = opendir(path);
	for (const struct dirent *file; files && (file = readdir(files));)
		(void)unlinkat(dirfd(files), file->d_name, 0);
	if (files)
		closedir(files);
	(void)rmdir(path);
}

static int tear_down(void **state)
{
	remove_directory(path_of("keyring"));
	remove_directory(path_of("run"));
	remove_directory(directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_only_reads_the_keyring_can_change_nothing),
		cmocka_unit_test(who_writes_it_is_bound_to_its_domains_too),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
