/*
 * PostgreSQL, the only code that includes libpq.
 *
 * Handlers use db_exec/db_row/db_rows with named SQL constants; the skeleton (service.c) begins and
 * ends the transaction. Statements are prepared once per connection, by the address of their text,
 * and sent in pipeline mode: entering the tenant and the first statement cost one round trip. A
 * lost connection is ERR_UNAVAILABLE and is made again at the next call.
 *
 * How PostgreSQL's answers become ours, here and nowhere else: unique violation CONFLICT, foreign
 * key violation NOT_FOUND, check violation INVALID, serialization failure, deadlock, cancel and
 * lost connection UNAVAILABLE, anything else INTERNAL.
 */
#ifndef MANABIYA_DB_H
#define MANABIYA_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/err.h"
#include "libcommon/shape.h"

struct call;
struct db;

/* Values of $1, $2, …: text, NULL is SQL NULL. Up to 32. */
struct db_args {
	const char *const *values;
	size_t n;
};
#define DB_ARGS(...)                                                                               \
	((struct db_args){ (const char *const[]){ __VA_ARGS__ },                                   \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *) })
#define DB_NONE ((struct db_args){ NULL, 0 })

/*
 * In front of a statement's text: PostgreSQL keeps one plan for all values, from the first time on,
 * instead of planning anew whenever the plan for these values looks a little cheaper. Planning what
 * goes through learning.visible_try() takes 1 ms, running it 0.1. For statements that find one row
 * by its id or end at a constant LIMIT; not for those whose best plan depends on their values, as a
 * cursor's or a LIMIT. In a writing transaction it holds until the end.
 */
#define DB_PLAN_ONCE "/* plan once */ "

/* Values that are not text, for DB_ARGS; they live in the call's arena. */
const char *db_integer(struct call *c, int64_t value);
const char *db_boolean(bool value);
const char *db_bytea(struct call *c, const void *data, size_t n); /* \x… */
const char *db_text_array(struct call *c, const char *const *items,
	size_t n); /* {"…",…} for $n::text[], $n::uuid[]; an item that is NULL is null */

/* ---- for handlers, inside the call's transaction ---- */

must_check enum err db_exec(
	struct call *c, const char *sql, struct db_args args); /* any number of rows affected */
/* Sent with the next statement or with the commit, which fails if this does: no round trip of its
 * own. For statements of a writing transaction whose result nobody reads. */
must_check enum err db_later(struct call *c, const char *sql, struct db_args args);
/* Ask along with the next statement, in front of it, at no round trip of its own; then, or at
 * db_ahead_end(), the first column of the one row is known. One at a time; the text is constant,
 * the argument lives until it is known. */
void db_ahead(struct call *c, const char *sql, const char *arg);
/* That column in the arena, NULL for SQL NULL. Asks by itself if no statement followed. */
must_check enum err db_ahead_end(struct call *c, const char **out);
must_check enum err db_exec_one(
	struct call *c, const char *sql, struct db_args args); /* none affected: NOT_FOUND */
must_check enum err db_count(
	struct call *c, const char *sql, struct db_args args, int64_t *affected);

/* One row into a struct of the shape, by column name; columns that the shape lacks are a bug. No
 * row: NOT_FOUND. */
must_check enum err db_row(
	struct call *c, const char *sql, struct db_args args, const struct shape *shape, void *out);

/* All rows into the { items, n } at `list`. No row is an empty list. */
must_check enum err db_rows(struct call *c, const char *sql, struct db_args args,
	const struct shape *shape, void *list);

/* The first column of one row as text in the arena, NULL for SQL NULL. No row: NOT_FOUND. */
must_check enum err db_text(struct call *c, const char *sql, struct db_args args, const char **out);

/* Every row's columns as text, for what has no shape: fn is called once a row; its error ends the
 * walk. */
typedef enum err db_on_row(struct call *c, void *arg, const char *const *columns, size_t n);
must_check enum err db_each(
	struct call *c, const char *sql, struct db_args args, db_on_row *fn, void *arg);

/* A savepoint around a statement that may be refused without ending the transaction. */
must_check enum err db_savepoint(struct call *c);
must_check enum err db_savepoint_rollback(struct call *c);

/*
 * A transaction beside the call's, in the tenant that the call has entered, for what must stay
 * whatever becomes of the call (intent.h). Between the two, db_* of this call speak to it, on a
 * second connection that is made at the first use and kept: it must not wait for a row that the
 * call's own transaction has locked. The end commits after OK, else rolls back, and returns what
 * went wrong first.
 */
void db_apart_begin(struct call *c);
must_check enum err db_apart_end(struct call *c, enum err e);

/* ---- for the skeleton ---- */

/*
 * `conninfo` as libpq takes it. Opening never fails; the first statement connects. On connecting it
 * refuses (log + exit 78) a role that is superuser, has BYPASSRLS, or owns a table of `schema`.
 * search_path is set to `schema`, timezone to UTC, and statement_timeout.
 */
struct db *db_open(const char *conninfo, const char *schema);

/* Tell view.h the files that the connection string names: passwords and certificates. */
void db_view(const char *conninfo);
void db_close(struct db *db);

/*
 * Begin lazily: nothing is sent before the first statement. With `tenant_key` the tenant is entered
 * (capability_tenant_key()); NULL enters none. With `write` the transaction is explicit and must be
 * ended by db_commit(), else each statement is its own.
 */
void db_begin(struct db *db, const char *tenant_key, bool write);
/* OK without a round trip when nothing was sent. A commit whose answer was lost is ERR_UNAVAILABLE.
 */
must_check enum err db_commit(struct call *c);
void db_rollback(struct db *db);

/* Enter another tenant for what follows in this transaction (opening a contract does it). */
must_check enum err db_enter(struct call *c, const char *tenant_key);

/* Round trip to the server; for readiness. */
must_check enum err db_ping(struct db *db);

/* Did a statement fail since db_begin() because the database's disk is full? */
bool db_is_full(const struct db *db);

/* The text of the last error, for the log only. */
const char *db_error_text(const struct db *db);

#endif
