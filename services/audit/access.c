/*
 * What the gateway tells of requests, and what it could not tell: a gateway that is gone without
 * its end, batches that are not here any more, records for which it had no room. Each becomes a
 * gap (migrations/0058_access_run.sql), which completeness.c shows and tells people of.
 *
 * Which requests are missing nobody knows; refuses to guess, and names every tenant for which the
 * gateway had read.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/label.h"
#include "libcommon/log.h"
#include "libcommon/ocsf.h"
#include "libcommon/service.h"
#include "services/audit/audit.h"

static const char OPEN[] = "SELECT audit.access_open($1::uuid, $2::uuid)";
static const char TELL[] =
	"SELECT audit.access_tell($1::uuid, $2::bigint, $3::boolean, $4::boolean)";
static const char LOST[] =
	"SELECT audit.access_lost($1::uuid, $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])";
static const char LOOK[] = "SELECT run_id, gaps FROM audit.access_look($1::integer)";

int64_t access_silence_s;

enum err audit_access_open(struct call *c, const struct audit_access_open_in *in)
{
	return db_exec(c, OPEN, DB_ARGS(in->run_id, in->tenant_id));
}

/* ---- batches ---- */

struct losses {
	const char **tenants, **ids, **times, **counts;
	size_t n;
};

/* Only of class III and above a record is promised. The line is sound: it was appended. */
static enum err add_loss(struct call *c, struct losses *losses, const char *line)
{
	const struct json *event;
	enum err e = json_parse(c->arena, line, strlen(line), &event);
	if (e)
		return e;
	const struct json *metadata = json_member(event, "metadata");
	const char *label = json_text(json_item(json_member(metadata, "labels"), 0));
	if (!ocsf_access_is_promised(label_from_name(label)))
		return OK;
	losses->tenants[losses->n] = event_tenant(event);
	losses->ids[losses->n] = json_text(json_member(metadata, "uid"));
	losses->times[losses->n] = db_integer(c, json_integer(json_member(event, "time"), 0));
	losses->counts[losses->n] = db_integer(c, json_integer(json_member(event, "count"), 0));
	losses->n++;
	return OK;
}

static enum err name_losses(struct call *c, const struct audit_access_append_in *in)
{
	const char **items = arena_array(c->arena, 4 * in->lines.n + 1, sizeof(*items));
	struct losses losses = { items, items + in->lines.n, items + 2 * in->lines.n,
		items + 3 * in->lines.n, 0 };
	enum err e = OK;
	for (size_t i = 0; i < in->lines.n && !e; i++) {
		if (strstr(in->lines.items[i], "\"" ACCESS_LOST_OPERATION "\""))
			e = add_loss(c, &losses, in->lines.items[i]);
	}
	if (e || !losses.n)
		return e;
	return db_later(c, LOST,
		DB_ARGS(in->run_id, db_text_array(c, losses.tenants, losses.n),
			db_text_array(c, losses.ids, losses.n),
			db_text_array(c, losses.times, losses.n),
			db_text_array(c, losses.counts, losses.n)));
}

enum err audit_access_append(struct call *c, const struct audit_access_append_in *in)
{
	enum err e = in->lines.n ? events_append(c, in->lines.items, in->lines.n) : OK;
	if (!e)
		e = name_losses(c, in);
	return e ? e
		 : db_later(c, TELL,
			   DB_ARGS(in->run_id, db_integer(c, in->stored),
				   in->lines.n ? "true" : "false", in->ended ? "true" : "false"));
}

/* ---- runs that are gone ---- */

static enum err on_silent(struct call *c, void *arg, const char *const *columns, size_t n)
{
	log_event(LOG_LEVEL_ERROR, "a gateway is silent that has not ended",
		LOG_TEXT("run", columns[0]), LOG_TEXT("gaps", columns[1]));
	return OK;
}

enum err access_run(struct call *c, bool *more)
{
	*more = false;
	return db_each(c, LOOK, DB_ARGS(db_integer(c, access_silence_s)), on_silent, NULL);
}
