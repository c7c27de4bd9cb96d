/*
 * What a tenant's administrators should look at, found by reading what is new in its log:
 *
 *   many_videos    one person opened more different videos within an hour than lessons explain
 *   many_failures  more logins and proofs of the password failed within ten minutes than of a
 *                  class that mistypes
 *   odd_hours      a member of the staff logged in at night, Japanese time
 *   bulk_download  somebody began to fetch the archive of the whole contract
 *   audit_stopped  events could not be kept for a while (libcommon/audit_stop.h)
 *   many_keys      a process opened more tenants' keys than it may (libcommon/key_use.h)
 *   refused_keys   a tenant's key was there and did not open
 *   foreign_keys   a process asked for a key of what another service keeps
 *
 * and one that is found elsewhere, incomplete_log (completeness.c).
 *
 * The log is read behind it, tenant by tenant and within its rows only: nothing waits for this, and
 * after a stop it goes on where it was.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/page.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/audit/audit.h"

/* A turn: so many tenants, so many events of each. What is left is taken by the next, at once. */
#define TENANTS_MAX 16
#define EVENTS_MAX 5000

static const char TAKE[] =
	"SELECT tenant_id, looked, until FROM audit.anomaly_take($1::integer, $2::integer)";
static const char DONE[] = "SELECT audit.anomaly_done($1::bigint)";

/* Both steps of a login. Of the first alone, where a second is wanted, nobody is in: it has no
 * actor. */
#define LOGINS "'auth.session_create', 'auth.session_second_factor'"

/* And the password that is asked for again in the midst of a session. */
#define PROOFS LOGINS ", 'auth.session_step_up'"

/* Recorded once for each download, not for its windows. */
#define DOWNLOAD "learning.export_archive"

/* Whichever service noticed. */
#define STOPS                                                                                      \
	"'auth.audit_stop', 'provisioning.audit_stop', 'learning.audit_stop',"                     \
	" 'notification.audit_stop', 'audit.audit_stop'"

#define KEYS_OPENED "'provisioning.keys_opened', 'learning.keys_opened', 'notification.keys_opened'"
#define KEYS_REFUSED                                                                               \
	"'provisioning.keys_refused', 'learning.keys_refused', 'notification.keys_refused'"
#define KEYS_FOREIGN                                                                               \
	"'provisioning.keys_foreign', 'learning.keys_foreign', 'notification.keys_foreign'"

/*
 * The events from $1 to $2 say which windows to count; in those, all up to $2 count. The columns
 * are kind, user, begin, count, end (what is counted lies before it), and how long a window is,
 * where those that overlap are one anomaly.
 *
 * What has a limit ($3, $4) is counted in every hour, or ten minutes, that ends with such an event:
 * with fixed windows nearly twice the limit would pass around the turn of the hour. How many
 * different videos there were is counted at most once for each minute.
 */
static const char FIND_MANY[] =
	"WITH news AS MATERIALIZED (SELECT e.time, e.operation, e.outcome, e.actor_id"
	" FROM audit.event e WHERE e.sequence > $1::bigint AND e.sequence <= $2::bigint"
	" AND e.operation IN ('learning.media_content', " PROOFS ")),"
	" viewer AS (SELECT n.actor_id, min(n.time) AS first FROM news n"
	"  WHERE n.operation = 'learning.media_content' AND n.actor_id IS NOT NULL"
	"  GROUP BY n.actor_id),"
	" viewed AS MATERIALIZED (SELECT v.actor_id, v.first, e.object_id, e.time,"
	"  count(*) OVER (PARTITION BY v.actor_id ORDER BY e.time"
	"   RANGE BETWEEN '1 hour' PRECEDING AND CURRENT ROW) AS views"
	"  FROM viewer v JOIN audit.event e ON e.actor_id = v.actor_id"
	"   AND e.sequence <= $2::bigint AND e.time > v.first - interval '1 hour'"
	"  WHERE e.operation = 'learning.media_content' AND e.outcome = 'success'),"
	" crowded AS (SELECT DISTINCT ON (w.actor_id, date_trunc('minute', w.time))"
	"  w.actor_id, w.time FROM viewed w WHERE w.time >= w.first AND w.views >= $3::bigint"
	"  ORDER BY w.actor_id, date_trunc('minute', w.time), w.time DESC),"
	" failed AS (SELECT e.time, count(*) OVER ten AS n, min(e.time) OVER ten AS began,"
	"  f.first FROM (SELECT min(n.time) AS first FROM news n"
	"   WHERE n.operation IN (" PROOFS ") AND n.outcome = 'failure') f"
	"  JOIN audit.event e ON e.time > f.first - interval '10 min'"
	"  WHERE e.sequence <= $2::bigint AND e.operation IN (" PROOFS ")"
	"  AND e.outcome = 'failure'"
	"  WINDOW ten AS (ORDER BY e.time RANGE BETWEEN '10 min' PRECEDING AND CURRENT ROW))"
	" SELECT 'many_videos', k.actor_id, min(w.time) AS began, count(DISTINCT w.object_id),"
	"  k.time + interval '1 ms', '1 hour'"
	"  FROM crowded k JOIN viewed w ON w.actor_id = k.actor_id"
	"   AND w.time > k.time - interval '1 hour' AND w.time <= k.time"
	"  GROUP BY k.actor_id, k.time HAVING count(DISTINCT w.object_id) >= $3::bigint"
	" UNION ALL SELECT 'many_failures', NULL, f.began, max(f.n),"
	"  max(f.time) + interval '1 ms', '10 min'"
	"  FROM failed f WHERE f.time >= f.first AND f.n >= $4::bigint GROUP BY f.began"
	" ORDER BY began";

