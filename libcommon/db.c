/* Statements of handlers and the transaction around them; see db.h. */
#include "libcommon/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/db_private.h"

static const char COMMIT_TEXT[] = "COMMIT";
static const char ROLLBACK_TEXT[] = "ROLLBACK";
static const char SAVEPOINT_TEXT[] = "SAVEPOINT here";
static const char SAVEPOINT_RELEASE_TEXT[] = "RELEASE SAVEPOINT here";
static const char SAVEPOINT_ROLLBACK_TEXT[] = "ROLLBACK TO SAVEPOINT here";
static const char PING_TEXT[] = "SELECT 1";
static const char PLAN_ONCE_TEXT[] =
	"SELECT set_config('plan_cache_mode', 'force_generic_plan', true)";

/* What a client may read of a refusal; the rest is for the log. */
static enum err refuse(struct call *c, enum err e)
{
	const char *text = db_error_text(c->db);
	switch (e) {
	case ERR_CONFLICT:
		return fail(c, e, "it exists already, or changed meanwhile");
	case ERR_NOT_FOUND:
		return fail(c, e, "something that this refers to does not exist");
	case ERR_INVALID:
		return fail(c, e, "a value is not allowed here");
	default:
		return fail(c, e, "database: %s", text);
	}
}

/* Put a statement into the queue, behind what begins the transaction. */
static enum err queue(struct call *c, const char *sql, struct db_args args, bool wanted)
{
	struct db *db = c->db;
	assert(db->open);
	if (db->lost)
		return ERR_UNAVAILABLE; /* db->error says why */
	/* Without BEGIN each flush is its own transaction and enters the tenant itself. */
	enum err e = !db->sent || !db->write ? db_queue_start(db) : OK;
	if (!e)
		e = db_queue_ahead(db);
	if (!e && strncmp(sql, DB_PLAN_ONCE, sizeof(DB_PLAN_ONCE) - 1) == 0)
		e = db_queue(db, PLAN_ONCE_TEXT, DB_NONE, false);
	return e ? e : db_queue(db, sql, args, wanted);
}

static enum err ask(struct call *c, const char *sql, struct db_args args, PGresult **out)
{
	enum err e = queue(c, sql, args, true);
	return e ? e : db_flush(c->db, out);
}

/*
 * A read whose server has gone, as after a restart, is sent once more on a new connection: nothing
 * of it was answered or changed. Looking first whether the server is there would cost every read a
 * system call, one of five, and could not be right: it may go after the look.
 */
static enum err run(struct call *c, const char *sql, struct db_args args, PGresult **out)
{
	enum err e = ask(c, sql, args, out);
	if (e && !c->db->write && !c->db->connection && !c->db->late)
		e = ask(c, sql, args, out);
	return e ? refuse(c, e) : OK;
}

enum err db_exec(struct call *c, const char *sql, struct db_args args)
{
	auto_pgresult result = NULL;
	return run(c, sql, args, &result);
}

enum err db_later(struct call *c, const char *sql, struct db_args args)
{
	auto_pgresult nothing = NULL;
	assert(c->db->write);
	enum err e = queue(c, sql, args, false);
	if (!e && c->db->queue_n > QUEUE_MAX / 2)
		e = db_flush(c->db, &nothing);
	return e ? refuse(c, e) : OK;
}

void db_ahead(struct call *c, const char *sql, const char *arg)
{
	assert(c->db->open);
	c->db->ahead = (struct ahead){ .sql = sql, .arg = arg };
}

enum err db_ahead_end(struct call *c, const char **out)
{
	struct ahead *ahead = &c->db->ahead;
	auto_pgresult result = NULL;
	const char *sql = ahead->sql;
	if (!ahead->known) {
		ahead->sql = NULL;
		enum err e = run(c, sql, DB_ARGS(ahead->arg), &result);
		if (e)
			return e;
		*out = PQntuples(result) == 1 ? db_cell(c, result, 0, 0) : NULL;
		return OK;
	}
	*out = ahead->null ? NULL : arena_strdup(c->arena, ahead->text);
	ahead->sql = NULL;
	return OK;
}

enum err db_count(struct call *c, const char *sql, struct db_args args, int64_t *affected)
{
	auto_pgresult result = NULL;
	enum err e = run(c, sql, args, &result);
	if (!e)
		*affected = strtoll(PQcmdTuples(result), NULL, 10);
	return e;
}

enum err db_exec_one(struct call *c, const char *sql, struct db_args args)
{
	int64_t affected = 0;
	enum err e = db_count(c, sql, args, &affected);
	if (!e && !affected)
		e = fail(c, ERR_NOT_FOUND, "no such thing");
	return e;
}

enum err db_row(
	struct call *c, const char *sql, struct db_args args, const struct shape *shape, void *out)
{
	auto_pgresult result = NULL;
	struct columns columns;
	enum err e = run(c, sql, args, &result);
	if (!e && PQntuples(result) == 0)
		return fail(c, ERR_NOT_FOUND, "no such thing");
	if (!e)
		e = db_match_columns(c, result, shape, &columns);
	return e ? e : db_read_row(c, result, 0, &columns, out);
}

