/* Notices: what happened that I should know, once per person, read or unread. */
#include <stdlib.h>

#include "events_proto.h"
#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/page.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/notification/notification.h"

static const char NOTICE_INSERT[] =
	"INSERT INTO notice (id, user_id, kind, assignment_id, try_id, position_ms)"
	" SELECT n.id, n.user_id, $3, $4::uuid, $5::uuid, $6::integer"
	" FROM (SELECT DISTINCT ON (g.user_id) g.id, g.user_id"
	"  FROM unnest($1::uuid[], $2::uuid[]) AS g (id, user_id) ORDER BY g.user_id) n"
	" WHERE NOT EXISTS (SELECT FROM shut s WHERE s.object_id IN ($4::uuid, $5::uuid)"
	"  AND n.user_id <> ALL (s.kept) AND NOT pg_visible_in_snapshot(s.xact, $7::pg_snapshot))";

/* A call that timed out at its sender may still run beside the next: one of them sees the other. */
static const char LOCK[] =
	"SELECT pg_advisory_xact_lock(hashtextextended('notice/' || tenancy.tenant(), 0))";

static const char SHUT_PUT[] = "INSERT INTO shut (object_id, xact, kept)"
			       " VALUES (coalesce($1::uuid, $2::uuid), $3::xid8, $4::uuid[])"
			       " ON CONFLICT DO NOTHING";
static const char SHUT_REMOVE[] = "DELETE FROM shut WHERE object_id = $1::uuid";

static const char OF_TRY_DELETE[] = "DELETE FROM notice WHERE try_id = $1::uuid";

static const char SHUT_DELETE[] =
	"DELETE FROM notice WHERE user_id <> ALL ($3::uuid[])"
	" AND CASE WHEN $1::uuid IS NULL THEN assignment_id = $2::uuid ELSE try_id = $1::uuid END";

static const char NOTICES[] =
	"SELECT id, kind, try_id, assignment_id, position_ms, read_at IS NOT NULL AS read,"
	" tenancy.stamp(created_at) AS created_at FROM notice WHERE user_id = $1::uuid"
	" AND ($2::uuid IS NULL OR id < $2::uuid)"
	" ORDER BY id DESC LIMIT $3::integer";

/* The contract's bound; nobody counts further. */
static const char UNREAD[] = "SELECT least(count(*), 1000000) AS unread_count FROM notice"
			     " WHERE user_id = $1::uuid AND read_at IS NULL";

static const char READ_ALL[] =
	"UPDATE notice SET read_at = now() WHERE user_id = $1::uuid AND read_at IS NULL";

static const char READ_SOME[] = "UPDATE notice SET read_at = now() WHERE user_id = $1::uuid"
				" AND read_at IS NULL AND id = ANY ($2::uuid[])";

enum err notice_count_unread(struct call *c, const struct shape *shape, void *out)
{
	return db_row(c, UNREAD, DB_ARGS(c->actor->user_id), shape, out);
}

enum err notification_notice_list(struct call *c, const struct notification_notice_list_in *in,
	struct notification_notice_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, NOTICES, DB_ARGS(c->actor->user_id, page.after[0], page.rows),
			&notification_notice_shape, &out->items);
	if (e)
		return e;
	if (page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return notice_count_unread(c, &notification_notice_list_out_shape, out);
}

enum err notification_notice_read(struct call *c, const struct notification_notice_read_in *in,
	struct notification_notice_read_out *out)
{
	const char *user_id = c->actor->user_id;
	enum err e = in->ids.n
		? db_later(c, READ_SOME,
			  DB_ARGS(user_id, db_text_array(c, in->ids.items, in->ids.n)))
		: db_later(c, READ_ALL, DB_ARGS(user_id));
	return e ? e : notice_count_unread(c, &notification_notice_read_out_shape, out);
}

/* ---- from events ---- */

static void add_users(struct buf *out, const char *const *users, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (out->data[out->n - 1] != '[')
			buf_char(out, ',');
		json_quote(out, users[i]);
	}
}

static void add_member(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_quote(out, value);
}

/* Whoever got a notice, and whoever only watches: their pages fetch anew. */
static void push_hint(struct call *c, const struct lesson_happened *lesson)
{
	struct buf out = { .arena = c->arena };
	buf_text(&out, "{\"tenant\":");
	json_quote(&out, c->actor->tenant_id);
	buf_text(&out, ",\"users\":[");
	add_users(&out, lesson->recipients.items, lesson->recipients.n);
	add_users(&out, lesson->watchers.items, lesson->watchers.n);
	buf_char(&out, ']');
	add_member(&out, "kind", lesson->kind);
	add_member(&out, "assignmentId", lesson->assignment_id);
	add_member(&out, "tryId", lesson->try_id);
	buf_char(&out, '}');
	call_push_after_commit(c, "notice", out.data);
}

enum err notice_add(struct call *c, const struct lesson_happened *lesson)
{
	size_t n = lesson->recipients.n;
	const char **ids = arena_array(c->arena, n, sizeof(*ids));
	for (size_t i = 0; i < n; i++)
		ids[i] = uuid_make(c->arena);
	const char *position = lesson->has_position_ms ? db_integer(c, lesson->position_ms) : NULL;
	push_hint(c, lesson);
	if (!n)
		return OK;
	enum err e = db_later(c, LOCK, DB_NONE);
	if (e)
		return e;
	return db_exec(c, NOTICE_INSERT,
		DB_ARGS(db_text_array(c, ids, n), db_text_array(c, lesson->recipients.items, n),
			lesson->kind, lesson->assignment_id, lesson->try_id, position,
			lesson->seen));
}

enum err notice_drop(struct call *c, const struct lesson_happened *lesson)
{
	push_hint(c, lesson);
	enum err e = db_later(c, SHUT_REMOVE, DB_ARGS(lesson->try_id));
	return e ? e : db_exec(c, OF_TRY_DELETE, DB_ARGS(lesson->try_id));
}

enum err notice_shut(struct call *c, const struct lesson_happened *lesson)
{
	const char *kept = db_text_array(c, lesson->recipients.items, lesson->recipients.n);
	enum err e = db_later(c, LOCK, DB_NONE);
	if (!e && lesson->xact)
		e = db_later(c, SHUT_PUT,
			DB_ARGS(lesson->try_id, lesson->assignment_id, lesson->xact, kept));
	if (e)
		return e;
	return db_exec(c, SHUT_DELETE, DB_ARGS(lesson->try_id, lesson->assignment_id, kept));
}
