/*
 * Statements on their way: prepared once, queued, sent together, answered together; see db.h.
 *
 * A flush ends with one Sync, so what it holds is one round trip and, without BEGIN, one
 * transaction. A failure skips what stands behind it in the same flush.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db_private.h"

static const char BEGIN_TEXT[] = "BEGIN";
static const char ENTER_TEXT[] = "SELECT set_config('app.tenant', $1, true)";

void pgresult_fini(pgresult *result)
{
	PQclear(*result);
}

static enum err lost(struct db *db, const char *why)
{
	(void)snprintf(db->error, sizeof(db->error), "%s", why);
	db->error[strcspn(db->error, "\n")] = '\0';
	db_disconnect(db);
	return ERR_UNAVAILABLE;
}

/* The slot of this text, made if it is new. NULL when the table is full, or when the text's memory
 * has been used for another text: statements must be constants. */
static struct statement *statement_of(struct db *db, const char *sql)
{
	size_t i = ((uintptr_t)sql >> 3) * 2654435761u % STATEMENTS_MAX;
	while (db->statements[i].sql && db->statements[i].sql != sql)
		i = (i + 1) % STATEMENTS_MAX;
	struct statement *found = &db->statements[i];
	if (found->sql)
		return strcmp(found->copy, sql) == 0 ? found : NULL;
	if (db->statements_n == STATEMENTS_MAX / 2)
		return NULL;
	found->copy = strdup(sql);
	if (!found->copy)
		abort();
	found->sql = sql;
	(void)snprintf(found->name, sizeof(found->name), "s%u", db->statements_n++);
	return found;
}

static void note(struct db *db, struct statement *prepares, bool wanted)
{
	db->queue[db->queue_n++] = (struct queued){ .prepares = prepares, .wanted = wanted };
}

static bool is_on_its_way(const struct db *db, const struct statement *statement)
{
	for (unsigned i = 0; i < db->queue_n; i++)
		if (db->queue[i].prepares == statement)
			return true;
	return false;
}

enum err db_queue(struct db *db, const char *sql, struct db_args args, bool wanted)
{
	struct statement *statement = statement_of(db, sql);
	if (!statement || db->queue_n + 2 > QUEUE_MAX) {
		(void)snprintf(db->error, sizeof(db->error),
			"too many statements, or a text that is no constant");
		return ERR_INTERNAL;
	}
	if (!statement->prepared && !is_on_its_way(db, statement)) {
		if (PQsendPrepare(db->connection, statement->name, sql, 0, NULL) != 1)
			return lost(db, PQerrorMessage(db->connection));
		note(db, statement, false);
	}
	if (PQsendQueryPrepared(
		    db->connection, statement->name, (int)args.n, args.values, NULL, NULL, 0) != 1)
		return lost(db, PQerrorMessage(db->connection));
	note(db, NULL, wanted);
	return OK;
}

enum err db_queue_ahead(struct db *db)
{
	struct ahead *ahead = &db->ahead;
	if (!ahead->sql || ahead->asked)
		return OK;
	enum err e = db_queue(db, ahead->sql, DB_ARGS(ahead->arg), false);
	if (e)
		return e;
	db->queue[db->queue_n - 1].ahead = true;
	ahead->asked = true;
	return OK;
}

enum err db_queue_enter(struct db *db)
{
	return db_queue(db, ENTER_TEXT, DB_ARGS(db->tenant_key), false);
}

enum err db_queue_start(struct db *db)
{
	enum err e = db_connect(db);
	if (!e && db->write)
		e = db_queue(db, BEGIN_TEXT, DB_NONE, false);
	if (!e && db->tenant_key[0])
		e = db_queue_enter(db);
	db->sent = !e;
	return e;
}

/* Wait for the socket until the deadline. */
static enum err wait_for(struct db *db, short events, int64_t deadline_ms)
{
	struct pollfd socket = { .fd = PQsocket(db->connection), .events = events };
	for (;;) {
		int64_t left = deadline_ms - clock_steady_ms();
		int n = poll(&socket, 1, left > 0 ? (int)left : 0);
		if (n > 0)
			return OK;
		if (n == 0) {
			db->late = true;
			return lost(db, "no answer in time");
		}
		if (errno != EINTR)
			return lost(db, strerror(errno));
	}
}

/* Send all, reading meanwhile: a server that is blocked on writing answers would never read. */
static enum err send_all(struct db *db, int64_t deadline_ms)
{
	if (PQpipelineSync(db->connection) != 1)
		return lost(db, PQerrorMessage(db->connection));
	for (;;) {
		int n = PQflush(db->connection);
		if (n == 0)
			return OK;
		if (n < 0)
			return lost(db, PQerrorMessage(db->connection));
		enum err e = wait_for(db, POLLIN | POLLOUT, deadline_ms);
		if (e)
			return e;
		if (PQconsumeInput(db->connection) != 1)
			return lost(db, PQerrorMessage(db->connection));
	}
}

static enum err next_result(struct db *db, int64_t deadline_ms, PGresult **out)
{
	while (PQisBusy(db->connection)) {
		enum err e = wait_for(db, POLLIN, deadline_ms);
		if (e)
			return e;
		if (PQconsumeInput(db->connection) != 1)
			return lost(db, PQerrorMessage(db->connection));
	}
	*out = PQgetResult(db->connection);
	return OK;
}

static void take_ahead(struct ahead *ahead, const PGresult *result)
{
	ahead->known = PQntuples(result) == 1;
	ahead->null = ahead->known && PQgetisnull(result, 0, 0);
	if (ahead->known)
		(void)snprintf(ahead->text, sizeof(ahead->text), "%s", PQgetvalue(result, 0, 0));
}

/* Every answer of one command ends with NULL. */
static enum err read_command(struct db *db, const struct queued *queued, int64_t deadline_ms,
	PGresult **wanted, enum err *first)
{
	for (;;) {
		auto_pgresult result = NULL;
		enum err e = next_result(db, deadline_ms, &result);
		if (e || !result)
			return e;
		ExecStatusType status = PQresultStatus(result);
		bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
		if (!good && status != PGRES_PIPELINE_ABORTED && !*first)
			*first = db_error_of(db, result);
		if (good && queued->prepares)
			queued->prepares->prepared = true;
		if (good && queued->ahead)
			take_ahead(&db->ahead, result);
		if (good && queued->wanted) {
			*wanted = result;
			result = NULL;
		}
		if (PQstatus(db->connection) != CONNECTION_OK)
			return lost(db, PQerrorMessage(db->connection));
	}
}

static enum err read_sync(struct db *db, int64_t deadline_ms)
{
	auto_pgresult result = NULL;
	enum err e = next_result(db, deadline_ms, &result);
	if (e)
		return e;
	return PQresultStatus(result) == PGRES_PIPELINE_SYNC ? OK : lost(db, "out of step");
}

enum err db_flush(struct db *db, PGresult **out)
{
	int64_t deadline_ms = clock_steady_ms() + REPLY_TIMEOUT_MS;
	auto_pgresult wanted = NULL;
	enum err first = OK;
	db->late = false;
	enum err e = send_all(db, deadline_ms);
	unsigned n = db->queue_n;
	for (unsigned i = 0; i < n && !e; i++)
		e = read_command(db, &db->queue[i], deadline_ms, &wanted, &first);
	if (!e)
		e = read_sync(db, deadline_ms);
	db->queue_n = 0;
	db->ahead.asked = db->ahead.known;
	if (e || first)
		return e ? e : first;
	*out = wanted;
	wanted = NULL;
	return OK;
}