/* What is told whatever its number, by the hour; $3 and $4 are the hours of the night. */
static const char FIND_ANY[] =
	"WITH news AS MATERIALIZED (SELECT e.time, e.operation, e.outcome, e.actor_id, e.line"
	" FROM audit.event e WHERE e.sequence > $1::bigint AND e.sequence <= $2::bigint"
	" AND e.operation IN ('" DOWNLOAD "', " STOPS ", " LOGINS ", " KEYS_OPENED ","
	" " KEYS_REFUSED ", " KEYS_FOREIGN ")),"
	" night AS (SELECT DISTINCT n.actor_id, date_trunc('hour', n.time) AS began,"
	"  extract(hour FROM n.time AT TIME ZONE 'Asia/Tokyo') AS hour FROM news n"
	"  WHERE n.operation IN (" LOGINS ") AND n.outcome = 'success' AND n.actor_id IS NOT NULL"
	"  AND n.line::jsonb #>> '{actor,user,type}' <> 'student'),"
	" taking AS (SELECT DISTINCT n.actor_id, date_trunc('hour', n.time) AS began FROM news n"
	"  WHERE n.operation = '" DOWNLOAD "' AND n.outcome = 'success' AND n.actor_id IS NOT NULL)"
	" SELECT 'audit_stopped', NULL::uuid, (s.told ->> 'from')::timestamptz,"
	"  (s.told ->> 'refused')::bigint, s.told ->> 'until', NULL FROM (SELECT"
	"   n.line::jsonb -> 'unmapped' AS told FROM news n WHERE n.operation IN (" STOPS ")) s"
	" UNION ALL SELECT k.kind, NULL, (k.told ->> 'from')::timestamptz,"
	"  (k.told ->> k.counted)::bigint, NULL, NULL FROM (SELECT"
	"   n.line::jsonb -> 'unmapped' AS told, w.kind, w.counted FROM news n JOIN (VALUES"
	"   ('many_keys', 'opened', ARRAY[" KEYS_OPENED "]),"
	"   ('refused_keys', 'refused', ARRAY[" KEYS_REFUSED "]),"
	"   ('foreign_keys', 'foreign', ARRAY[" KEYS_FOREIGN "])) AS w (kind, counted, told_as)"
	"   ON n.operation = ANY (w.told_as)) k"
	" UNION ALL SELECT 'bulk_download', t.actor_id, t.began, count(*), NULL, NULL"
	"  FROM taking t JOIN audit.event e ON e.actor_id = t.actor_id"
	"  AND e.sequence <= $2::bigint"
	"  AND e.time >= t.began AND e.time < t.began + interval '1 hour'"
	"  AND e.operation = '" DOWNLOAD "' AND e.outcome = 'success' GROUP BY t.actor_id, t.began"
	" UNION ALL SELECT 'odd_hours', n.actor_id, n.began, count(*), NULL, NULL"
	"  FROM night n JOIN audit.event e ON e.actor_id = n.actor_id"
	"  AND e.sequence <= $2::bigint"
	"  AND e.time >= n.began AND e.time < n.began + interval '1 hour'"
	"  AND e.operation IN (" LOGINS ") AND e.outcome = 'success'"
	"  AND e.line::jsonb #>> '{actor,user,type}' <> 'student'"
	"  WHERE CASE WHEN $3::integer > $4::integer"
	"   THEN n.hour >= $3::integer OR n.hour < $4::integer"
	"   ELSE n.hour >= $3::integer AND n.hour < $4::integer END"
	"  GROUP BY n.actor_id, n.began";

/*
 * Of windows that overlap the one with the most is told, its begin and end with its count: the link
 * behind it leads to what was counted. Which overlap is asked of the first that was found: what
 * goes on and grows would otherwise draw one anomaly along with it and be told once.
 */
static const char PUT[] =
	"WITH known AS (SELECT a.id FROM anomaly a"
	"  WHERE a.kind = $2 AND a.user_id IS NOT DISTINCT FROM $3::uuid"
	"  AND a.first_at > $4::timestamptz - $7::interval"
	"  AND a.first_at < $4::timestamptz + $7::interval ORDER BY a.first_at DESC LIMIT 1),"
	" grown AS (UPDATE anomaly a SET began_at = $4::timestamptz, count = $5::integer,"
	"  ended_at = $6::timestamptz FROM known k WHERE a.id = k.id AND a.count < $5::integer)"
	" INSERT INTO anomaly AS a (id, kind, user_id, first_at, began_at, count, ended_at)"
	" SELECT $1::uuid, $2, $3::uuid, $4::timestamptz, $4::timestamptz, $5::integer,"
	" $6::timestamptz WHERE NOT EXISTS (SELECT FROM known)"
	" ON CONFLICT (tenant_id, kind, first_at,"
	"  coalesce(user_id, '00000000-0000-0000-0000-000000000000'::uuid))"
	" DO UPDATE SET count = excluded.count, ended_at = excluded.ended_at"
	" WHERE a.count < excluded.count";

