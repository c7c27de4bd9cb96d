/*
 * A plain PostgreSQL connection for manabiyactl: one statement, one answer, texts in and out.
 *
 * Services use libcommon/db.h, which pipelines, prepares and enters tenants; the tool runs whole
 * migration files and must not be slowed or hidden by any of that.
 */
#ifndef MANABIYA_CTL_SQL_H
#define MANABIYA_CTL_SQL_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/arena.h"
#include "libcommon/err.h"

struct sql;

/* Rows of texts in the arena; NULL is SQL NULL. */
struct sql_rows {
	const char **cells;
	size_t rows, columns;
};

/* Connect; says why not on stderr and returns ERR_UNAVAILABLE. */
must_check enum err sql_open(const char *conninfo, struct arena *arena, struct sql **out);
void sql_close(struct sql *sql); /* NULL is fine */

/* Run a whole file's worth of statements. Says what is wrong on stderr. */
must_check enum err sql_script(struct sql *sql, const char *text);

/* One statement with up to 4 values; `rows` may be NULL. Says what is wrong on stderr. */
must_check enum err sql_query(struct sql *sql, const char *text, const char *const values[],
	size_t n, struct sql_rows *rows);

/* Is a transaction open and healthy? */
bool sql_is_in_transaction(const struct sql *sql);

#endif
