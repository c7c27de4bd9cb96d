/*
 * Forward-only migrations: `0012_some_reason.sql`, applied once, never edited afterwards.
 *
 * What was applied must be among the files, unchanged; otherwise the database is of another state
 * of the sources, and nothing is applied at all: half of one schema and half of another helps
 * nobody.
 *
 * Two runners at once are safe: the second waits for the first and finds nothing to do. 0001 makes
 * roles and therefore runs as whoever connects (a superuser); every later file runs as
 * manabiya_owner, so that all it makes belongs to it.
 */
#include "ctl/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/sql.h"
#include "libcommon/arena.h"
#include "libcommon/conf.h"
#include "libcommon/crypto.h"

#define NAME_SUFFIX ".sql"
#define NUMBER_DIGITS 4
#define COLUMNS 3 /* of struct run's applied */
#define FILE_MAX (1024 * 1024) /* a migration is read by people; a larger one is a mistake */
/* The advisory lock that runners queue for: any number that nothing else uses. */
#define LOCK_TEXT "SELECT pg_advisory_lock(4937221)"

struct settings {
	const char *database;
	const char *migrations;
	const char *mac_key;
};

struct files {
	struct dirent **entries; /* sorted */
	int n;
};

struct run {
	struct arena *arena;
	struct sql *sql;
	const struct settings *settings;
	struct sql_rows applied; /* number, name, sha256 */
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
		"SELECT number::text, name, sha256 FROM tenancy.migration ORDER BY number", NULL, 0,
		&run->applied);
}

static bool is_applied(const struct run *run, long number)
{
	for (size_t i = 0; i < run->applied.rows; i++)
		if (strtol(run->applied.cells[COLUMNS * i], NULL, 10) == number)
			return true;
	return false;
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

static const char *sha256_of(struct run *run, const char *text)
{
	unsigned char hash[HASH_SIZE];
	crypto_sha256(text, strlen(text), hash);
	return crypto_hex(run->arena, hash, sizeof(hash));
}

static must_check enum err migrate_one(struct run *run, const char *name)
{
	long number = strtol(name, NULL, 10);
	if (is_applied(run, number))
		return OK;
	const char *text = NULL;
	enum err e = read_whole(run, name, &text);
	return e ? e : apply(run, name, number, text, sha256_of(run, text));
}

static must_check enum err refuse(const char *name, const char *what)
{
	(void)fprintf(stderr, "manabiyactl: %s: %s\n", name, what);
	return say("nothing was changed",
		"this database was made by another version of Manabiya's migrations. Use those "
		"that made it and add new files only, or begin with an empty database (for the "
		"demo: ./dev clean)");
}

static bool is_among(const struct files *files, const char *name)
{
	for (int i = 0; i < files->n; i++)
		if (strcmp(files->entries[i]->d_name, name) == 0)
			return true;
	return false;
}

static must_check enum err check_applied(struct run *run, const struct files *files)
{
	for (size_t i = 0; i < run->applied.rows; i++) {
		const char *const *row = run->applied.cells + COLUMNS * i;
		const char *name = row[1], *text = NULL;
		if (!is_among(files, name))
			return refuse(name, "was applied before and is not among the files");
		enum err e = read_whole(run, name, &text);
		if (e)
			return e;
		if (strcmp(row[2], sha256_of(run, text)) != 0)
			return refuse(name, "was applied before and has changed since");
	}
	return OK;
}

static must_check enum err check_numbers(const struct files *files)
{
	for (int i = 1; i < files->n; i++) {
		const char *name = files->entries[i]->d_name;
		if (strncmp(name, files->entries[i - 1]->d_name, NUMBER_DIGITS) == 0)
			return say(name, "has the number of another migration");
	}
	return OK;
}

static must_check enum err migrate_files(struct run *run)
{
	struct files files = { 0 };
	files.n = scandir(run->settings->migrations, &files.entries, is_migration, alphasort);
	if (files.n <= 0)
		return say(run->settings->migrations,
			files.n ? strerror(errno) : "no migrations there");
	enum err e = check_numbers(&files);
	if (!e)
		e = check_applied(run, &files);
	for (int i = 0; i < files.n && !e; i++)
		e = migrate_one(run, files.entries[i]->d_name);
	for (int i = 0; i < files.n; i++)
		free(files.entries[i]);
	free(files.entries);
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
