/* Counting, noting and telling; see audit_stop.h. */
#include "libcommon/audit_stop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/ocsf.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/spool.h"
#include "libcommon/uuid.h"

#define WATCH_EVERY_MS 1000
#define STOPPED_MS 10000 /* what waits longer: an instance is replaced in less */

/* Tenants counted between two notes, which are a second apart while the database answers. Of more,
 * and of strangers, only the operator reads. */
#define TENANTS_MAX 256

static const struct op STOP = { .name = "audit_stop",
	.audit = { "application_lifecycle.stop", 6002, 4 } };

static const char NOTE[] = "SELECT audit_stop_note($1::uuid[], $2::bigint[], $3::bigint)";
static const char TAKE[] = "SELECT tenant_id, since, until, refused FROM audit_stop_take()";

struct count {
	char tenant_id[UUID_SIZE];
	int64_t n;
};

struct counts {
	int64_t all;
	size_t n;
	struct count tenants[TENANTS_MAX];
};

static struct counts counted;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `counted`, for some additions */
static int64_t watched_ms; /* the relay's thread alone, as is the next */
static bool is_told; /* that it began, on stderr */

/* ---- counting ---- */

static void add(struct counts *counts, const char *tenant_id, int64_t n)
{
	size_t i = 0;
	if (!is_uuid(tenant_id))
		return;
	while (i < counts->n && strcmp(counts->tenants[i].tenant_id, tenant_id) != 0)
		i++;
	if (i == TENANTS_MAX)
		return;
	if (i == counts->n)
		memcpy(counts->tenants[counts->n++].tenant_id, tenant_id, UUID_SIZE);
	counts->tenants[i].n += n;
}

void audit_stop_refused(const char *tenant_id)
{
	pthread_mutex_lock(&lock);
	counted.all++;
	add(&counted, tenant_id, 1);
	pthread_mutex_unlock(&lock);
}

static struct counts take_counted(void)
{
	pthread_mutex_lock(&lock);
	struct counts taken = counted;
	counted = (struct counts){ 0 };
	pthread_mutex_unlock(&lock);
	return taken;
}

/* They could not be noted. */
static void put_back(const struct counts *taken)
{
	pthread_mutex_lock(&lock);
	counted.all += taken->all;
	for (size_t i = 0; i < taken->n; i++)
		add(&counted, taken->tenants[i].tenant_id, taken->tenants[i].n);
	pthread_mutex_unlock(&lock);
}

/* ---- noting ---- */

/* As arrays, the operator's own last, who reads of all. */
static enum err note(struct call *c, const struct counts *taken, const char **state)
{
	struct buf tenants = { .arena = c->arena }, refused = { .arena = c->arena };
	for (size_t i = 0; i < taken->n; i++) {
		const struct count *count = &taken->tenants[i];
		if (strcmp(count->tenant_id, OPERATOR_TENANT) == 0)
			continue;
		buf_printf(&tenants, "%s%s", tenants.n ? "," : "{", count->tenant_id);
		buf_printf(&refused, "%s%lld", refused.n ? "," : "{", (long long)count->n);
	}
	buf_printf(&tenants, "%s" OPERATOR_TENANT "}", tenants.n ? "," : "{");
	buf_printf(&refused, "%s%lld}", refused.n ? "," : "{", (long long)taken->all);
	return db_text(
		c, NOTE, DB_ARGS(tenants.data, refused.data, db_integer(c, STOPPED_MS)), state);
}

static void tell_of_beginning(void)
{
	if (!is_told)
		log_event(
			LOG_LEVEL_ERROR, "audit takes no events", LOG_INT("waiting", spool_rows()));
	is_told = true;
}

/* ---- telling ---- */

struct stop {
	const char *tenant_id, *since, *until, *refused;
};

struct stops {
	size_t n;
	struct stop *items;
};

static enum err on_stop(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct stops *stops = arg;
	struct stop *wider = arena_array(c->arena, stops->n + 1, sizeof(*wider));
	if (stops->n)
		memcpy(wider, stops->items, stops->n * sizeof(*wider));
	stops->items = wider;
	stops->items[stops->n++] = (struct stop){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]), arena_strdup(c->arena, columns[2]),
		arena_strdup(c->arena, columns[3]) };
	return OK;
}

static enum err tell(struct call *c, const struct stop *stop)
{
	const char *event_id = uuid_make(c->arena);
	enum err e = service_enter_tenant(c, stop->tenant_id);
	if (e)
		return e;
	c->op = &STOP;
	c->recorded = arena_printf(c->arena, "{\"from\":\"%s\",\"until\":\"%s\",\"refused\":%s}",
		stop->since, stop->until, stop->refused);
	spool_added();
	return outbox_audit(c, event_id, ocsf_line(c, event_id, clock_unix_ms()));
}

static enum err tell_all(struct call *c)
{
	struct stops stops = { 0 };
	enum err e = db_each(c, TAKE, DB_NONE, on_stop, &stops);
	for (size_t i = 0; i < stops.n && !e; i++)
		e = tell(c, &stops.items[i]);
	c->op = NULL;
	c->recorded = NULL;
	if (!e)
		log_warning("audit takes events again");
	is_told = is_told && e;
	return e;
}

/* Over, when what waited then is gone, changes are taken, and nothing was refused in the last
 * second. */
static enum err watch(struct call *c, const struct counts *taken)
{
	const char *state;
	enum err e = note(c, taken, &state);
	if (e || strcmp(state, "none") == 0)
		return e;
	bool is_over = strcmp(state, "over") == 0 && !taken->all && spool_has_room(false);
	if (is_over)
		return tell_all(c);
	tell_of_beginning();
	return OK;
}

enum err audit_stop_watch(struct call *c)
{
	int64_t now_ms = clock_steady_ms();
	if (watched_ms && now_ms - watched_ms < WATCH_EVERY_MS)
		return OK;
	watched_ms = now_ms;
	enum err e = outbox_enter_relay(c);
	if (e) /* auth is away: later */
		return e == ERR_UNAVAILABLE || e == ERR_LIMITED ? OK : e;
	struct counts taken = take_counted();
	e = watch(c, &taken);
	if (!e)
		e = db_commit(c);
	if (e)
		put_back(&taken);
	return e;
}
