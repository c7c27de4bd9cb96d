/*
 * Archives that an administrator sends: the upload (tus 1.0), the report, and the two words that
 * set the job to work. Operators have no part in it: they must not see what children made.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/note.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "provisioning_proto.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"
#include "services/learning/upload.h"

/* What nobody went on with for a week, and reports of what was applied after a month. */
#define ABANDONED_S (7 * 24 * 3600)
#define REPORTED_S (30 * 24 * 3600)

const struct personal_kind import_key_kind = { .domain = "media",
	.column = "archive_import.sealed_key" };

static const struct problem import_exists = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "import_exists",
	.ja = "ほかのアーカイブを取り込み中です。終えるか、削除してからにしてください。",
	.en = "Another archive is being taken in: finish or remove it first.",
};

static const struct problem wrong_state = {
	.err = ERR_CONFLICT,
	.status = 409,
	.code = "import_wrong_state",
	.ja = "この取り込みでは、いまはできません。",
	.en = "The import is not in a state for this.",
};

static const char CREATE_LOCK[] =
	"SELECT pg_advisory_xact_lock(hashtextextended('imports/' || $1::text, 0))";

static const char IMPORT_CREATE[] =
	"INSERT INTO learning.archive_import (id, created_by, size, sealed_key)"
	" SELECT $1::uuid, $2::uuid, $3::bigint, $4 WHERE NOT EXISTS"
	" (SELECT FROM learning.archive_import i WHERE i.state <> 'applied')";

/* Any administrator of the contract may go on with it. */
#define UPLOAD_COLUMNS                                                                             \
	"SELECT i.size, i.received, NULL, " SEALED(                                                \
		"i.id", "i.sealed_key") " FROM learning.archive_import i"                          \
					" WHERE i.id = $1::uuid AND $2::uuid IS NOT NULL"

static const char UPLOAD_GET[] = UPLOAD_COLUMNS;
static const char UPLOAD_LOCK[] = UPLOAD_COLUMNS " FOR UPDATE";

static const char UPLOAD_MOVE[] =
	"UPDATE learning.archive_import SET received = $2::bigint, changed_at = now(),"
	" state = CASE WHEN $2::bigint = size THEN 'uploaded' ELSE state END WHERE id = $1::uuid";

#define STATE_COLUMNS "i.id, i.state, i.size, i.received, tenancy.stamp(i.created_at) AS created_at"

static const char IMPORT_LIST[] =
	"SELECT " STATE_COLUMNS " FROM learning.archive_import i ORDER BY i.id DESC LIMIT 100";

/* Checking is two steps, of which the second passes over the videos; so does the first of applying.
 */
static const char IMPORT_GET[] =
	"SELECT " STATE_COLUMNS ", tenancy.stamp(i.applied_at) AS applied_at, i.signature,"
	" i.source_tenant_id, i.source_log, i.made_at, i.manifest_hash, i.faults AS fault_count,"
	" CASE i.state WHEN 'uploading' THEN i.received * 100 / i.size"
	"  WHEN 'checking' THEN CASE i.step WHEN 'structure' THEN at.bytes * 90 / i.size"
	"   ELSE 90 + at.bytes * 10 / i.size END"
	"  WHEN 'applying' THEN CASE i.step WHEN 'reserve' THEN at.bytes * 10 / i.size"
	"   ELSE 10 + at.bytes * 90 / i.size END ELSE 100 END AS done,"
	" (SELECT coalesce(json_agg(json_build_object('type', n.type, 'lines', n.lines,"
	"   'written', n.written) ORDER BY n.type), '[]') FROM learning.archive_count n"
	"  WHERE n.tenant_id = i.tenant_id AND n.import_id = i.id) AS counts,"
	" (SELECT coalesce(json_agg(json_strip_nulls(json_build_object('entry', f.entry,"
	"   'line', f.line, 'pointer', f.pointer, 'code', f.code,"
	"   'detail', CASE WHEN $2::boolean THEN f.en ELSE f.ja END)) ORDER BY f.number), '[]')"
	"  FROM learning.archive_fault f"
	"  WHERE f.tenant_id = i.tenant_id AND f.import_id = i.id) AS faults"
	" FROM learning.archive_import i,"
	" LATERAL (SELECT least(greatest(i.entry, i.position), i.size) AS bytes) at"
	" WHERE i.id = $1::uuid";

static const char STATE_LOCK[] =
	"SELECT state FROM learning.archive_import WHERE id = $1::uuid FOR UPDATE";

static const char IMPORT_DELETE[] = "DELETE FROM learning.archive_import WHERE id = $1::uuid";

