/* Exports as their operations: asked for, listed, deleted, ended. */
#include "services/learning/export.h"

#include "learning_proto.h"
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/learning/learning.h"
#include "services/learning/media_key.h"
#include "services/learning/media_store.h"

static const struct problem EXPORT_EXISTS = { ERR_CONFLICT, 409, "export_exists",
	"書き出したデータがすでにあります。先に削除してください。",
	"There is an export already. Delete it first." };

#define STEPS_TEXT "28" /* sections, hashes, the manifest */

#define COLUMNS                                                                                    \
	"id, state, requested_by, tenancy.stamp(requested_at) AS requested_at,"                    \
	" CASE state WHEN 'ready' THEN " STEPS_TEXT " ELSE step END AS step,"                      \
	" " STEPS_TEXT " AS steps, videos, videos_hashed AS videos_done,"                          \
	" size, tenancy.stamp(ready_at) AS ready_at, tenancy.stamp(expires_at) AS expires_at"

static const char CREATE[] = "INSERT INTO learning.export (id, requested_by, sealed_key)"
			     " VALUES ($1::uuid, $2::uuid, $3) RETURNING " COLUMNS;
static const char LIST[] = "SELECT " COLUMNS " FROM learning.export ORDER BY id DESC LIMIT 20";
static const char INVALID_DELETE[] = "DELETE FROM learning.export WHERE state = 'invalid'";
static const char DELETE[] = "DELETE FROM learning.export WHERE id = $1::uuid";
static const char END[] = "UPDATE learning.export SET state = 'invalid', manifest = NULL"
			  " WHERE state <> 'invalid' RETURNING id";
static const char SECTIONS_DELETE[] = "DELETE FROM learning.export_section";
static const char VIDEOS_DELETE[] = "DELETE FROM learning.export_video";

const char *export_line(struct call *c, const char *sha256, int64_t size, const char *name)
{
	return arena_printf(c->arena, "%s %lld %s\n", sha256, (long long)size, name);
}

const char *export_video_name(struct call *c, const char *media_id)
{
	return arena_printf(c->arena, "media/%s", media_id);
}

/* The export that an erasure ended is told of until there is a new one. */
enum err learning_export_create(struct call *c, struct learning_export *out)
{
	const char *sealed_key;
	c->object_id = uuid_make(c->arena);
	const struct media_name name = { .tenant_id = c->actor->tenant_id,
		.media_id = c->object_id };
	enum err e = media_key_make(c, &media_key_kind,
		&(struct personal_place){ .row_id = c->object_id }, &sealed_key);
	if (!e)
		e = db_exec(c, INVALID_DELETE, DB_NONE);
	if (!e)
		e = db_row(c, CREATE, DB_ARGS(c->object_id, c->actor->user_id, sealed_key),
			&learning_export_shape, out);
	if (e == ERR_CONFLICT)
		return fail_as(c, &EXPORT_EXISTS);
	return e ? e : media_store_create(c, learning_media, &name);
}

enum err learning_export_list(struct call *c, struct learning_export_list_out *out)
{
	return db_rows(c, LIST, DB_NONE, &learning_export_shape, &out->items);
}

/* The row first: the job, which locks it before it writes, writes no more behind this. */
enum err learning_export_delete(struct call *c, const struct learning_export_delete_in *in)
{
	const struct media_name name = { .tenant_id = c->actor->tenant_id,
		.media_id = in->export_id };
	enum err e = db_exec_one(c, DELETE, DB_ARGS(in->export_id));
	return e ? e : media_store_remove(c, learning_media, &name);
}

static enum err on_ended(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct media_name name = { .tenant_id = c->actor->tenant_id, .media_id = columns[0] };
	return media_store_remove(c, learning_media, &name);
}

enum err export_invalidate(struct call *c)
{
	enum err e = db_each(c, END, DB_NONE, on_ended, NULL);
	if (!e)
		e = db_exec(c, SECTIONS_DELETE, DB_NONE);
	return e ? e : db_exec(c, VIDEOS_DELETE, DB_NONE);
}
