/* Sealing anew and counting; see reseal.h. */
#include "libcommon/reseal.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

#define ROWS_MAX 200 /* a turn: some ten milliseconds, and so long are these rows locked */
/* What the log of the tenant calls it. */
static const struct op RESEAL = { .name = "key_reseal",
	.audit = { "entity_management.update", 3004, 3 } };

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
	struct call *c, const struct sealed_column *column, const struct row *row, int64_t *changed)
{
	int64_t n = 0;
	const char *again;
	enum err e = personal_reseal(c, &column->kind, row->sealed, &again);
	if (e == ERR_INTERNAL) { /* damaged: the others do not wait for somebody to mend it */
		log_warning("reseal: %s of %s does not open", column->kind.column, row->key);
		return OK;
	}
	if (e || !again)
		return e;
	const char *old = strchr(row->sealed, ':') + 1;
	e = db_count(c, column->put, DB_ARGS(row->key, again, old), &n);
	*changed += n;
	return e;
}

/* *n: the rows of this turn. */
static enum err reseal_some(struct call *c, uint32_t newest, size_t *n)
{
	const struct sealed_column *column = &c->service->sealed[at.column];
	char tenants[PERSONAL_PREFIX_SIZE], users[PERSONAL_PREFIX_SIZE];
	struct rows *rows = arena_alloc(c->arena, sizeof(*rows));
	int64_t changed = 0;
	personal_prefix(newest, false, tenants);
	personal_prefix(newest, true, users);
	enum err e = db_each(c, column->old,
		DB_ARGS(at.key, tenants, users, db_integer(c, ROWS_MAX)), on_row, rows);
	for (size_t i = 0; i < rows->n && !e; i++)
		e = reseal_row(c, column, &rows->items[i], &changed);
	if (!e && changed)
		e = outbox_record(c, &RESEAL, NULL);
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
	struct keyring_list list;
	at.column = 0;
	memcpy(at.key, FIRST_KEY, UUID_SIZE);
	enum err e = keyring_list(c->keyring, c->arena, &list);
	if (e)
		return e;
	for (size_t i = 1; i < list.n; i++) {
		const char *tenant_id = list.items[i].tenant_id;
		if (strcmp(tenant_id, at.tenant_id) > 0 &&
			strcmp(tenant_id, list.items[i - 1].tenant_id) == 0) {
			memcpy(at.tenant_id, tenant_id, UUID_SIZE);
			return OK;
		}
	}
	return ERR_NOT_FOUND;
}

/* A tenant that cannot be entered, because it is closed, is passed over until the next round. */
static enum err work_on(struct call *c)
{
	uint32_t newest;
	size_t n = 0;
	enum err e = service_enter_tenant(c, at.tenant_id);
	if (e == ERR_UNAVAILABLE) /* nobody else can be entered either */
		return e;
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

/* ---- what is left under one version ---- */

static const char WAITING[] = "SELECT tenancy.waiting_under(ARRAY[$1, $2])";

/* The texts that a version's begin with, of tenants and of users. */
struct prefixes {
	char tenants[PERSONAL_PREFIX_SIZE], users[PERSONAL_PREFIX_SIZE];
};

static enum err count_by(
	struct call *c, const char *sql, const struct prefixes *prefixes, int64_t *n)
{
	const char *text;
	enum err e = db_text(c, sql, DB_ARGS(prefixes->tenants, prefixes->users), &text);
	*n = e ? 0 : strtoll(text, NULL, 10);
	return e;
}

/* One that is damaged counts: somebody may mend it. */
static enum err row_opens(
	struct call *c, const struct sealed_column *column, const struct row *row, bool *opens)
{
	const char *again = NULL;
	enum err e = personal_reseal(c, &column->kind, row->sealed, &again);
	*opens = e == ERR_INTERNAL || (!e && again);
	return e == ERR_INTERNAL ? OK : e;
}

static enum err column_opens(struct call *c, const struct sealed_column *column,
	const struct prefixes *prefixes, bool *opens)
{
	const char *after = FIRST_KEY;
	struct rows *rows = arena_alloc(c->arena, sizeof(*rows));
	enum err e = OK;
	do {
		rows->n = 0;
		e = db_each(c, column->under,
			DB_ARGS(after, prefixes->tenants, prefixes->users, db_integer(c, ROWS_MAX)),
			on_row, rows);
		for (size_t i = 0; i < rows->n && !e && !*opens; i++)
			e = row_opens(c, column, &rows->items[i], opens);
		if (rows->n)
			after = rows->items[rows->n - 1].key;
	} while (!e && !*opens && rows->n == ROWS_MAX);
	return e;
}

enum err reseal_left(struct call *c, uint32_t version, int64_t *count, bool *opens)
{
	struct prefixes prefixes;
	personal_prefix(version, false, prefixes.tenants);
	personal_prefix(version, true, prefixes.users);
	enum err e = count_by(c, WAITING, &prefixes, count);
	*opens = *count > 0; /* it is delivered within minutes, or redriven, or a day old */
	for (size_t i = 0; i < c->service->sealed_n && !e; i++) {
		const struct sealed_column *column = &c->service->sealed[i];
		int64_t n;
		e = count_by(c, column->count_under, &prefixes, &n);
		if (!e && n && !*opens)
			e = column_opens(c, column, &prefixes, opens);
		*count += n;
	}
	return e;
}
