/* Dead letters of every service's outbox. Reading and redriving only; nothing here deletes. */
#include "ctl/outbox.h"

#include <stdio.h>
#include <string.h>

#include "ctl/sql.h"
#include "libcommon/arena.h"
#include "libcommon/conf.h"

struct settings {
	const char *database;
	const char *service;
	int64_t id;
};

/* Every schema that tenancy.service() made. */
#define SCHEMAS                                                                                    \
	"SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"           \
	" WHERE c.relname = 'outbox' AND c.relkind = 'r' AND ($1 = '' OR n.nspname = $1) ORDER "   \
	"BY 1"

static must_check enum err list_one(struct sql *sql, struct arena *arena, const char *schema)
{
	struct sql_rows rows = { 0 };
	enum err e = sql_query(sql,
		arena_printf(arena,
			"SELECT id::text, consumer, type, coalesce(tenant_id::text, '-'),"
			" tenancy.stamp(created_at), dead_reason FROM %s.outbox"
			" WHERE dead_reason IS NOT NULL ORDER BY id",
			schema),
		NULL, 0, &rows);
	for (size_t i = 0; i < rows.rows && !e; i++) {
		const char *const *cell = rows.cells + i * rows.columns;
		(void)printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", schema, cell[0], cell[1], cell[2],
			cell[3], cell[4], cell[5]);
	}
	return e;
}

static must_check enum err redrive_one(
	struct sql *sql, struct arena *arena, const char *schema, int64_t id)
{
	struct sql_rows rows = { 0 };
	const char *values[] = { arena_printf(arena, "%lld", (long long)id) };
	enum err e = sql_query(sql,
		arena_printf(arena,
			"WITH again AS (UPDATE %s.outbox SET dead_reason = NULL, attempts = 0,"
			" due_at = now() WHERE dead_reason IS NOT NULL AND ($1 = 0 OR id = "
			"$1::bigint)"
			" RETURNING 1) SELECT count(*)::text FROM again",
			schema),
		values, 1, &rows);
	if (!e)
		(void)printf("%s\t%s redriven\n", schema, rows.cells[0]);
	return e;
}

static must_check enum err each_service(
	struct sql *sql, struct arena *arena, const struct settings *settings, bool redrive)
{
	struct sql_rows schemas = { 0 };
	const char *const values[] = { settings->service };
	enum err e = sql_query(sql, SCHEMAS, values, 1, &schemas);
	if (!e && !schemas.rows) {
		(void)fprintf(stderr, "manabiyactl: no such service\n");
		return ERR_INVALID;
	}
	for (size_t i = 0; i < schemas.rows && !e; i++)
		e = redrive ? redrive_one(sql, arena, schemas.cells[i], settings->id)
			    : list_one(sql, arena, schemas.cells[i]);
	return e;
}

static int run(const struct settings *settings, bool redrive)
{
	struct arena *arena = arena_new();
	struct sql *sql = NULL;
	enum err e = sql_open(settings->database, arena, &sql);
	if (!e)
		e = each_service(sql, arena, settings, redrive);
	sql_close(sql);
	arena_free(arena);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}

int outbox_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "database", OPTION_TEXT, NULL, offsetof(struct settings, database), 1, 1000,
			"libpq connection string of a superuser" },
		{ "service", OPTION_TEXT, "", offsetof(struct settings, service), 0, 32,
			"only this service's outbox; default: every" },
		{ "id", OPTION_INTEGER, "0", offsetof(struct settings, id), 0, INT64_MAX,
			"redrive: only this row; 0: every dead one" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (argc < 2 || (strcmp(argv[1], "list") != 0 && strcmp(argv[1], "redrive") != 0)) {
		(void)fprintf(stderr, "usage: manabiyactl outbox list|redrive [--help]\n");
		return 2;
	}
	if (conf_read(argc - 1, argv + 1, &set, 1))
		return 2;
	return run(&settings, strcmp(argv[1], "redrive") == 0);
}
