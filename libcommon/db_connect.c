/* Making a connection, and refusing one that could see more than it should; see db.h. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db_private.h"
#include "libcommon/log.h"
#include "libcommon/view.h"

#define CONNECT_TIMEOUT "3" /* seconds; a caller has given up by then */
#define REST_MS 500 /* between two attempts, so that a dead database costs next to nothing */
#define EXIT_CONFIG 78 /* sysexits.h EX_CONFIG: starting again will not help */
#define OPTIONS_MAX 512
#define KEYWORDS_MAX 64
/* A handler that died between two statements must not hold its locks. */
#define IDLE_TIMEOUT_MS 30000

/* A superuser or BYPASSRLS sees every tenant; an owner can switch row security off. */
static const char ROLE_CHECK[] =
	"SELECT r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT FROM pg_class c"
	" JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE n.nspname = $1 AND pg_has_role(r.oid, c.relowner, 'MEMBER'))"
	" FROM pg_roles r WHERE r.rolname = current_user";

static char *copy_or_abort(const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		abort();
	return copy;
}

struct db *db_open(const char *conninfo, const char *schema)
{
	struct db *db = calloc(1, sizeof(*db));
	if (!db)
		abort();
	db->conninfo = copy_or_abort(conninfo);
	db->schema = copy_or_abort(schema);
	return db;
}

void db_view(const char *conninfo)
{
	static const char *const files[] = { "passfile", "sslrootcert", "sslcert", "sslkey",
		"sslcrl" };
	PQconninfoOption *parts = PQconninfoParse(conninfo, NULL);
	for (const PQconninfoOption *part = parts; part && part->keyword; part++)
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
			if (part->val && strcmp(part->keyword, files[i]) == 0)
				view_reads(part->val);
	PQconninfoFree(parts);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	db_close(db->apart);
	db_disconnect(db);
	free(db->conninfo);
	free(db->schema);
	free(db);
}

void db_disconnect(struct db *db)
{
	PQfinish(db->connection);
	db->connection = NULL;
	for (size_t i = 0; i < STATEMENTS_MAX; i++)
		free(db->statements[i].copy);
	memset(db->statements, 0, sizeof(db->statements));
	db->statements_n = 0;
	db->queue_n = 0;
	db->ahead.asked = db->ahead.known;
	db->lost = db->lost || (db->open && db->write && db->sent);
	db->stale = false;
}

static enum err refuse(struct db *db, const char *text)
{
	(void)snprintf(db->error, sizeof(db->error), "%s", text);
	db->error[strcspn(db->error, "\n")] = '\0';
	db_disconnect(db);
	db->rest_until_ms = clock_steady_ms() + REST_MS;
	return ERR_UNAVAILABLE;
}

/* What conninfo says, then what we insist on: later keywords win. Compiling a statement to machine
 * code takes longer than any of ours runs. */
static PGconn *connect_with(struct db *db, const PQconninfoOption *parts)
{
	const char *keywords[KEYWORDS_MAX + 1], *values[KEYWORDS_MAX + 1], *given = "";
	char options[OPTIONS_MAX];
	size_t n = 0;
	for (; parts->keyword && n < KEYWORDS_MAX - 4; parts++) {
		if (!parts->val)
			continue;
		if (strcmp(parts->keyword, "options") == 0)
			given = parts->val;
		keywords[n] = parts->keyword;
		values[n++] = parts->val;
	}
	(void)snprintf(options, sizeof(options),
		"%s -c search_path=%s -c timezone=UTC -c jit=off -c statement_timeout=%d"
		" -c idle_in_transaction_session_timeout=%d",
		given, db->schema, STATEMENT_TIMEOUT_MS, IDLE_TIMEOUT_MS);
	const char *const ours[][2] = { { "options", options }, { "client_encoding", "UTF8" },
		{ "connect_timeout", CONNECT_TIMEOUT },
		{ "fallback_application_name", db->schema } };
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++, n++) {
		keywords[n] = ours[i][0];
		values[n] = ours[i][1];
	}
	keywords[n] = values[n] = NULL;
	return PQconnectdbParams(keywords, values, 0);
}

static void check_role(struct db *db, const PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		return; /* the caller sees the broken connection at its statement */
	if (PQgetvalue(result, 0, 0)[0] != 't')
		return;
	log_error(
		"the database role of %s can see past row security: it must be no superuser, have "
		"no BYPASSRLS, and own nothing",
		db->schema);
	exit(EXIT_CONFIG);
}

/* Between transactions the server has nothing to say but that it is going: noticing it here, for
 * the price of one system call, saves a writer an error after every restart of the database. A read
 * is sent without asking, and once more if the server turns out to be gone (db.c). */
static bool is_good(struct db *db)
{
	if (!db->connection || db->stale || PQstatus(db->connection) != CONNECTION_OK)
		return false;
	if ((db->open && !db->write) || db->queue_n > 0)
		return true;
	struct pollfd socket = { .fd = PQsocket(db->connection), .events = POLLIN };
	return poll(&socket, 1, 0) == 0;
}

enum err db_connect(struct db *db)
{
	if (is_good(db))
		return OK;
	db_disconnect(db);
	if (clock_steady_ms() < db->rest_until_ms)
		return ERR_UNAVAILABLE; /* db->error still says why */
	PQconninfoOption *parts = PQconninfoParse(db->conninfo, NULL);
	if (!parts)
		return refuse(db, "the connection string cannot be read");
	db->connection = connect_with(db, parts);
	PQconninfoFree(parts);
	if (PQstatus(db->connection) != CONNECTION_OK)
		return refuse(db, PQerrorMessage(db->connection));
	const char *const values[] = { db->schema };
	auto_pgresult result =
		PQexecParams(db->connection, ROLE_CHECK, 1, NULL, values, NULL, NULL, 0);
	check_role(db, result);
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQsetnonblocking(db->connection, 1) != 0 ||
		PQenterPipelineMode(db->connection) != 1)
		return refuse(db, PQerrorMessage(db->connection));
	return OK;
}
