/*
 * Compares a database with the ledger of erasures (libcommon/erasure.h), and shuts out whom it
 * should not know any more. The rows themselves go when the services run: provisioning reads the
 * same ledger at its start.
 */
#include "ctl/erased.h"

#include <stdio.h>
#include <string.h>

#include "ctl/sql.h"
#include "libcommon/conf.h"
#include "libcommon/crypto.h"
#include "libcommon/erasure.h"

struct settings {
	const char *database, *ledger;
};

struct comparison {
	struct sql *sql;
	size_t lines, back;
};

/* The ledger of erasures is the reason of these changes: no event is missing for them. */
static const char TENANT_SHUT[] =
	"WITH shut AS (UPDATE auth.tenant SET shut_at = coalesce(shut_at, now())"
	" WHERE tenant_id = $1::uuid RETURNING tenant_id)"
	" SELECT s.tenant_id::text, tenancy.upkeep('auth', 'tenant', 'UPDATE')::text FROM shut s";

static const char USER_SHUT[] =
	"WITH shut AS (UPDATE auth.account SET status = 'suspended', version = version + 1"
	" WHERE tenant_id = $1::uuid AND id = $2::uuid AND status <> 'deleted' RETURNING id)"
	" SELECT s.id::text, tenancy.upkeep('auth', 'account', 'UPDATE')::text FROM shut s";

static enum err on_line(void *arg, const struct erasure *erasure)
{
	struct comparison *comparison = arg;
	struct sql_rows rows = { 0 };
	bool is_tenant = strcmp(erasure->user_id, ERASURE_ALL) == 0;
	const char *values[] = { erasure->tenant_id, erasure->user_id };
	enum err e = sql_query(comparison->sql, is_tenant ? TENANT_SHUT : USER_SHUT, values,
		is_tenant ? 1 : 2, &rows);
	comparison->lines++;
	if (e || !rows.rows)
		return e;
	comparison->back++;
	(void)printf("%s\t%s\terased %s: is back, shut out\n", erasure->tenant_id, erasure->user_id,
		erasure->at);
	return OK;
}

static enum err compare(const struct settings *settings, struct arena *arena)
{
	struct comparison comparison = { 0 };
	struct erasure_ledger *ledger = erasure_open(settings->ledger);
	enum err e = ledger ? sql_open(settings->database, arena, &comparison.sql) : ERR_INVALID;
	if (!e)
		e = erasure_each(ledger, arena, on_line, &comparison);
	if (!e)
		(void)printf("%zu erased, %zu are back\n", comparison.lines, comparison.back);
	sql_close(comparison.sql);
	erasure_close(ledger);
	return e;
}

int erased_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "database", OPTION_TEXT, NULL, offsetof(struct settings, database), 1, 4096,
			"libpq connection string of a superuser, who sees every tenant" },
		{ "erasure-ledger", OPTION_READS, NULL, offsetof(struct settings, ledger), 1, 4096,
			"file that says what was erased" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (conf_read(argc, argv, &set, 1))
		return 2;
	crypto_start();
	struct arena *arena = arena_new();
	enum err e = compare(&settings, arena);
	arena_free(arena);
	return e == ERR_UNAVAILABLE ? 6 : e ? 1 : 0;
}