/* All of the last check goes; the archive itself has not changed. */
static const char FAULTS_CLEAR[] = "DELETE FROM learning.archive_fault WHERE import_id = $1::uuid";
static const char COUNTS_CLEAR[] = "DELETE FROM learning.archive_count WHERE import_id = $1::uuid";
static const char REFERENCES_CLEAR[] =
	"DELETE FROM learning.archive_reference WHERE import_id = $1::uuid";

static const char CHECK_BEGIN[] =
	"UPDATE learning.archive_import SET state = 'checking', step = 'structure', entry = 0,"
	" position = 0, line = 0, manifest_line = 0, faults = 0, verifier = $2,"
	" manifest_hash = NULL, signature = NULL, source_tenant_id = NULL, source_log = NULL,"
	" made_at = NULL, checkpoint = NULL, changed_at = now() WHERE id = $1::uuid";

/* From the beginning after a check, from where it stopped otherwise. */
static const char APPLY_BEGIN[] =
	"UPDATE learning.archive_import SET state = 'applying',"
	" entry = CASE state WHEN 'checked' THEN 0 ELSE entry END,"
	" position = CASE state WHEN 'checked' THEN 512 ELSE position END,"
	" line = CASE state WHEN 'checked' THEN 0 ELSE line END,"
	" step = CASE state WHEN 'checked' THEN 'reserve' ELSE step END,"
	" faults = 0, changed_at = now() WHERE id = $1::uuid";

static const char ABANDONED[] =
	"DELETE FROM learning.archive_import WHERE state NOT IN ('checking', 'applying')"
	" AND changed_at < now() - make_interval(secs => CASE state WHEN 'applied'"
	" THEN $2::integer ELSE $1::integer END) RETURNING id, state";

/* Times of events are cut to a millisecond. */
static const char FORGOTTEN[] =
	"DELETE FROM learning.archive_import WHERE state NOT IN ('applying', 'stopped', 'applied')"
	" AND created_at < $1::timestamptz + interval '1 millisecond' RETURNING id";

static struct media_name name_of(const struct call *c, const char *import_id)
{
	return (struct media_name){ .tenant_id = c->actor->tenant_id, .media_id = import_id };
}

/* ---- tus ---- */

enum err learning_import_create(struct call *c, const struct learning_import_create_in *in,
	struct learning_import_create_out *out)
{
	int64_t made;
	const char *sealed_key, *id = uuid_make(c->arena);
	const struct media_name name = name_of(c, id);
	c->object_id = id;
	enum err e = media_key_make(
		c, &import_key_kind, &(struct personal_place){ .row_id = id }, &sealed_key);
	if (!e)
		e = db_later(c, CREATE_LOCK, DB_ARGS(c->actor->tenant_id));
	if (!e)
		e = db_count(c, IMPORT_CREATE,
			DB_ARGS(id, c->actor->user_id, db_integer(c, in->upload_length),
				sealed_key),
			&made);
	if (e)
		return e;
	if (made == 0)
		return fail_as(c, &import_exists);
	out->location = arena_printf(c->arena, "/v1/imports/%s", id);
	out->tus_resumable = TUS;
	return media_store_create(c, learning_media, &name);
}

enum err learning_import_head(struct call *c, const struct learning_import_head_in *in,
	struct learning_import_head_out *out)
{
	struct upload upload = { 0 };
	enum err e = upload_find(c, UPLOAD_GET, DB_ARGS(in->import_id, c->actor->user_id), &upload);
	if (e)
		return e;
	out->upload_offset = db_integer(c, upload.received);
	out->upload_length = db_integer(c, upload.size);
	out->tus_resumable = TUS;
	return OK;
}

enum err learning_import_append(struct call *c, const struct learning_import_append_in *in,
	struct learning_import_append_out *out)
{
	auto_media_lock lock = -1;
	struct upload upload = { 0 };
	struct media_name name = name_of(c, in->import_id);
	const struct upload_rows rows = { UPLOAD_GET, UPLOAD_LOCK };
	enum err e = upload_lock(c, &rows, &name, &lock, &upload);
	if (!e)
		e = media_key_open(c, &import_key_kind, upload.sealed_key, &name.key);
	if (e)
		return e;
	const struct media_part part = { .offset = in->upload_offset + c->window.offset,
		.size = upload.size,
		.data = in->body };
	e = upload_check(c, &upload, &part);
	if (!e)
		e = media_store_append(c, learning_media, &name, &part);
	if (e)
		return e;
	out->upload_offset = db_integer(c, part.offset + (int64_t)part.data.n);
	out->tus_resumable = TUS;
	return db_exec(c, UPLOAD_MOVE, DB_ARGS(in->import_id, out->upload_offset));
}

