/*
 * What pupils made and a contract has kept long enough: counted, and removed a part at a time as if
 * somebody had deleted it. provisioning says what that is (services/provisioning/retention.c); here
 * is only where it lies. A try goes by its own class, raised or not, and everything with it.
 *
 * Each removal is an event, of the class of what went. Files go before the commit, as in erase.c:
 * a part that fails, or that a crash cuts off, is done again.
 */
#include <string.h>

#include "libcommon/label.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "services/learning/export.h"
#include "services/learning/learning.h"

#define COUNT_MAX "100000" /* of common.yaml */
#define PART_MAX 50 /* some tenths of a second, with as many files and events */

/* What nobody touched since then, and for a month at least whatever is asked. While an archive
 * comes in what it brings is old, and more of it refers to it. */
#define OVER                                                                                       \
	" FROM learning.kept_record k WHERE k.label = $1 AND k.begun_at < $2::timestamptz"         \
	" AND k.changed_at < $2::timestamptz"
static const char COUNT[] =
	"SELECT count(*) AS count FROM (SELECT k.id" OVER " LIMIT " COUNT_MAX ") k";
static const char FIND[] = "SELECT k.kind, k.id, k.user_id, k.assignment_id, k.media_id" OVER
			   " AND k.changed_at < now() - interval '30 days'"
			   " AND NOT EXISTS (SELECT FROM learning.archive_import"
			   "  WHERE state IN ('applying', 'stopped')) LIMIT $3::integer";

/* Nobody raises, comments or evaluates behind this; what somebody did just before has saved it. */
static const char TRIES_LOCK[] =
	"SELECT t.id FROM learning.try t WHERE t.id = ANY ($1::uuid[]) FOR UPDATE";
static const char STILL_OVER[] = "SELECT k.id" OVER " AND k.id = ANY ($3::uuid[])";

#define OF_TRIES " WHERE try_id = ANY ($1::uuid[])"

/* Children before parents. */
static const char *const OF_TRIES_DELETE[] = {
	"DELETE FROM learning.comment" OF_TRIES,
	"DELETE FROM learning.evaluation" OF_TRIES,
	"DELETE FROM learning.reflection" OF_TRIES,
	"DELETE FROM learning.try WHERE id = ANY ($1::uuid[])",
};
static const char GOALS_DELETE[] = "DELETE FROM learning.goal WHERE id = ANY ($1::uuid[])";
static const char VIDEOS_DELETE[] =
	"DELETE FROM learning.media WHERE id = ANY ($1::uuid[]) RETURNING id";

/* What the log calls it. */
static const struct op RECORD_EXPIRE = { .name = "record_expire",
	.label = LABEL_III,
	.audit = { "entity_management.delete", 3004, 4 } };

struct kept {
	const char *kind, *id, *user_id, *assignment_id, *media_id;
	bool stays; /* until it is known, with a lock on it, that it is still over */
};

struct part {
	struct kept items[PART_MAX];
	size_t n;
};

static bool is_try(const struct kept *kept)
{
	return strcmp(kept->kind, "try") == 0;
}

static const char *copy(struct call *c, const char *text)
{
	return text ? arena_strdup(c->arena, text) : NULL;
}

static enum err on_kept(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct part *part = arg;
	part->items[part->n++] = (struct kept){ arena_strdup(c->arena, columns[0]),
		arena_strdup(c->arena, columns[1]), copy(c, columns[2]), copy(c, columns[3]),
		copy(c, columns[4]), true };
	return OK;
}

static enum err on_still_over(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct part *part = arg;
	for (size_t i = 0; i < part->n; i++)
		if (strcmp(part->items[i].id, columns[0]) == 0)
			part->items[i].stays = false;
	return OK;
}

static enum err lock_part(
	struct call *c, const struct learning_retention_step_in *in, struct part *part)
{
	const char *items[PART_MAX];
	for (size_t i = 0; i < part->n; i++)
		items[i] = part->items[i].id;
	const char *ids = db_text_array(c, items, part->n);
	enum err e = db_later(c, TRIES_LOCK, DB_ARGS(ids));
	return e ? e
		 : db_each(c, STILL_OVER, DB_ARGS(in->label, in->before, ids), on_still_over, part);
}

/* Ids of what goes: of things of a kind, or (NULL) of all videos. */
static const char *ids_of(struct call *c, const struct part *part, const char *kind)
{
	const char *ids[PART_MAX];
	size_t n = 0;
	for (size_t i = 0; i < part->n; i++) {
		const struct kept *kept = &part->items[i];
		const char *id = kind ? kept->id : kept->media_id;
		if (!kept->stays && id && (!kind || strcmp(kept->kind, kind) == 0))
			ids[n++] = id;
	}
	return db_text_array(c, ids, n);
}

static enum err remove_rows(struct call *c, const struct part *part)
{
	const char *tries = ids_of(c, part, "try");
	enum err e = OK;
	for (size_t i = 0; i < sizeof(OF_TRIES_DELETE) / sizeof(*OF_TRIES_DELETE) && !e; i++)
		e = db_later(c, OF_TRIES_DELETE[i], DB_ARGS(tries));
	if (!e)
		e = db_later(c, GOALS_DELETE, DB_ARGS(ids_of(c, part, "goal")));
	return e ? e : videos_remove(c, VIDEOS_DELETE, DB_ARGS(ids_of(c, part, NULL)));
}

/* Open pages look again, and notices about the try go. */
static enum err tell(struct call *c, const struct kept *kept)
{
	const struct lesson lesson = { .kind = "removal",
		.assignment_id = kept->assignment_id,
		.try_id = kept->id,
		.pupil_id = kept->user_id,
		.watchers = AUDIENCE_TEACHERS };
	return is_try(kept) ? event_lesson(c, &lesson) : OK;
}

/* The operation is the skeleton's again when all is recorded. */
static enum err record(struct call *c, const struct part *part, const char *before)
{
	const struct op *op = c->op;
	enum err e = OK;
	for (size_t i = 0; i < part->n && !e; i++) {
		const struct kept *kept = &part->items[i];
		if (kept->stays)
			continue;
		c->recorded = arena_printf(c->arena, "{\"kind\":\"%s\",\"unchangedSince\":\"%s\"}",
			kept->kind, before);
		e = outbox_record(c, &RECORD_EXPIRE, kept->id);
		if (!e)
			e = tell(c, kept);
	}
	c->op = op;
	return e;
}

enum err learning_retention_step(struct call *c, const struct learning_retention_step_in *in,
	struct common_retention_step *out)
{
	struct part part = { .n = 0 };
	enum err e = db_each(
		c, FIND, DB_ARGS(in->label, in->before, db_integer(c, PART_MAX)), on_kept, &part);
	if (e || part.n == 0)
		return e;
	out->more = true;
	c->label = label_from_name(in->label);
	e = lock_part(c, in, &part);
	if (!e)
		e = remove_rows(c, &part);
	if (!e)
		e = record(c, &part, in->before);
	return e ? e : export_invalidate(c);
}

enum err learning_retention_count(struct call *c, const struct learning_retention_count_in *in,
	struct common_retention_count *out)
{
	return db_row(c, COUNT, DB_ARGS(in->label, in->before), &common_retention_count_shape, out);
}
