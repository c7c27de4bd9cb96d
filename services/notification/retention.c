/*
 * Announcements and notices that a contract has kept long enough: counted, and removed a part at a
 * time. provisioning says what that is (services/provisioning/retention.c). An announcement goes by
 * its own class, raised or not; the operator's are not the contract's to remove.
 *
 * Each removal of an announcement is an event, of its class; notices, which hold ids alone, are
 * many and share one.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/label.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "services/notification/notification.h"

#define ANNOUNCEMENTS_MAX 50 /* of a part: as many events */
#define NOTICES_MAX 1000 /* of a part: some hundredths of a second */

#define COUNT_MAX "100000" /* of common.yaml */

/* A month at least whatever is asked. */
#define BEFORE "least($2::timestamptz, now() - interval '30 days')"

#define ANNOUNCEMENTS_OLD                                                                          \
	" FROM announcement WHERE tenant_id = (SELECT tenancy.tenant())"                           \
	" AND coalesce(label, 'IV') = $1 AND created_at < "
static const char ANNOUNCEMENTS_COUNT[] =
	"SELECT count(*) AS count FROM (SELECT id" ANNOUNCEMENTS_OLD
	"$2::timestamptz LIMIT " COUNT_MAX ") a";
static const char ANNOUNCEMENTS_DELETE[] =
	"DELETE FROM announcement WHERE id IN (SELECT id" ANNOUNCEMENTS_OLD BEFORE
	" LIMIT $3::integer FOR UPDATE) RETURNING id, audience";

/* $1: every notice is of class IV. */
static const char NOTICES_COUNT[] =
	"SELECT count(*) AS count FROM (SELECT id FROM notice"
	" WHERE $1 = 'IV' AND created_at < $2::timestamptz LIMIT " COUNT_MAX ") n";
static const char NOTICES_DELETE[] =
	"DELETE FROM notice WHERE id IN (SELECT id FROM notice"
	" WHERE $1 = 'IV' AND created_at < " BEFORE " LIMIT $3::integer)";

/* What the log calls it. */
static const struct op ANNOUNCEMENT_EXPIRE = { .name = "announcement_expire",
	.label = LABEL_IV,
	.audit = { "entity_management.delete", 3004, 4 } };
static const struct op NOTICE_EXPIRE = {
	.name = "notice_expire", .label = LABEL_IV, .audit = { "entity_management.delete", 3004, 4 }
};

/* Announcements that are gone. */
struct gone {
	const char *ids[ANNOUNCEMENTS_MAX], *audiences[ANNOUNCEMENTS_MAX];
	size_t n;
};

static enum err on_gone(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct gone *gone = arg;
	gone->ids[gone->n] = arena_strdup(c->arena, columns[0]);
	gone->audiences[gone->n++] = arena_strdup(c->arena, columns[1]);
	return OK;
}

static enum err remove_announcements(
	struct call *c, const struct notification_retention_step_in *in, bool *more)
{
	struct gone gone = { .n = 0 };
	enum err e = db_each(c, ANNOUNCEMENTS_DELETE,
		DB_ARGS(in->label, in->before, db_integer(c, ANNOUNCEMENTS_MAX)), on_gone, &gone);
	*more = gone.n > 0;
	for (size_t i = 0; i < gone.n && !e; i++) {
		e = outbox_record(c, &ANNOUNCEMENT_EXPIRE, gone.ids[i]);
		announcement_hint(c, gone.ids[i], gone.audiences[i], in->label);
	}
	return e;
}

static enum err remove_notices(
	struct call *c, const struct notification_retention_step_in *in, bool *more)
{
	int64_t n = 0;
	enum err e = db_count(
		c, NOTICES_DELETE, DB_ARGS(in->label, in->before, db_integer(c, NOTICES_MAX)), &n);
	*more = n > 0;
	return e || n == 0 ? e : outbox_record(c, &NOTICE_EXPIRE, NULL);
}

static bool is_notice(const char *kind)
{
	return strcmp(kind, "notice") == 0;
}

/* The operation is the skeleton's again when all is recorded. */
enum err notification_retention_step(struct call *c,
	const struct notification_retention_step_in *in, struct common_retention_step *out)
{
	const struct op *op = c->op;
	c->label = label_from_name(in->label);
	c->recorded = arena_printf(
		c->arena, "{\"kind\":\"%s\",\"unchangedSince\":\"%s\"}", in->kind, in->before);
	enum err e = is_notice(in->kind) ? remove_notices(c, in, &out->more)
					 : remove_announcements(c, in, &out->more);
	c->op = op;
	return e;
}

enum err notification_retention_count(struct call *c,
	const struct notification_retention_count_in *in, struct common_retention_count *out)
{
	return db_row(c, is_notice(in->kind) ? NOTICES_COUNT : ANNOUNCEMENTS_COUNT,
		DB_ARGS(in->label, in->before), &common_retention_count_shape, out);
}