/* ---- what it is about ---- */

enum err learning_import_list(struct call *c, struct learning_import_list_out *out)
{
	return db_rows(c, IMPORT_LIST, DB_NONE, &learning_import_state_shape, &out->items);
}

enum err learning_import_get(
	struct call *c, const struct learning_import_get_in *in, struct learning_import *out)
{
	return db_row(c, IMPORT_GET, DB_ARGS(in->import_id, db_boolean(c->language == LANGUAGE_EN)),
		&learning_import_shape, out);
}

/* ---- its states ---- */

/* The row is locked until the end of the transaction. */
static enum err require_state(
	struct call *c, const char *id, const char *const *states, const char **state)
{
	enum err e = db_text(c, STATE_LOCK, DB_ARGS(id), state);
	if (e)
		return e;
	for (; *states; states++)
		if (strcmp(*state, *states) == 0)
			return OK;
	return fail_with(c, &wrong_state, "%s", *state);
}

enum err import_hold(struct call *c, const char *import_id, bool held)
{
	return provisioning_roster_hold_put_call(c,
		&(struct provisioning_roster_hold_put_in){ .import_id = import_id, .held = held });
}

/* One that stopped half way may hold the roster still; no other does. */
static enum err let_go(struct call *c, const char *id, const char *state)
{
	return strcmp(state, "stopped") == 0 ? import_hold(c, id, false) : OK;
}

enum err learning_import_delete(struct call *c, const struct learning_import_delete_in *in,
	struct learning_import_delete_out *out)
{
	static const char *const states[] = { "uploading", "uploaded", "refused", "checked",
		"stopped", "applied", NULL };
	const struct media_name name = name_of(c, in->import_id);
	const char *state;
	enum err e = require_state(c, in->import_id, states, &state);
	if (!e)
		e = let_go(c, in->import_id, state);
	if (!e)
		e = db_exec_one(c, IMPORT_DELETE, DB_ARGS(in->import_id));
	out->tus_resumable = TUS;
	return e ? e : media_store_remove(c, learning_media, &name);
}

static enum err check_verifier(struct call *c, const char *text)
{
	struct note_verifier verifier;
	if (!text || !note_verifier_read(c->arena, text, &verifier))
		return OK;
	return fail_field(c, "/verifierKey", "操作記録の検証鍵の形ではありません。",
		"is no verifier key of a log");
}

enum err learning_import_check(struct call *c, const struct learning_import_check_in *in)
{
	static const char *const states[] = { "uploaded", "refused", "checked", NULL };
	const char *state;
	enum err e = require_state(c, in->import_id, states, &state);
	if (!e)
		e = check_verifier(c, in->verifier_key);
	if (!e)
		e = db_later(c, FAULTS_CLEAR, DB_ARGS(in->import_id));
	if (!e)
		e = db_later(c, COUNTS_CLEAR, DB_ARGS(in->import_id));
	if (!e)
		e = db_later(c, REFERENCES_CLEAR, DB_ARGS(in->import_id));
	return e ? e : db_exec(c, CHECK_BEGIN, DB_ARGS(in->import_id, in->verifier_key));
}

enum err learning_import_apply(struct call *c, const struct learning_import_apply_in *in)
{
	static const char *const states[] = { "checked", "stopped", NULL };
	const char *state;
	enum err e = require_state(c, in->import_id, states, &state);
	if (!e)
		e = db_later(c, FAULTS_CLEAR, DB_ARGS(in->import_id));
	return e ? e : db_exec(c, APPLY_BEGIN, DB_ARGS(in->import_id));
}

/* ---- cleaning ---- */

/* What the log calls it. */
static const struct op ARCHIVE_EXPIRE = { .name = "archive_expire",
	.audit = { "entity_management.delete", 3004, 4 } };

static enum err on_abandoned(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(bool *)arg = true;
	return let_go(c, columns[0], columns[1]);
}

enum err import_clean(struct call *c)
{
	bool is_any = false;
	enum err e = db_each(c, ABANDONED,
		DB_ARGS(db_integer(c, ABANDONED_S), db_integer(c, REPORTED_S)), on_abandoned,
		&is_any);
	return e || !is_any ? e : outbox_record(c, &ARCHIVE_EXPIRE, NULL);
}

static enum err on_forgotten(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct media_name name = name_of(c, columns[0]);
	return media_store_remove(c, learning_media, &name);
}

enum err import_forget(struct call *c, const char *time)
{
	return db_each(c, FORGOTTEN, DB_ARGS(time), on_forgotten, NULL);
}
