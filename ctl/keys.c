/*
 * Makes the keys of a deployment, once.
 *
 * It never replaces a file: a lost tenant key is lost data, so overwriting is the one mistake that
 * this command must not be able to make.
 */
#include "ctl/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/arena.h"
#include "libcommon/conf.h"
#include "libcommon/crypto.h"
#include "libcommon/log.h"

enum { TEXT_MAX = 128, CALLEES_MAX = 5, SECRET_GROUPS = 4 };

/* Who calls whom: the gateway everybody; everybody auth for capabilities and audit for its log;
 * producers of events their consumers; provisioning everybody who has to purge a tenant; learning
 * provisioning and notification what goes into an archive. No other pair gets a key, so no other
 * call can be made. */
static const struct caller {
	const char *name;
	const char *callees[CALLEES_MAX + 1];
} callers[] = {
	{ "gateway", { "auth", "provisioning", "learning", "notification", "audit" } },
	{ "auth", { "notification", "audit" } },
	{ "provisioning", { "auth", "learning", "notification", "audit" } },
	{ "learning", { "auth", "provisioning", "notification", "audit" } },
	{ "notification", { "auth", "audit" } },
	{ "audit", { "auth", "audit" } },
};
#define CALLERS_N (sizeof(callers) / sizeof(callers[0]))

static must_check enum err make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return OK;
	log_error("cannot make %s: %s", path, strerror(errno));
	return ERR_UNAVAILABLE;
}

/* The text of a key file without its newline, or NULL if there is none. */
static const char *read_text(struct arena *arena, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	char *text = arena_alloc(arena, TEXT_MAX + 1);
	ssize_t n = read(fd, text, TEXT_MAX);
	(void)close(fd);
	if (n <= 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static must_check bool write_all(int fd, const char *text)
{
	size_t n = strlen(text);
	bool is_written = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
	return close(fd) == 0 && is_written;
}

/* A whole file or none: written under another name and linked, which fails where one exists. */
static must_check enum err write_new(struct arena *arena, const char *path, const char *text)
{
	const char *draft = arena_printf(arena, "%s.new", path);
	(void)unlink(draft); /* of a run that was cut short */
	int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool is_made = fd >= 0 && write_all(fd, arena_printf(arena, "%s\n", text)) &&
		link(draft, path) == 0;
	int reason = errno;
	(void)unlink(draft);
	if (is_made) {
		printf("%s\n", path);
		return OK;
	}
	log_error("cannot write %s: %s", path, strerror(reason));
	return ERR_UNAVAILABLE;
}

static must_check enum err keep_or_write(struct arena *arena, const char *path, const char *text)
{
	return access(path, F_OK) == 0 ? OK : write_new(arena, path, text);
}

static const char *random_hex(struct arena *arena)
{
	auto_secret(key, KEY_SIZE);
	crypto_random(key, sizeof(key));
	return crypto_hex(arena, key, sizeof(key));
}

/* The same key at both ends; an end that has lost its copy gets the other's. */
static must_check enum err make_pair(
	struct arena *arena, const char *bus, const char *caller, const char *callee)
{
	const char *here = arena_printf(arena, "%s/%s/%s-%s.key", bus, caller, caller, callee);
	const char *there = arena_printf(arena, "%s/%s/%s-%s.key", bus, callee, caller, callee);
	const char *key = read_text(arena, here);
	if (!key)
		key = read_text(arena, there);
	if (!key)
		key = random_hex(arena);
	enum err e = keep_or_write(arena, here, key);
	return e ? e : keep_or_write(arena, there, key);
}

static must_check enum err make_bus_keys(struct arena *arena, const char *directory)
{
	const char *bus = arena_printf(arena, "%s/bus", directory);
	enum err e = make_directory(bus);
	for (size_t i = 0; !e && i < CALLERS_N; i++)
		e = make_directory(arena_printf(arena, "%s/%s", bus, callers[i].name));
	for (size_t i = 0; !e && i < CALLERS_N; i++) {
		for (const char *const *callee = callers[i].callees; !e && *callee; callee++)
			e = make_pair(arena, bus, callers[i].name, *callee);
	}
	return e;
}

/* NAME.pub follows from NAME.key. */
static must_check enum err make_public_key(
	struct arena *arena, const char *directory, const char *name)
{
	auto_secret(seed, KEY_SIZE);
	auto_secret(signing, SIGNING_KEY_SIZE);
	unsigned char public_key[PUBLIC_KEY_SIZE];
	const char *path = arena_printf(arena, "%s/%s.key", directory, name);
	const char *hex = read_text(arena, path);
	if (!hex || crypto_from_hex(hex, seed, sizeof(seed))) {
		log_error("%s does not hold %d bytes in hex", path, KEY_SIZE);
		return ERR_INVALID;
	}
	crypto_sign_keys(seed, public_key, signing);
	return keep_or_write(arena, arena_printf(arena, "%s/%s.pub", directory, name),
		crypto_hex(arena, public_key, sizeof(public_key)));
}

static must_check enum err make_all(struct arena *arena, const char *directory)
{
	static const char *const names[] = { "capability.key", "tenant-mac.key", "password.key",
		"keyring-root.key", "checkpoint.key" };
	enum err e = make_directory(directory);
	for (size_t i = 0; !e && i < sizeof(names) / sizeof(names[0]); i++)
		e = keep_or_write(arena, arena_printf(arena, "%s/%s", directory, names[i]),
			random_hex(arena));
	if (!e)
		e = make_public_key(arena, directory, "capability");
	if (!e)
		e = make_public_key(arena, directory, "checkpoint");
	if (!e)
		e = keep_or_write(arena, arena_printf(arena, "%s/bootstrap.secret", directory),
			crypto_readable_secret(arena, SECRET_GROUPS));
	return e ? e : make_bus_keys(arena, directory);
}

int keys_command(int argc, char **argv)
{
	static const char *directory;
	static const struct option options[] = {
		{ .name = "directory",
			.kind = OPTION_TEXT,
			.min = 1,
			.max = 4000,
			.help = "where the keys lie; made if missing, for its owner only" },
	};
	const struct option_set set = { options, 1, &directory };
	if (conf_read(argc, argv, &set, 1))
		return 2;
	crypto_start();
	struct arena *arena = arena_new();
	enum err e = make_all(arena, directory);
	arena_free(arena);
	return e ? 1 : 0;
}
