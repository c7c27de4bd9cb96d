/*
 * Announcements: from the operator to everyone, from a contractor to the own contract.
 *
 * The tenant of the writer is the reach: row security lets a tenant read its own rows and the
 * operator's. The audience narrows it to a role, and a class from II on to the staff; writers see
 * what they wrote.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/json.h"
#include "libcommon/label.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/notification/notification.h"

#define COLUMNS                                                                                    \
	"id, " SEALED_OF(                                                                          \
		"tenant_id", "id", "text") " AS text, audience,"                                   \
					   " tenant_id = '" OPERATOR_TENANT "' AS from_operator,"  \
					   " tenancy.stamp(created_at) AS created_at, label"

static const char ANNOUNCEMENT_INSERT[] =
	"INSERT INTO announcement (id, writer_id, text, audience, label)"
	" VALUES ($1::uuid, $2::uuid, $3, $4, $5) RETURNING " COLUMNS;

/* Only of the own tenant: row security lets nobody lock or change what the operator wrote. */
static const char LABEL_GET[] = "SELECT label FROM announcement WHERE id = $1::uuid FOR UPDATE";
static const char LABEL_PUT[] =
	"UPDATE announcement SET label = $2 WHERE id = $1::uuid RETURNING " COLUMNS;

static const char ANNOUNCEMENTS[] = "SELECT " COLUMNS " FROM announcement"
				    " WHERE (audience IN ('everyone', $1) OR writer_id = $2::uuid)"
				    " AND ($1 <> 'student' OR label IS NULL OR label > 'II')"
				    " AND ($3::uuid IS NULL OR id < $3::uuid)"
				    " ORDER BY id DESC LIMIT $4::integer";

void announcement_hint(struct call *c, const char *id, const char *audience, const char *label)
{
	struct buf out = { .arena = c->arena };
	buf_text(&out, "{\"tenant\":");
	if (strcmp(c->actor->tenant_id, OPERATOR_TENANT) == 0)
		buf_text(&out, "null");
	else
		json_quote(&out, c->actor->tenant_id);
	buf_text(&out, ",\"audience\":");
	json_quote(&out, audience);
	if (label_is_for_pupils(label_from_name(label))) {
		buf_text(&out, ",\"announcementId\":");
		json_quote(&out, id);
	}
	buf_char(&out, '}');
	call_push_after_commit(c, "announcement", out.data);
}

enum err notification_announcement_create(struct call *c,
	const struct notification_announcement_create_in *in, struct notification_announcement *out)
{
	c->object_id = uuid_make(c->arena);
	const struct personal parts[] = { in->title, in->body };
	const char *text;
	enum err e = personal_seal_parts(
		c, &(struct personal_place){ .row_id = c->object_id }, parts, 2, &text);
	if (!e)
		e = db_row(c, ANNOUNCEMENT_INSERT,
			DB_ARGS(c->object_id, c->actor->user_id, text, in->audience, in->label),
			&notification_announcement_shape, out);
	if (!e)
		announcement_hint(c, out->id, out->audience, out->label);
	return e;
}

/* Open pages look again, and lose what is no longer for them. */
enum err notification_announcement_label_put(struct call *c,
	const struct notification_announcement_label_put_in *in,
	struct notification_announcement *out)
{
	const char *raised;
	struct label_change change = { .of_type = notification_announcement_shape.label,
		.to = label_from_name(in->label),
		.reason = in->reason };
	enum err e = label_change_row(c, LABEL_GET, in->announcement_id, &change, &raised);
	if (!e)
		e = db_row(c, LABEL_PUT, DB_ARGS(in->announcement_id, raised),
			&notification_announcement_shape, out);
	if (!e)
		announcement_hint(c, out->id, out->audience, out->label);
	return e;
}

enum err announcements_read(struct call *c, const struct page *page, void *list)
{
	return db_rows(c, ANNOUNCEMENTS,
		DB_ARGS(role_name(c->actor->role), c->actor->user_id, page->after[0], page->rows),
		&notification_announcement_shape, list);
}

enum err notification_announcement_list(struct call *c,
	const struct notification_announcement_list_in *in,
	struct notification_announcement_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = announcements_read(c, &page, &out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return e;
}
