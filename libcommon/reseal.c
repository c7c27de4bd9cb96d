/* Sealing anew and counting; see reseal.h. */
#include "libcommon/reseal.h"

#include <string.h>

#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/log.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

#define ROWS_MAX 200 /* a turn: some ten milliseconds, and so long are these rows locked */
#define FIRST_KEY "00000000-0000-0000-0000-000000000000"

/* Where the round stands; only the job thread comes here. Rows up to `key` are done, or of users
 * who were erased. */
static struct {
	char tenant_id[UUID_SIZE];
	size_t column;
	char key[UUID_SIZE];
} at = { .key = FIRST_KEY };

struct row {
	const char *key, *sealed;
};

struct rows {
	size_t n;
	struct row items[ROWS_MAX];
};

static enum err on_row(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct rows *rows = arg;
	rows->items[rows->n++] = (struct row){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]) };
	return OK;
}

static enum err reseal_row(
	struct call *c, const struct sealed_column *column, const struct row *row)
{
	const char *again;
	enum err e = personal_reseal(c, &column->kind, row->sealed, &again);
	if (e == ERR_INTERNAL) { /* damaged: the others do not wait for somebody to mend it */
		log_warning("reseal: %s of %s does not open", column->kind.column, row->key);
		return OK;
	}
	if (e || !again)
		return e;
	const char *old = strchr(row->sealed, ':') + 1;
	return db_exec(c, column->put, DB_ARGS(row->key, again, old));
}

/* *n: the rows of this turn. */
static enum err reseal_some(struct call *c, uint32_t newest, size_t *n)
{
	const struct sealed_column *column = &c->service->sealed[at.column];
	char tenants[PERSONAL_PREFIX_SIZE], users[PERSONAL_PREFIX_SIZE];
	struct rows *rows = arena_alloc(c->arena, sizeof(*rows));
	personal_prefix(newest, false, tenants);
	personal_prefix(newest, true, users);
	enum err e = db_each(c, column->old,
		DB_ARGS(at.key, tenants, users, db_integer(c, ROWS_MAX)), on_row, rows);
	for (size_t i = 0; i < rows->n && !e; i++)
		e = reseal_row(c, column, &rows->items[i]);
	if (!e && rows->n)
		memcpy(at.key, rows->items[rows->n - 1].key, UUID_SIZE);
	*n = rows->n;
	return e;
}

static void next_column(void)
{
	at.column++;
	memcpy(at.key, FIRST_KEY, UUID_SIZE);
}

/* The next tenant with more than one version; NOT_FOUND at the end of the round. */
static enum err next_tenant(struct call *c)
{
	uint32_t version = 0;
	enum err e = OK;
	at.column = 0;
	memcpy(at.key, FIRST_KEY, UUID_SIZE);
	while (!e && version < 2) {
		char tenant_id[UUID_SIZE];
		e = keyring_tenant_after(c->keyring, at.tenant_id, tenant_id);
		if (!e)
			memcpy(at.tenant_id, tenant_id, UUID_SIZE);
		if (!e && keyring_newest(c->keyring, tenant_id, &version))
			version = 0; /* erased in this moment */
	}
	return e;
}

/* A tenant that cannot be entered (it is closed, auth is away) is passed over until the next round.
 */
static enum err work_on(struct call *c)
{
	uint32_t newest;
	size_t n = 0;
	enum err e = service_enter_tenant(c, at.tenant_id);
	if (e || keyring_newest(c->keyring, at.tenant_id, &newest)) {
		log_warning("reseal: tenant %s cannot be entered: %s", at.tenant_id, err_name(e));
		at.column = c->service->sealed_n;
		return OK;
	}
	e = reseal_some(c, newest, &n);
	if (!e && n < ROWS_MAX)
		next_column();
	return e;
}

enum err reseal_run(struct call *c, bool *more)
{
	if (!*at.tenant_id || at.column >= c->service->sealed_n) {
		enum err e = next_tenant(c);
		*more = !e;
		if (e)
			memset(at.tenant_id, 0, sizeof(at.tenant_id));
		return e == ERR_NOT_FOUND ? OK : e;
	}
	*more = true;
	return work_on(c);
}

/* ---- counting ---- */

enum err reseal_count(struct call *c, const struct shape *shape, void *list)
{
	struct list *all = list;
	enum err e = OK;
	for (size_t i = 0; i < c->service->sealed_n && !e; i++) {
		struct list some = { 0 };
		e = db_rows(c, c->service->sealed[i].count, DB_NONE, shape, &some);
		unsigned char *items = arena_array(c->arena, all->n + some.n, shape->size);
		if (all->n)
			memcpy(items, all->items, all->n * shape->size);
		if (some.n)
			memcpy(items + all->n * shape->size, some.items, some.n * shape->size);
		*all = (struct list){ items, all->n + some.n };
	}
	return e;
}
