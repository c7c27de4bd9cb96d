/* Looking at what the keyring counts; see key_use.h. */
#include "libcommon/key_use.h"

#include <stddef.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/keyring.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/spool.h"

#define HOUR_MS 3600000
#define OBJECT "keyring" /* what the events are about: they are found by it */

struct key_use_conf key_use_conf;

const struct option key_use_options[KEY_USE_OPTIONS_N] = {
	{ "keys-opened-max", OPTION_INTEGER, "2000", offsetof(struct key_use_conf, opened_max), 1,
		1000000000,
		"tenant keys that a process may open within an hour before that is an event and an "
		"anomaly for operators: twice what manabiya_keyring_unwraps_total rises by in the "
		"busiest one" },
};

static const struct op OPENED = { .name = "keys_opened",
	.audit = { "entity_management.read", 3004, 2 } };
static const struct op REFUSED = { .name = "keys_refused",
	.audit = { "entity_management.read", 3004, 2 } };

static const struct op FOREIGN = { .name = "keys_foreign",
	.audit = { "entity_management.read", 3004, 2 } };

/* A count that only rises, within an hour of the clock. */
struct gauge {
	int64_t hour;
	uint64_t before, seen,
		told; /* ever: when the hour began, when last looked at; told of it */
	char tenant_id[UUID_SIZE];
};

/* The job's thread alone. */
static struct {
	struct gauge opened, refused, foreign, tenants[KEYRING_REFUSED_MAX];
} gauges;

/* What has to be told of one gauge: 0 for nothing. */
struct news {
	uint64_t n;
	int64_t hour;
};

static bool is_worth_telling(const struct gauge *gauge, uint64_t ever, uint64_t least)
{
	uint64_t n = ever - gauge->before;
	return n >= least && n >= 2 * gauge->told;
}

/* An hour lasts until it is told of. */
static struct news look(struct gauge *gauge, int64_t hour, uint64_t ever, uint64_t least)
{
	if (gauge->hour != hour && !is_worth_telling(gauge, gauge->seen, least)) {
		gauge->hour = hour;
		gauge->before = gauge->seen;
		gauge->told = 0;
	}
	gauge->seen = ever;
	return (struct news){ is_worth_telling(gauge, ever, least) ? ever - gauge->before : 0,
		gauge->hour };
}

/* A place may be another tenant's than before. */
static struct news look_at_tenant(
	struct gauge *gauge, int64_t hour, const struct keyring_refused *refused)
{
	if (strcmp(gauge->tenant_id, refused->tenant_id) != 0) {
		*gauge = (struct gauge){ .hour = hour };
		memcpy(gauge->tenant_id, refused->tenant_id, UUID_SIZE);
	}
	return look(gauge, hour, refused->n, 1);
}

struct telling {
	struct news opened, refused, foreign, tenants[KEYRING_REFUSED_MAX];
	char foreign_domain[KEYRING_DOMAIN_SIZE]; /* the last one */
};

static bool has_news(struct keyring *keyring, struct telling *out)
{
	struct keyring_openings now = keyring_openings(keyring);
	int64_t hour = clock_unix_ms() / HOUR_MS;
	out->opened = look(&gauges.opened, hour, now.opened, (uint64_t)key_use_conf.opened_max + 1);
	out->refused = look(&gauges.refused, hour, now.refused, 1);
	out->foreign = look(&gauges.foreign, hour, now.foreign, 1);
	memcpy(out->foreign_domain, now.foreign_domain, KEYRING_DOMAIN_SIZE);
	uint64_t any = out->opened.n + out->refused.n + out->foreign.n;
	for (size_t i = 0; i < KEYRING_REFUSED_MAX; i++) {
		out->tenants[i] = look_at_tenant(&gauges.tenants[i], hour, &now.tenants[i]);
		any += out->tenants[i].n;
	}
	return any > 0;
}

static void note_told(struct gauge *gauge, const struct news *news)
{
	if (news->n)
		gauge->told = news->n;
}

