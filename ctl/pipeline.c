/* The sinks of the audit log: reading their positions, and setting one back. A position is never
 * set forward: that would be events that nobody gets. */
#include "ctl/pipeline.h"

#include <stdio.h>
#include <string.h>

#include "ctl/sql.h"
#include "libcommon/arena.h"
#include "libcommon/conf.h"

struct settings {
	const char *database;
	const char *sink;
	const char *tenant;
	int64_t sequence;
};

/* What was pruned is nobody's any more. */
static const char LIST[] =
	"SELECT s.name, coalesce(sum(w.n), 0)::text, count(*) FILTER (WHERE w.n > 0)::text"
	" FROM audit.sink s LEFT JOIN LATERAL ("
	"  SELECT h.sequence - greatest(coalesce(p.sequence, 0), h.pruned) AS n FROM audit.head h"
	"  LEFT JOIN audit.sink_position p ON p.sink = s.name AND p.tenant_id = h.tenant_id"
	" ) w ON true GROUP BY s.name ORDER BY s.name";

static const char REWIND[] =
	"WITH back AS (UPDATE audit.sink_position SET sequence = $3::bigint - 1 WHERE sink = $1"
	" AND ($2 = '' OR tenant_id = nullif($2, '')::uuid) AND sequence >= $3::bigint RETURNING 1)"
	" SELECT (SELECT count(*) FROM back)::text FROM audit.sink WHERE name = $1";

static must_check enum err list(struct sql *sql)
{
	struct sql_rows rows = { 0 };
	enum err e = sql_query(sql, LIST, NULL, 0, &rows);
	for (size_t i = 0; i < rows.rows && !e; i++) {
		const char *const *cell = rows.cells + i * rows.columns;
		(void)printf("%s\t%s waiting\t%s tenants\n", cell[0], cell[1], cell[2]);
	}
	return e;
}

static must_check enum err set_back(
	struct sql *sql, struct arena *arena, const struct settings *settings)
{
	struct sql_rows rows = { 0 };
	const char *values[] = { settings->sink, settings->tenant,
		arena_printf(arena, "%lld", (long long)settings->sequence) };
	enum err e = sql_query(sql, REWIND, values, 3, &rows);
	if (!e && !rows.rows) {
		(void)fprintf(stderr, "manabiyactl: no such sink\n");
		return ERR_INVALID;
	}
	if (!e)
		(void)printf("%s\t%s tenants set back\n", settings->sink, rows.cells[0]);
	return e;
}

static int run(const struct settings *settings, bool rewinds)
{
	struct arena *arena = arena_new();
	struct sql *sql = NULL;
	enum err e = sql_open(settings->database, arena, &sql);
	if (!e)
		e = rewinds ? set_back(sql, arena, settings) : list(sql);
	sql_close(sql);
	arena_free(arena);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}

int pipeline_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "database", OPTION_TEXT, NULL, offsetof(struct settings, database), 1, 1000,
			"libpq connection string of a superuser" },
		{ "sink", OPTION_TEXT, "", offsetof(struct settings, sink), 0, 32,
			"rewind: which, as list names it" },
		{ "tenant", OPTION_TEXT, "", offsetof(struct settings, tenant), 0, 36,
			"rewind: only this tenant's log; default: every" },
		{ "sequence", OPTION_INTEGER, "1", offsetof(struct settings, sequence), 1,
			INT64_MAX, "rewind: the first event that is sent again" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (argc < 2 || (strcmp(argv[1], "list") != 0 && strcmp(argv[1], "rewind") != 0)) {
		(void)fprintf(stderr, "usage: manabiyactl pipeline list|rewind [--help]\n");
		return 2;
	}
	if (conf_read(argc - 1, argv + 1, &set, 1))
		return 2;
	return run(&settings, strcmp(argv[1], "rewind") == 0);
}
