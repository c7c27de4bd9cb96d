/* Announcements of an archive on their way in (libcommon/arrival.h). Nobody is told of them: they
 * are old. */
#include "libcommon/arrival.h"

#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "services/notification/notification.h"

static const char ANNOUNCEMENT_PUT[] =
	"INSERT INTO announcement (id, writer_id, text, audience, created_at, label)"
	" VALUES ($1::uuid, $2::uuid, $3, $4, $5::timestamptz, $6)"
	" ON CONFLICT (tenant_id, id) DO NOTHING";

static const struct arrival_clash CLASHES[] = {
	ARRIVAL_ID_CLASH("announcement", "id"),
	{ 0 },
};

static enum err put(struct call *c, const struct arrivals *arrivals)
{
	enum err e = OK;
	for (size_t i = 0; i < arrivals->n && !e; i++) {
		const struct notification_archived_announcement *row = arrival_at(arrivals, i);
		const struct personal parts[] = { row->title, row->body };
		const char *text;
		e = personal_seal_parts(
			c, &(struct personal_place){ .row_id = row->id }, parts, 2, &text);
		if (!e)
			e = db_later(c, ANNOUNCEMENT_PUT,
				DB_ARGS(row->id, row->writer_id, text, row->audience,
					row->created_at, row->label));
	}
	return e;
}

static const struct arrival_type TYPES[] = {
	{ "announcement", &notification_archived_announcement_shape, CLASHES, put, NULL },
};

enum err notification_archive_write(struct call *c, const struct notification_archive_write_in *in,
	struct common_archive_faults *out)
{
	const struct arrival_lines lines = { in->type, in->lines.items, in->lines.n, in->check };
	struct arrivals arrivals;
	enum err e = arrivals_take(c, TYPES, sizeof(TYPES) / sizeof(*TYPES), &lines, &arrivals);
	return e ? e : arrivals_tell(&arrivals, &common_archive_fault_shape, &out->faults);
}