static void is_told(const struct telling *telling)
{
	note_told(&gauges.opened, &telling->opened);
	note_told(&gauges.refused, &telling->refused);
	note_told(&gauges.foreign, &telling->foreign);
	for (size_t i = 0; i < KEYRING_REFUSED_MAX; i++)
		note_told(&gauges.tenants[i], &telling->tenants[i]);
}

/* From when on it was counted, and whatever follows. */
static struct buf details(struct call *c, const struct news *news)
{
	char from[TIMESTAMP_SIZE];
	struct buf out = { .arena = c->arena };
	clock_format(news->hour * HOUR_MS, from);
	buf_printf(&out, "{\"from\":\"%s\",\"until\":\"%s\"", from, clock_now_text(c->arena));
	return out;
}

static enum err record(
	struct call *c, const char *tenant_id, const struct op *op, const struct buf *what)
{
	enum err e = service_enter_tenant(c, tenant_id);
	if (e)
		return e;
	c->recorded = what->data;
	spool_added();
	e = outbox_record(c, op, OBJECT);
	c->op = NULL;
	c->recorded = NULL;
	return e;
}

static enum err tell_of_opened(struct call *c, const struct news *news)
{
	struct buf what = details(c, news);
	buf_printf(&what, ",\"opened\":%llu,\"most\":%lld}", (unsigned long long)news->n,
		(long long)key_use_conf.opened_max);
	return news->n ? record(c, OPERATOR_TENANT, &OPENED, &what) : OK;
}

/* With the tenants of this hour. */
static enum err tell_of_refused(struct call *c, const struct news *news)
{
	size_t named = 0;
	struct buf what = details(c, news);
	buf_printf(&what, ",\"refused\":%llu,\"tenants\":[", (unsigned long long)news->n);
	for (size_t i = 0; i < KEYRING_REFUSED_MAX; i++) {
		const struct gauge *gauge = &gauges.tenants[i];
		if (gauge->seen > gauge->before)
			buf_printf(&what, "%s\"%s\"", named++ ? "," : "", gauge->tenant_id);
	}
	buf_text(&what, "]}");
	return news->n ? record(c, OPERATOR_TENANT, &REFUSED, &what) : OK;
}

static enum err tell_of_foreign(struct call *c, const struct telling *telling)
{
	const struct news *news = &telling->foreign;
	struct buf what = details(c, news);
	buf_printf(&what, ",\"foreign\":%llu,\"domain\":", (unsigned long long)news->n);
	json_quote(&what, telling->foreign_domain);
	buf_text(&what, "}");
	return news->n ? record(c, OPERATOR_TENANT, &FOREIGN, &what) : OK;
}

/* The operator was told already. */
static enum err tell_tenant(struct call *c, const char *tenant_id, const struct news *news)
{
	struct buf what = details(c, news);
	buf_printf(&what, ",\"refused\":%llu}", (unsigned long long)news->n);
	return news->n && strcmp(tenant_id, OPERATOR_TENANT) != 0
		? record(c, tenant_id, &REFUSED, &what)
		: OK;
}

static enum err tell(struct call *c, const struct telling *telling)
{
	enum err e = tell_of_opened(c, &telling->opened);
	if (!e)
		e = tell_of_refused(c, &telling->refused);
	if (!e)
		e = tell_of_foreign(c, telling);
	for (size_t i = 0; i < KEYRING_REFUSED_MAX && !e; i++)
		e = tell_tenant(c, gauges.tenants[i].tenant_id, &telling->tenants[i]);
	return e;
}

enum err key_use_watch(struct call *c)
{
	struct telling telling;
	if (!has_news(c->keyring, &telling))
		return OK;
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (e == ERR_UNAVAILABLE || e == ERR_LIMITED)
		return OK; /* auth is away: later */
	if (!e)
		e = tell(c, &telling);
	if (!e)
		e = db_commit(c);
	if (e)
		return e;
	is_told(&telling);
	db_begin(c->db, NULL, false); /* whoever runs the job commits once more */
	return OK;
}
