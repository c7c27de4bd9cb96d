/* What a process sees of the file system after view_restrict(): each attempt in a child. */
#include "libcommon/view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/arena.h"
#include "libcommon/cmocka_call.h"

static struct arena *arena;
static char folder[] = "/tmp/manabiya-view-XXXXXX";

static const char *in_folder(const char *name)
{
	return arena_printf(arena, "%s/%s", folder, name);
}

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static int set_up(void **state)
{
	arena = arena_new();
	if (!mkdtemp(folder))
		return -1;
	static const char *const trees[] = { "read", "write", "hidden", "link", "target", "each" };
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		if (mkdir(in_folder(trees[i]), 0700))
			return -1;
		make_file(arena_printf(arena, "%s/%s/file", folder, trees[i]));
	}
	make_file(in_folder("target/other"));
	if (symlink("../target/file", in_folder("link/key")))
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "read/file", "write/file", "write/socket",
		"hidden/file", "link/file", "link/key", "target/file", "target/other", "each/file",
		"read", "write", "hidden", "link", "target", "each" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(in_folder(names[i]));
	(void)rmdir(folder);
	arena_free(arena);
	return 0;
}

/* 0, or the errno with which a restricted child was refused the file. */
static int open_restricted(const char *name, int flags)
{
	pid_t child = fork();
	if (child == 0) {
		view_reads(in_folder("read"));
		view_writes(in_folder("write/socket")); /* not there yet: its directory */
		view_reads(in_folder("missing"));
		view_writes_directory(in_folder("each"));
		view_writes_directory(in_folder("hidden/missing")); /* and no more of `hidden` */
		view_writes_directory(in_folder("hidden/file"));
		view_reloads(in_folder("link/key"));
		view_reloads("");
		view_reads("");
		view_restrict();
		_exit(open(in_folder(name), flags | O_CLOEXEC, 0600) < 0 ? errno : 0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Without Landlock nothing is refused, and the process must run all the same. */
static int refused(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0
		? EACCES
		: 0;
}

static void what_was_named_is_seen(void **state)
{
	assert_int_equal(open_restricted("read/file", O_RDONLY), 0);
	assert_int_equal(open_restricted("write/file", O_RDWR), 0);
	assert_int_equal(open_restricted("write/socket", O_CREAT | O_WRONLY), 0);
	assert_int_equal(open_restricted("each/file", O_RDWR), 0);
}

static void what_takes_the_place_of_a_file_is_seen(void **state)
{
	assert_int_equal(open_restricted("link/key", O_RDONLY), 0);
	assert_int_equal(open_restricted("link/file", O_RDONLY), 0);
	assert_int_equal(open_restricted("target/other", O_RDONLY), 0);
	assert_int_equal(open_restricted("link/file", O_WRONLY), refused());
}

static void the_rest_is_refused(void **state)
{
	assert_int_equal(open_restricted("hidden/file", O_RDONLY), refused());
	assert_int_equal(open_restricted("hidden/missing", O_CREAT | O_WRONLY), refused());
	assert_int_equal(open_restricted("read/file", O_WRONLY), refused());
	assert_int_equal(open_restricted("read/new", O_CREAT | O_WRONLY), refused());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_named_is_seen),
		cmocka_unit_test(what_takes_the_place_of_a_file_is_seen),
		cmocka_unit_test(the_rest_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
