/*
 * Forward-only migrations: `0012_some_reason.sql`, applied once, never edited afterwards.
 *
 * Two runners at once are safe: the second waits for the first and finds nothing to do. 0001 makes
 * roles and therefore runs as whoever connects (a superuser); every later file runs as
 * manabiya_owner, so that all it makes belongs to it.
 */
#include "ctl/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/sql.h"
#include "libcommon/arena.h"
#include "libcommon/conf.h"
#include "libcommon/crypto.h"

#define NAME_SUFFIX ".sql"
#define NUMBER_DIGITS 4
#define FILE_MAX (1024 * 1024) /* a migration is read by people; a larger one is a mistake */
/* The advisory lock that runners queue for: any number that nothing else uses. */
#define LOCK_TEXT "SELECT pg_advisory_lock(4937221)"

struct settings {
	const char *database;
	const char *migrations;
	const char *mac_key;
};

struct run {
	struct arena *arena;
	struct sql *sql;
	const struct settings *settings;
	struct sql_rows applied; /* number, sha256 */
	unsigned done;
};

static must_check enum err say(const char *name, const char *what)
{
	(void)fprintf(stderr, "manabiyactl: %s: %s\n", name, what);
	return ERR_INVALID;
}

/* 0012_some_reason.sql, and nothing else. */
static int is_migration(const struct dirent *entry)
{
	size_t digits = strspn(entry->d_name, "0123456789");
	size_t n = strlen(entry->d_name), suffix = strlen(NAME_SUFFIX);
	return digits == NUMBER_DIGITS && n > digits + suffix && entry->d_name[digits] == '_' &&
		strcmp(entry->d_name + n - suffix, NAME_SUFFIX) == 0;
}

static must_check enum err read_whole(struct run *run, const char *name, const char **out)
{
	const char *path = arena_printf(run->arena, "%s/%s", run->settings->migrations, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return say(path, strerror(errno));
	char *text = arena_alloc(run->arena, FILE_MAX + 1);
	size_t n = fread(text, 1, FILE_MAX + 1, file);
	int broken = ferror(file);
	(void)fclose(file);
	if (broken || n > FILE_MAX || memchr(text, '\0', n))
		return say(path, "cannot be read as a migration of at most 1 MiB");
	*out = text;
	return OK;
}

/* What stands in tenancy.migration; nothing before the first run. */
static must_check enum err read_applied(struct run *run)
{
	struct sql_rows there = { 0 };
	enum err e =
		sql_query(run->sql, "SELECT to_regclass('tenancy.migration')", NULL, 0, &there);
	if (e || !there.cells[0])
		return e;
	return sql_query(run->sql,
		"SELECT number::text, sha256 FROM tenancy.migration ORDER BY number", NULL, 0,
		&run->applied);
}

static const char *applied_sha256(const struct run *run, long number)
{
	for (size_t i = 0; i < run->applied.rows; i++)
		if (strtol(run->applied.cells[2 * i], NULL, 10) == number)
			return run->applied.cells[2 * i + 1];
	return NULL;
}

/* In one transaction: the file, and the note that it was applied. */
static must_check enum err apply(
	struct run *run, const char *name, long number, const char *text, const char *sha256)
{
	const char *values[] = { arena_printf(run->arena, "%ld", number), name, sha256 };
	enum err e = sql_script(
		run->sql, number == 1 ? "BEGIN" : "BEGIN; SET LOCAL ROLE manabiya_owner");
	if (!e)
		e = sql_script(run->sql, text);
	if (!e && !sql_is_in_transaction(run->sql))
		e = say(name, "ends its transaction; a migration must not");
	if (!e)
		e = sql_query(run->sql,
			"INSERT INTO tenancy.migration (number, name, sha256) VALUES ($1, $2, $3)",
			values, 3, NULL);
	if (!e)
		e = sql_script(run->sql, "COMMIT");
	if (e) {
		(void)fprintf(stderr, "manabiyactl: %s was not applied\n", name);
		return e;
	}
	(void)printf("applied %s\n", name);
	run->done++;
	return OK;
}

static must_check enum err migrate_one(struct run *run, const char *name)
{
	const char *text = NULL;
	enum err e = read_whole(run, name, &text);
	if (e)
		return e;
	unsigned char hash[HASH_SIZE];
	crypto_sha256(text, strlen(text), hash);
	const char *sha256 = crypto_hex(run->arena, hash, sizeof(hash));
	long number = strtol(name, NULL, 10);
	const char *before = applied_sha256(run, number);
	if (!before)
		return apply(run, name, number, text, sha256);
	if (strcmp(before, sha256) != 0)
		return say(name, "was applied before and has changed since; add a new migration");
	return OK;
}

static must_check enum err migrate_files(struct run *run)
{
	struct dirent **entries = NULL;
	int n = scandir(run->settings->migrations, &entries, is_migration, alphasort);
	if (n <= 0)
		return say(run->settings->migrations, n ? strerror(errno) : "no migrations there");
	enum err e = OK;
	for (int i = 0; i < n && !e; i++) {
		if (i && strncmp(entries[i]->d_name, entries[i - 1]->d_name, NUMBER_DIGITS) == 0)
			e = say(entries[i]->d_name, "has the number of another migration");
		else
			e = migrate_one(run, entries[i]->d_name);
	}
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return e;
}

/* The key by which tenancy.tenant() knows auth's word. */
static must_check enum err store_mac_key(struct run *run)
{
	auto_secret(key, KEY_SIZE);
	const char *const values[] = { run->settings->mac_key };
	if (crypto_from_hex(run->settings->mac_key, key, KEY_SIZE))
		return say("--tenant-mac-key", "the file must hold 64 hexadecimal digits");
	enum err e = sql_script(run->sql, "BEGIN; SET LOCAL ROLE manabiya_owner");
	if (!e)
		e = sql_query(
			run->sql, "SELECT tenancy.set_mac_key(decode($1, 'hex'))", values, 1, NULL);
	return e ? e : sql_script(run->sql, "COMMIT");
}

static must_check enum err migrate(struct run *run)
{
	enum err e = sql_open(run->settings->database, run->arena, &run->sql);
	if (!e)
		e = sql_script(run->sql, LOCK_TEXT);
	if (!e)
		e = read_applied(run);
	if (!e)
		e = migrate_files(run);
	if (!e)
		e = store_mac_key(run);
	sql_close(run->sql);
	return e;
}

int migrate_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "database", OPTION_TEXT, NULL, offsetof(struct settings, database), 1, 1000,
			"libpq connection string of a superuser" },
		{ "migrations", OPTION_TEXT, NULL, offsetof(struct settings, migrations), 1, 4000,
			"directory of NNNN_reason.sql files" },
		{ "tenant-mac-key", OPTION_SECRET, NULL, offsetof(struct settings, mac_key), 1,
			4000, "file with auth's tenant MAC key, 64 hexadecimal digits" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (conf_read(argc, argv, &set, 1))
		return 2;
	crypto_start();
	struct arena *arena = arena_new();
	struct run run = { .arena = arena, .settings = &settings };
	enum err e = migrate(&run);
	if (!e)
		(void)printf("%u applied, the database is up to date\n", run.done);
	arena_free(arena);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}
