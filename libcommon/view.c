/* The file system as a process sees it (view.h). Knows nothing of options or services. */
#include "libcommon/view.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libcommon/log.h"

#define PATHS_MAX 32 /* a service names fewer than ten */

/* Newer than Debian 12's headers (linux/landlock.h of Linux 6.2 and 6.10). */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define FILE_READS LANDLOCK_ACCESS_FS_READ_FILE
#define FILE_WRITES (FILE_READS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define TREE_READS (FILE_READS | LANDLOCK_ACCESS_FS_READ_DIR)
#define TREE_WRITES                                                                                \
	(TREE_READS | FILE_WRITES | LANDLOCK_ACCESS_FS_REMOVE_FILE |                               \
		LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                      \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |                       \
		LANDLOCK_ACCESS_FS_REFER)

/* What glibc, libpq, libcurl and OpenSSL read while they run. */
static const char *const LIBRARIES[] = { "/usr/lib", "/usr/share", "/lib", "/lib64", "/proc/self",
	"/dev/null", "/dev/urandom", "/sys/devices/system/cpu", "/run/systemd/resolve",
	"/etc/ca-certificates", "/etc/gai.conf", "/etc/host.conf", "/etc/hosts", "/etc/ld.so.cache",
	"/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/resolv.conf", "/etc/services",
	"/etc/ssl/certs", "/etc/ssl/openssl.cnf" };

static struct path {
	char *text;
	bool writes;
} paths[PATHS_MAX];
static size_t paths_n;

static void note(const char *path, bool writes)
{
	if (!*path)
		return;
	assert(paths_n < PATHS_MAX);
	char *text = strdup(path);
	if (!text)
		abort();
	paths[paths_n++] = (struct path){ text, writes };
}

void view_reads(const char *path)
{
	note(path, false);
}

static void note_directory_of(const char *path)
{
	char directory[PATH_MAX];
	struct stat status;
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	if (!slash || n >= sizeof(directory) ||
		(stat(path, &status) == 0 && S_ISDIR(status.st_mode))) {
		note(slash ? path : *path ? "." : "", false);
		return;
	}
	memcpy(directory, path, n);
	directory[n] = '\0';
	note(n ? directory : "/", false);
}

void view_reloads(const char *path)
{
	char target[PATH_MAX];
	note_directory_of(path);
	if (realpath(path, target) && strcmp(target, path) != 0)
		note_directory_of(target);
}

void view_writes(const char *path)
{
	note(path, true);
}

void view_writes_directory(const char *path)
{
	struct stat status;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		note(path, true);
}

/* ---- rules ---- */

/* The rights that this version of Landlock knows. */
static uint64_t rights_of(long version)
{
	uint64_t rights = LANDLOCK_ACCESS_FS_REFER - 1; /* version 1: all bits below */
	if (version >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (version >= 5)
		rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return rights;
}

static bool is_directory(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

static void add_rule(int rules, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		abort();
}

static void allow_reading(int rules, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	add_rule(rules, fd, is_directory(fd) ? TREE_READS : FILE_READS);
	close(fd);
}

static void allow_writing(int rules, const char *path, uint64_t known)
{
	char directory[PATH_MAX];
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *slash = strrchr(path, '/');
	if (fd < 0 && slash && (size_t)(slash - path) < sizeof(directory)) {
		size_t n = (size_t)(slash - path);
		memcpy(directory, path, n);
		directory[n] = '\0';
		fd = open(n ? directory : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return;
	add_rule(rules, fd, TREE_WRITES & known);
	close(fd);
}

static void allow_own_program(int rules)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	allow_reading(rules, path);
}

static void allow_all(int rules, uint64_t known)
{
	for (size_t i = 0; i < sizeof(LIBRARIES) / sizeof(LIBRARIES[0]); i++)
		allow_reading(rules, LIBRARIES[i]);
	allow_own_program(rules); /* the sanitizers name lines from it */
	for (size_t i = 0; i < paths_n; i++)
		if (paths[i].writes)
			allow_writing(rules, paths[i].text, known);
		else
			allow_reading(rules, paths[i].text);
}

void view_restrict(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		abort();
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1) {
		log_warning("this kernel has no Landlock: the file system stays visible");
		return;
	}
	uint64_t known = rights_of(version);
	struct landlock_ruleset_attr handled = { .handled_access_fs = known };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (rules < 0)
		abort();
	allow_all(rules, known);
	if (syscall(SYS_landlock_restrict_self, rules, 0))
		abort();
	close(rules);
}
