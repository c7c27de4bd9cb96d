/*
 * The job that checks and writes archives: one part of one import after the other, so that a long
 * one holds up no other; see import.h. Instances do not meet at the same import: an advisory lock,
 * which unlike a row lock holds back no relay while other services are asked.
 *
 * What cannot go on by itself (the disk lost a byte, a service refuses a line that was right) stops
 * the import with a reason: what is written stays, and the administrator lets it go on or gives up.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/ocsf.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"

#define FAULTS_KEPT 100 /* learning.yaml, Import.faults */
#define NO_ID "00000000-0000-0000-0000-000000000000"

static const char NEXT[] = "SELECT tenant_id, id FROM learning.archive_import_next($1::uuid)";

static const char LOCK[] =
	"SELECT pg_try_advisory_xact_lock(hashtextextended('import/' || $1::text, 0))::text";

static const char IMPORT_GET[] =
	"SELECT state, step, verifier, size, entry, position, line, manifest_line, faults, " SEALED(
		"id", "sealed_key") " FROM learning.archive_import WHERE id = $1::uuid";

static const char IMPORT_PUT[] =
	"UPDATE learning.archive_import SET state = $2, step = $3, entry = $4::bigint,"
	" position = $5::bigint, line = $6::bigint, manifest_line = $7::bigint,"
	" faults = $8::bigint, changed_at = now() WHERE id = $1::uuid";

static const char FAULT_PUT[] =
	"INSERT INTO learning.archive_fault (import_id, number, entry, line, pointer, code, ja, en)"
	" VALUES ($1::uuid, $2::bigint, $3, nullif($4::bigint, 0), nullif($5, ''), $6, $7, $8)";

static const char APPLIED[] = "UPDATE learning.archive_import SET state = 'applied',"
			      " applied_at = now(), changed_at = now() WHERE id = $1::uuid"
			      " RETURNING json_build_object('manifest', manifest_hash,"
			      " 'checkpoint', checkpoint)::text";

/* What the log calls the end of it. */
static const struct op ARCHIVE_APPLIED = { .name = "archive_applied",
	.audit = { "entity_management.create", 3004, 1 } };

static const struct op ARCHIVE_STEP = { .name = "archive_step",
	.audit = { "entity_management.create", 3004, 1 } };

static const struct arrival_reason STOPPED = {
	"stopped",
	"処理が止まりました。もう一度「取り込む」を選ぶと続きから始まります。くりかえす場合は運用担"
	"当者に連絡してください。",
	"It cannot go on. Applying again goes on from here; if it stops again, tell the operator."
};

enum err import_refuse(struct call *c, struct import *import, const struct import_place *place,
	const struct arrival_reason *reason)
{
	const char *pointer = place->pointer ? place->pointer : "";
	if (import->faults++ >= FAULTS_KEPT)
		return OK;
	return db_exec(c, FAULT_PUT,
		DB_ARGS(import->id, db_integer(c, import->faults), place->entry,
			db_integer(c, place->line), pointer, reason->code, reason->ja, reason->en));
}

/* ---- one import ---- */

static enum err on_import(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct import *import = arg;
	import->state = arena_strdup(c->arena, columns[0]);
	import->step = arena_strdup(c->arena, columns[1]);
	import->verifier = columns[2] ? arena_strdup(c->arena, columns[2]) : NULL;
	import->size = strtoll(columns[3], NULL, 10);
	import->entry = strtoll(columns[4], NULL, 10);
	import->position = strtoll(columns[5], NULL, 10);
	import->line = strtoll(columns[6], NULL, 10);
	import->manifest_line = strtoll(columns[7], NULL, 10);
	import->faults = strtoll(columns[8], NULL, 10);
	import->name = (struct media_name){ c->actor->tenant_id, import->id, NULL };
	return media_key_open(c, &import_key_kind, columns[9], &import->name.key);
}

static enum err save(struct call *c, const struct import *import)
{
	return db_exec(c, IMPORT_PUT,
		DB_ARGS(import->id, import->state, import->step, db_integer(c, import->entry),
			db_integer(c, import->position), db_integer(c, import->line),
			db_integer(c, import->manifest_line), db_integer(c, import->faults)));
}

