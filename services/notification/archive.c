/* What an archive of the tenant holds of announcements: those that it made itself. */
#include "libcommon/archive.h"
#include "libcommon/personal.h"
#include "services/notification/notification.h"

/* Row security shows the operator's announcements too: they are not the customer's. */
static const struct archived_type TYPES[] = {
	{ "announcement", &notification_archived_announcement_shape,
		"SELECT a.id, a.writer_id, " SEALED("a.id",
			"a.text") " AS text, a.audience,"
				  " tenancy.stamp(a.created_at) AS created_at, a.label FROM "
				  "notification.announcement a"
				  " WHERE a.tenant_id = tenancy.tenant() AND ($1::uuid IS "
				  "NULL OR a.id > $1::uuid)"
				  " ORDER BY a.id LIMIT $2::integer" },
};

enum err notification_archive_read(struct call *c, const struct notification_archive_read_in *in,
	struct common_archive_page *out)
{
	struct archived_lines lines;
	const struct archived_type *type = archived_type_find(TYPES, 1, in->type);
	enum err e = archive_lines(c, type, in->cursor, in->max, &lines);
	if (e)
		return e;
	out->lines.items = lines.items;
	out->lines.n = lines.n;
	out->next_cursor = lines.next_cursor;
	return OK;
}