static const char ADD[] = "INSERT INTO anomaly AS a (id, kind, first_at, began_at, count)"
			  " VALUES ($1::uuid, $2, date_trunc('hour', now()),"
			  "  date_trunc('hour', now()), $3::integer)"
			  " ON CONFLICT (tenant_id, kind, first_at,"
			  "  coalesce(user_id, '00000000-0000-0000-0000-000000000000'::uuid))"
			  " DO UPDATE SET count = a.count + excluded.count";

static const char LIST[] = "SELECT a.id, a.kind, a.user_id, tenancy.stamp(a.began_at) AS began_at,"
			   " tenancy.stamp(a.ended_at) AS ended_at,"
			   " a.count, a.seen FROM anomaly a"
			   " WHERE $1::uuid IS NULL OR a.id < $1::uuid"
			   " ORDER BY a.id DESC LIMIT $2::integer";
static const char UNSEEN[] = "SELECT least(count(*), 1000000) AS unseen_count FROM anomaly"
			     " WHERE NOT seen";
static const char SEE[] = "UPDATE anomaly SET seen_at = now(), seen_count = count"
			  " WHERE id = $1::uuid AND NOT seen";
static const char EXISTS[] = "SELECT id FROM anomaly WHERE id = $1::uuid";

struct anomaly_limits anomaly_limits;

/* ---- finding ---- */

struct finds {
	size_t n;
	const char *rows[EVENTS_MAX][6]; /* as FIND_MANY says */
};

static enum err on_find(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct finds *finds = arg;
	if (finds->n == EVENTS_MAX)
		return OK;
	for (size_t i = 0; i < 6; i++)
		finds->rows[finds->n][i] = columns[i] ? arena_strdup(c->arena, columns[i]) : NULL;
	finds->n++;
	return OK;
}

static enum err look(struct call *c, const char *looked, const char *until)
{
	struct finds *finds = arena_alloc(c->arena, sizeof *finds);
	enum err e = db_each(c, FIND_MANY,
		DB_ARGS(looked, until, db_integer(c, anomaly_limits.videos),
			db_integer(c, anomaly_limits.failures)),
		on_find, finds);
	if (!e)
		e = db_each(c, FIND_ANY,
			DB_ARGS(looked, until, db_integer(c, anomaly_limits.night_from),
				db_integer(c, anomaly_limits.night_until)),
			on_find, finds);
	for (size_t i = 0; i < finds->n && !e; i++) {
		const char *const *row = finds->rows[i];
		e = db_exec(c, PUT,
			DB_ARGS(uuid_make(c->arena), row[0], row[1], row[2], row[3], row[4],
				row[5]));
	}
	return e ? e : db_exec(c, DONE, DB_ARGS(until));
}

enum err anomaly_put(struct call *c, const char *kind, const char *count)
{
	return db_exec(c, ADD, DB_ARGS(uuid_make(c->arena), kind, count));
}

struct news {
	size_t n;
	const char *rows[TENANTS_MAX][3]; /* tenant, from, until */
};

static enum err on_news(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct news *news = arg;
	for (size_t i = 0; i < 3; i++)
		news->rows[news->n][i] = arena_strdup(c->arena, columns[i]);
	news->n++;
	return OK;
}

enum err anomaly_run(struct call *c, bool *more)
{
	struct news news = { .n = 0 };
	enum err e = db_each(c, TAKE,
		DB_ARGS(db_integer(c, TENANTS_MAX), db_integer(c, EVENTS_MAX)), on_news, &news);
	for (size_t i = 0; i < news.n && !e; i++) {
		const char *const *row = news.rows[i];
		e = service_enter_tenant(c, row[0]);
		if (!e)
			e = look(c, row[1], row[2]);
	}
	*more = !e && news.n == TENANTS_MAX;
	return e;
}

/* ---- showing ---- */

enum err audit_anomaly_list(
	struct call *c, const struct audit_anomaly_list_in *in, struct audit_anomaly_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, LIST, DB_ARGS(page.after[0], page.rows), &audit_anomaly_shape,
			&out->items);
	if (e)
		return e;
	if (page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return db_row(c, UNSEEN, DB_NONE, &audit_anomaly_list_out_shape, out);
}

/* Seen twice is seen. */
enum err audit_anomaly_see(struct call *c, const struct audit_anomaly_see_in *in)
{
	const char *id;
	enum err e = db_text(c, EXISTS, DB_ARGS(in->anomaly_id), &id);
	c->object_id = in->anomaly_id;
	return e ? e : db_exec(c, SEE, DB_ARGS(in->anomaly_id));
}
