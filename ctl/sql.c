/* libpq for manabiyactl; see sql.h. It refuses to be clever: no pool, no retry, no pipeline. */
#include "ctl/sql.h"

#include <libpq-fe.h>
#include <stdio.h>

struct sql {
	PGconn *connection;
	struct arena *arena;
};

/* Notices (… already exists, skipping) are noise to whoever runs a migration. */
static void on_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

enum err sql_open(const char *conninfo, struct arena *arena, struct sql **out)
{
	struct sql *sql = arena_alloc(arena, sizeof(*sql));
	sql->arena = arena;
	sql->connection = PQconnectdb(conninfo);
	if (PQstatus(sql->connection) != CONNECTION_OK) {
		(void)fprintf(stderr, "manabiyactl: %s", PQerrorMessage(sql->connection));
		PQfinish(sql->connection);
		return ERR_UNAVAILABLE;
	}
	(void)PQsetNoticeReceiver(sql->connection, on_notice, NULL);
	*out = sql;
	return OK;
}

void sql_close(struct sql *sql)
{
	if (sql)
		PQfinish(sql->connection);
}

static enum err refuse(struct sql *sql)
{
	(void)fprintf(stderr, "manabiyactl: %s", PQerrorMessage(sql->connection));
	return PQstatus(sql->connection) == CONNECTION_OK ? ERR_INVALID : ERR_UNAVAILABLE;
}

static enum err check(struct sql *sql, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? OK : refuse(sql);
}

enum err sql_script(struct sql *sql, const char *text)
{
	PGresult *result = PQexec(sql->connection, text);
	enum err e = check(sql, result);
	PQclear(result);
	return e;
}

static void copy_rows(struct arena *arena, const PGresult *result, struct sql_rows *rows)
{
	rows->rows = (size_t)PQntuples(result);
	rows->columns = (size_t)PQnfields(result);
	rows->cells = arena_array(arena, rows->rows * rows->columns, sizeof(*rows->cells));
	for (size_t i = 0; i < rows->rows * rows->columns; i++) {
		int row = (int)(i / rows->columns), column = (int)(i % rows->columns);
		if (!PQgetisnull(result, row, column))
			rows->cells[i] = arena_strdup(arena, PQgetvalue(result, row, column));
	}
}

enum err sql_query(struct sql *sql, const char *text, const char *const values[], size_t n,
	struct sql_rows *rows)
{
	PGresult *result = PQexecParams(sql->connection, text, (int)n, NULL, values, NULL, NULL, 0);
	enum err e = check(sql, result);
	if (!e && rows)
		copy_rows(sql->arena, result, rows);
	PQclear(result);
	return e;
}

bool sql_is_in_transaction(const struct sql *sql)
{
	return PQtransactionStatus(sql->connection) == PQTRANS_INTRANS;
}
