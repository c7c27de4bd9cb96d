/* What the parts of db (db.c, db_connect.c, db_pipeline.c, db_result.c) share. Nobody else includes
 * it. */
#ifndef MANABIYA_DB_PRIVATE_H
#define MANABIYA_DB_PRIVATE_H

#include <libpq-fe.h>

#include "libcommon/db.h"

#define STATEMENTS_MAX                                                                             \
	1024 /* slots for prepared statements of one connection; the largest service has 150 */
#define QUEUE_MAX                                                                                  \
	16 /* commands in one flush: BEGIN, enter, a few that wait, each maybe with its Parse */
#define TENANT_KEY_MAX 160 /* a tenant key has 112 characters */
#define ERROR_TEXT_MAX 256
#define AHEAD_TEXT_MAX 16 /* what is asked ahead is a word */
#define STATEMENT_TIMEOUT_MS                                                                       \
	10000 /* PostgreSQL gives up on a statement: no request waits longer                       \
	       */
#define REPLY_TIMEOUT_MS 12000 /* we give up on PostgreSQL itself (stopped, unplugged) */

/* A statement that this connection knows by name. */
struct statement {
	const char *sql; /* the address is the key */
	char *copy; /* of the text, to find out when the address is used for another */
	char name[8];
	bool prepared; /* PostgreSQL said so */
};

/* A command that was sent and not yet answered. */
struct queued {
	struct statement *prepares; /* NULL: an execution */
	bool wanted; /* its result is the one that the caller waits for */
	bool ahead; /* its result is the one of db_ahead() */
};

/* What db_ahead() asks. */
struct ahead {
	const char *sql, *arg;
	bool asked; /* in the queue or answered */
	bool known, null;
	char text[AHEAD_TEXT_MAX];
};

struct db {
	char *conninfo;
	char *schema;
	PGconn *connection; /* NULL: not connected */
	int64_t rest_until_ms; /* after a failed connect: do not hang in the next one */
	struct statement statements[STATEMENTS_MAX];
	unsigned statements_n;
	struct queued queue[QUEUE_MAX];
	unsigned queue_n;
	struct ahead ahead; /* sql NULL: nothing */
	bool open; /* between db_begin and the end */
	bool write;
	bool sent; /* BEGIN is on its way or there */
	bool lost; /* the connection went away after that: the transaction is gone with it */
	bool late; /* the last flush waited in vain: asking again would take as long */
	bool stale; /* PostgreSQL no longer knows our statements: connect anew */
	bool full; /* a statement failed since db_begin() because the disk is full */
	char tenant_key[TENANT_KEY_MAX]; /* "" enters none */
	struct db *apart; /* for transactions beside a call's; NULL before the first */
	struct db *home; /* of an apart one: whose it is */
	char error[ERROR_TEXT_MAX];
};

typedef PGresult *pgresult;
void pgresult_fini(pgresult *result);
#define auto_pgresult __attribute__((cleanup(pgresult_fini))) pgresult

/* Connect if needed. ERR_UNAVAILABLE with db->error. */
must_check enum err db_connect(struct db *db);
void db_disconnect(struct db *db);

/* Put one statement into the queue, preparing it if it is new. Nothing is waited for. */
must_check enum err db_queue(struct db *db, const char *sql, struct db_args args, bool wanted);

/* Put what is asked ahead into the queue, unless it is there or known. */
must_check enum err db_queue_ahead(struct db *db);

/* Put entering db->tenant_key into the queue. */
must_check enum err db_queue_enter(struct db *db);

/* Put what must stand before the first statement of a transaction into the queue. */
must_check enum err db_queue_start(struct db *db);

/*
 * Send the queue, read every answer. The wanted result comes back in *out (NULL when there was
 * none). The first failure among all of them is the return value, with db->error.
 */
must_check enum err db_flush(struct db *db, PGresult **out);

/* Our name for PostgreSQL's answer; fills db->error. */
enum err db_error_of(struct db *db, const PGresult *result);

/* The shape's fields in the order of a result's columns; NULL: the column holds parts of several
 * (shape_set_parts()). */
struct columns {
	const struct shape *shape;
	const struct field *const *fields;
};
must_check enum err db_match_columns(
	struct call *c, const PGresult *result, const struct shape *shape, struct columns *out);

/* One row of a result into a struct of the shape. */
must_check enum err db_read_row(
	struct call *c, const PGresult *result, int row, const struct columns *columns, void *out);

/* A cell as arena text, NULL for SQL NULL. */
const char *db_cell(struct call *c, const PGresult *result, int row, int column);

#endif
