/*
 * How long events are kept, by the class of what they are about. What is older goes by tiles of
 * 256, in the database (migrations/): the hashes stay, so the tree can be verified as before, and
 * only the lines cannot be read any more.
 */
#include <stdlib.h>

#include "libcommon/db.h"
#include "libcommon/log.h"
#include "services/audit/audit.h"

#define TILES_MAX 32 /* a turn; locks as many logs for some milliseconds */

static const char PRUNE[] = "SELECT audit.prune($1::integer[], $2::integer)";
static const char PRUNED[] = "SELECT audit.pruned()";

static const struct problem TOO_OLD = { ERR_NOT_FOUND, 410, "log_too_old",
	"この範囲の記録は保存期間を過ぎたため、残っていません。",
	"These records are older than records are kept." };

struct retention retention;

/* Days by class, from I to IV, as PostgreSQL writes an array. */
static const char *days_by_class(struct call *c)
{
	struct buf out = { .arena = c->arena };
	for (size_t i = 0; i < 3; i++) {
		int64_t days = retention.class_days[i];
		buf_printf(&out, "%c%lld", i ? ',' : '{',
			(long long)(days > retention.days ? days : retention.days));
	}
	buf_printf(&out, ",%lld}", (long long)retention.days);
	return out.data;
}

enum err retention_run(struct call *c, bool *more)
{
	const char *gone;
	enum err e = db_text(c, PRUNE, DB_ARGS(days_by_class(c), db_integer(c, TILES_MAX)), &gone);
	if (e)
		return e;
	*more = strtoll(gone, NULL, 10) > 0;
	if (*more)
		log_event(LOG_LEVEL_INFO, "old events removed", LOG_TEXT("tiles", gone));
	return OK;
}

enum err retention_first(struct call *c, int64_t *first)
{
	const char *pruned;
	enum err e = db_text(c, PRUNED, DB_NONE, &pruned);
	if (!e)
		*first = strtoll(pruned, NULL, 10);
	return e;
}

enum err retention_check(struct call *c, int64_t first)
{
	int64_t kept;
	enum err e = retention_first(c, &kept);
	return !e && first < kept ? fail_as(c, &TOO_OLD) : e;
}
