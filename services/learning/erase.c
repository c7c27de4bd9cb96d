/*
 * The end of one pupil: the own tries with what was said about them, goals and videos.
 *
 * What is sealed for the pupil opens nowhere any more (libcommon/keyring_user.h); this is about the
 * rest, the videos first of all. What the pupil said about others' tries is theirs and stays. Files
 * go before the commit, as in media.c: an attempt that fails is made again by the relay. An export
 * of the tenant holds what the person wrote: it ends.
 */
#include "libcommon/db.h"
#include "services/learning/export.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/media_store.h"

/* What is the pupil's, children before parents. */
#define OF_TRIES_OF " WHERE try_id IN (SELECT t.id FROM learning.try t WHERE t.user_id = $1::uuid)"
#define STORE(name_, where_)                                                                       \
	{                                                                                          \
		"DELETE FROM learning." name_ where_,                                              \
			"SELECT 'learning." name_                                                  \
			"' AS store, count(*) AS rows FROM learning." name_ where_                 \
	}
static const struct {
	const char *remove, *count;
} STORES[] = {
	STORE("comment", OF_TRIES_OF),
	STORE("evaluation", OF_TRIES_OF),
	STORE("reflection", OF_TRIES_OF),
	STORE("try", " WHERE user_id = $1::uuid"),
	STORE("goal", " WHERE user_id = $1::uuid"),
};
#define STORES_N (sizeof(STORES) / sizeof(STORES[0]))

/* A teacher's are models, which units show. */
#define VIDEOS_OF " FROM learning.media WHERE uploader_id = $1::uuid AND uploader_role = 'student'"
static const char VIDEOS[] = "DELETE" VIDEOS_OF " RETURNING id";
static const char VIDEOS_COUNT[] = "SELECT 'learning.media' AS store, count(*) AS rows" VIDEOS_OF;

static enum err on_video(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct media_name name = { .tenant_id = c->actor->tenant_id, .media_id = columns[0] };
	return media_store_remove(c, learning_media, &name);
}

enum err videos_remove(struct call *c, const char *sql, struct db_args args)
{
	return db_each(c, sql, args, on_video, NULL);
}

enum err erase_pupil(struct call *c, const char *user_id, const char *time)
{
	enum err e = OK;
	for (size_t i = 0; i < STORES_N && !e; i++)
		e = db_exec(c, STORES[i].remove, DB_ARGS(user_id));
	if (!e)
		e = videos_remove(c, VIDEOS, DB_ARGS(user_id));
	if (!e)
		e = export_invalidate(c);
	return e ? e : import_forget(c, time);
}

enum err learning_user_rows(
	struct call *c, const struct learning_user_rows_in *in, struct common_user_rows *out)
{
	struct common_store_rows *rows = arena_array(c->arena, STORES_N + 1, sizeof(*rows));
	enum err e = OK;
	for (size_t i = 0; i <= STORES_N && !e; i++)
		e = db_row(c, i < STORES_N ? STORES[i].count : VIDEOS_COUNT, DB_ARGS(in->user_id),
			&common_store_rows_shape, &rows[i]);
	out->stores.items = rows;
	out->stores.n = STORES_N + 1;
	return e;
}