/* One event for all that came in: which archive it was, by the hash of its manifest, and how far
 * its log went. The log itself stays with the archive: it is another tenant's, signed by others. */
static enum err finish(struct call *c, struct import *import)
{
	const char *event_id = uuid_make(c->arena);
	enum err e = media_store_remove(c, learning_media, &import->name);
	if (!e)
		e = db_text(c, APPLIED, DB_ARGS(import->id), &c->recorded);
	if (e)
		return e;
	c->op = &ARCHIVE_APPLIED;
	c->object_id = import->id;
	return outbox_audit(c, event_id, ocsf_line(c, event_id, clock_unix_ms()));
}

static bool is_at(const struct import *import, const char *step)
{
	return strcmp(import->step, step) == 0;
}

/* From the step that reserves until all lines are written, or until it has found a clash. */
static bool is_holding(const struct import *import)
{
	return strcmp(import->state, "applying") == 0 &&
		(is_at(import, "reserve") || is_at(import, "write"));
}

/* A part of a video is no event, its end is. */
static bool is_event(const struct import *before, const struct import *import)
{
	return (is_at(before, "write") || is_at(before, "videos")) &&
		(before->entry != import->entry || before->line != import->line);
}

static enum err run_step(struct call *c, struct import *import)
{
	enum err e = OK;
	if (is_at(import, "remove"))
		return finish(c, import);
	const struct import before = *import;
	if (is_at(import, "reserve") && import->entry == 0)
		e = import_hold(c, import->id, true);
	if (!e)
		e = is_at(import, "structure") ? import_structure(c, import)
					       : import_lines(c, import);
	if (!e && is_holding(&before) && !is_holding(import))
		e = import_hold(c, import->id, false);
	if (!e && is_event(&before, import))
		e = outbox_record(c, &ARCHIVE_STEP, import->id);
	return e ? e : save(c, import);
}

/* ---- going round ---- */

/* The import whose last part failed for a reason that will not pass. Only the one job thread comes
 * here. */
static char failed[UUID_SIZE];

static enum err stop(struct call *c, struct import *import)
{
	const struct import_place place = { .entry = "", .line = 0 };
	failed[0] = '\0';
	import->state = strcmp(import->state, "applying") == 0 ? "stopped" : "refused";
	enum err e = import_refuse(c, import, &place, &STOPPED);
	return e ? e : save(c, import);
}

static enum err take(struct call *c, const char *tenant_id, struct import *import)
{
	const char *is_ours;
	enum err e = service_enter_tenant(c, tenant_id);
	if (!e)
		e = db_text(c, LOCK, DB_ARGS(import->id), &is_ours);
	if (e || strcmp(is_ours, "true") != 0)
		return e;
	return db_each(c, IMPORT_GET, DB_ARGS(import->id), on_import, import);
}

static bool is_under_way(const struct import *import)
{
	return import->state &&
		(strcmp(import->state, "checking") == 0 || strcmp(import->state, "applying") == 0);
}

static enum err work_on(struct call *c, const char *tenant_id, struct import *import)
{
	enum err e = take(c, tenant_id, import);
	if (e || !is_under_way(import))
		return e;
	if (strcmp(failed, import->id) == 0)
		return stop(c, import);
	e = run_step(c, import);
	if (e && e != ERR_UNAVAILABLE)
		memcpy(failed, import->id, UUID_SIZE);
	return e;
}

struct turn {
	const char *tenant_id, *import_id;
};

static enum err on_next(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct turn *)arg = (struct turn){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]) };
	return OK;
}

enum err import_run(struct call *c, bool *more)
{
	static char last[UUID_SIZE] = NO_ID;
	struct turn turn = { NULL, NULL };
	enum err e = db_each(c, NEXT, DB_ARGS(last), on_next, &turn);
	if (e || !turn.import_id)
		return e;
	struct import import = { .id = turn.import_id };
	memcpy(last, turn.import_id, UUID_SIZE);
	e = work_on(c, turn.tenant_id, &import);
	*more = !e && import.state; /* another instance has it otherwise */
	return e;
}
