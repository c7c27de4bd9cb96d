/* What audit has kept of its witnesses (migrations/0051_checkpoint.sql); only read here. */
#include "ctl/witness.h"

#include <stdio.h>

#include "ctl/sql.h"
#include "libcommon/arena.h"
#include "libcommon/conf.h"

struct settings {
	const char *database, *tenant;
};

static const char LIST[] = "SELECT h.tenant_id::text, h.signed::text, h.witnessed::text"
			   " FROM audit.head h WHERE h.signed > 0 ORDER BY h.tenant_id";

static const char LATEST[] =
	"SELECT c.note FROM audit.checkpoint c WHERE c.tenant_id = $1::uuid AND c.witnessed"
	" ORDER BY c.size DESC LIMIT 1";

static must_check enum err list(struct sql *sql)
{
	struct sql_rows rows = { 0 };
	enum err e = sql_query(sql, LIST, NULL, 0, &rows);
	for (size_t i = 0; i < rows.rows && !e; i++) {
		const char *const *cell = rows.cells + i * rows.columns;
		(void)printf("%s\t%s signed\t%s witnessed\n", cell[0], cell[1], cell[2]);
	}
	return e;
}

static must_check enum err show(struct sql *sql, const char *tenant)
{
	struct sql_rows rows = { 0 };
	enum err e = sql_query(sql, LATEST, &tenant, 1, &rows);
	if (!e && !rows.rows) {
		(void)fprintf(stderr, "manabiyactl: no witness has signed this log\n");
		return ERR_NOT_FOUND;
	}
	if (!e)
		(void)fputs(rows.cells[0], stdout);
	return e;
}

int witness_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "database", OPTION_TEXT, NULL, offsetof(struct settings, database), 1, 1000,
			"libpq connection string of a superuser" },
		{ "tenant", OPTION_TEXT, "", offsetof(struct settings, tenant), 0, 36,
			"show the latest checkpoint of this log that a witness has signed" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (conf_read(argc, argv, &set, 1))
		return 2;
	struct arena *arena = arena_new();
	struct sql *sql = NULL;
	enum err e = sql_open(settings.database, arena, &sql);
	if (!e)
		e = *settings.tenant ? show(sql, settings.tenant) : list(sql);
	sql_close(sql);
	arena_free(arena);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}