enum err db_rows(
	struct call *c, const char *sql, struct db_args args, const struct shape *shape, void *list)
{
	auto_pgresult result = NULL;
	struct columns columns;
	enum err e = run(c, sql, args, &result);
	if (!e)
		e = db_match_columns(c, result, shape, &columns);
	if (e)
		return e;
	struct list *rows = list;
	rows->n = (size_t)PQntuples(result);
	rows->items = arena_array(c->arena, rows->n, shape->size);
	for (size_t i = 0; i < rows->n && !e; i++)
		e = db_read_row(c, result, (int)i, &columns, (char *)rows->items + i * shape->size);
	return e;
}

enum err db_text(struct call *c, const char *sql, struct db_args args, const char **out)
{
	auto_pgresult result = NULL;
	enum err e = run(c, sql, args, &result);
	if (e)
		return e;
	if (PQntuples(result) == 0)
		return fail(c, ERR_NOT_FOUND, "no such thing");
	*out = db_cell(c, result, 0, 0);
	return OK;
}

enum err db_each(struct call *c, const char *sql, struct db_args args, db_on_row *fn, void *arg)
{
	auto_pgresult result = NULL;
	enum err e = run(c, sql, args, &result);
	if (e)
		return e;
	int n = PQnfields(result);
	for (int row = 0; row < PQntuples(result) && !e; row++) {
		const char **columns = arena_array(c->arena, (size_t)n + 1, sizeof(*columns));
		for (int i = 0; i < n; i++)
			columns[i] = db_cell(c, result, row, i);
		e = fn(c, arg, columns, (size_t)n);
	}
	return e;
}

/* ---- savepoints: they travel with the next statement ---- */

enum err db_savepoint(struct call *c)
{
	return db_later(c, SAVEPOINT_TEXT, DB_NONE);
}

enum err db_savepoint_rollback(struct call *c)
{
	enum err e = db_later(c, SAVEPOINT_ROLLBACK_TEXT, DB_NONE);
	return e ? e : db_later(c, SAVEPOINT_RELEASE_TEXT, DB_NONE);
}

/* ---- the transaction ---- */

static void enter(struct db *db, const char *tenant_key)
{
	int n = snprintf(
		db->tenant_key, sizeof(db->tenant_key), "%s", tenant_key ? tenant_key : "");
	if (n >= (int)sizeof(db->tenant_key))
		db->tenant_key[0] = '\0'; /* no key is that long: enter nothing */
}

void db_begin(struct db *db, const char *tenant_key, bool write)
{
	assert(!db->open);
	db->open = true;
	db->write = write;
	db->sent = db->lost = db->full = false;
	db->ahead = (struct ahead){ 0 };
	enter(db, tenant_key);
}

static void end(struct db *db)
{
	db->open = db->sent = db->lost = false;
}

enum err db_commit(struct call *c)
{
	struct db *db = c->db;
	assert(db->open);
	if (!db->sent || !db->write) {
		end(db);
		return OK;
	}
	auto_pgresult result = NULL;
	enum err e = queue(c, COMMIT_TEXT, DB_NONE, true);
	if (!e)
		e = db_flush(db, &result);
	/* PostgreSQL answers COMMIT of a failed transaction with success and ROLLBACK. */
	if (!e && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
		end(db);
		return fail(c, ERR_INTERNAL, "committed a failed transaction");
	}
	if (e) {
		e = refuse(c, e);
		db_rollback(db);
		return e;
	}
	end(db);
	return OK;
}

void db_rollback(struct db *db)
{
	if (db->open && db->sent && db->write && db->connection) {
		auto_pgresult result = NULL;
		enum err e = db_queue(db, ROLLBACK_TEXT, DB_NONE, true);
		if (!e)
			e = db_flush(db, &result);
		/* What is waiting in front of the ROLLBACK may have failed and skipped it. */
		if (e && db->connection && !db_queue(db, ROLLBACK_TEXT, DB_NONE, true))
			e = db_flush(db, &result);
		if (e)
			db_disconnect(db);
	}
	end(db);
}

enum err db_enter(struct call *c, const char *tenant_key)
{
	struct db *db = c->db;
	assert(db->open);
	enter(db, tenant_key);
	if (!db->sent || !db->write)
		return OK;
	enum err e = db->lost ? ERR_UNAVAILABLE : db_queue_enter(db);
	return e ? refuse(c, e) : OK;
}

void db_apart_begin(struct call *c)
{
	struct db *home = c->db;
	assert(home->open && !home->home);
	if (!home->apart) {
		home->apart = db_open(home->conninfo, home->schema);
		home->apart->home = home;
	}
	c->db = home->apart;
	db_begin(c->db, home->tenant_key, true);
}

enum err db_apart_end(struct call *c, enum err e)
{
	struct db *apart = c->db;
	if (e)
		db_rollback(apart);
	else
		e = db_commit(c);
	c->db = apart->home;
	c->db->full = c->db->full || apart->full;
	return e;
}

enum err db_ping(struct db *db)
{
	auto_pgresult result = NULL;
	assert(!db->open);
	enum err e = db_connect(db);
	if (!e)
		e = db_queue(db, PING_TEXT, DB_NONE, true);
	return e ? e : db_flush(db, &result);
}

bool db_is_full(const struct db *db)
{
	return db->full;
}

const char *db_error_text(const struct db *db)
{
	return db->error;
}
