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

#define OF_TRIES_OF " WHERE try_id IN (SELECT t.id FROM learning.try t WHERE t.user_id = $1::uuid)"

/* Children before parents. */
static const char *const ROWS[] = {
	"DELETE FROM learning.comment" OF_TRIES_OF,
	"DELETE FROM learning.evaluation" OF_TRIES_OF,
	"DELETE FROM learning.reflection" OF_TRIES_OF,
	"DELETE FROM learning.try WHERE user_id = $1::uuid",
	"DELETE FROM learning.goal WHERE user_id = $1::uuid",
};

/* A teacher's are models, which units show. */
static const char VIDEOS[] = "DELETE FROM learning.media WHERE uploader_id = $1::uuid"
			     " AND uploader_role = 'student' RETURNING id";

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
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]) && !e; i++)
		e = db_exec(c, ROWS[i], DB_ARGS(user_id));
	if (!e)
		e = videos_remove(c, VIDEOS, DB_ARGS(user_id));
	if (!e)
		e = export_invalidate(c);
	return e ? e : import_forget(c, time);
}
