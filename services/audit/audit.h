/* What the files of audit share: its jobs and what they are told at start. */
#ifndef MANABIYA_AUDIT_H
#define MANABIYA_AUDIT_H

#include "audit_proto.h"
#include "libcommon/call.h"
#include "libcommon/note.h"

/* Which tenant's log a stored or coming line belongs to; NULL if metadata.tenant_uid is no UUID. */
struct json;
const char *event_tenant(const struct json *line);

/* Append lines of the call's caller, at least one. */
must_check enum err events_append(struct call *c, const char *const *lines, size_t n);

/* ---- checkpoints ---- */

/* Before the first job: the deployment's name, which every log's name begins with, and the seeds
 * that sign, in hex. `key_before` is "" or the one that is being replaced: both sign then. */
must_check enum err checkpoint_open(const char *log_name, const char *key, const char *key_before);
void checkpoint_close(void);

/* Sign what has grown. A job (service.h). */
must_check enum err checkpoint_run(struct call *c, bool *more);

/* The latest checkpoint of the tenant that the call has entered. */
struct signed_tree {
	uint64_t size;
	const char *note;
};
must_check enum err checkpoint_latest(struct call *c, struct signed_tree *out);
/* The latest that a witness has signed too if it holds `size` leaves, else the latest; NOT_FOUND
 * when so much is not signed yet. */
must_check enum err checkpoint_covering(struct call *c, uint64_t size, struct signed_tree *out);

/* The inclusion of each event in the tree of a size that is signed (proof.c). */
must_check enum err proof_of_events(
	struct call *c, uint64_t size, struct audit_audit_event *events, size_t n);

/* ---- witnesses ---- */

struct witness_conf {
	const char *urls, *keys; /* separated by commas, in the same order; "" for none */
	const char *ca_file; /* "" for the system's */
};
/* Before the first job. Logs the reason when it is not as it should be. */
must_check enum err witness_open(const struct witness_conf *conf);
void witness_close(void);

/* Have signed what is not yet. A job (service.h). */
must_check enum err witness_run(struct call *c, bool *more);

/* ---- retention ---- */

/* How many days events are kept: all, and those about what is of a graver class, where that is
 * longer. Set at start, before the first job. */
struct retention {
	int64_t days;
	int64_t class_days[3]; /* I, II, III */
};
extern struct retention retention;

/* Remove what is older. A job (service.h). */
must_check enum err retention_run(struct call *c, bool *more);

/* The first leaf whose line is still there, in the log of the tenant that the call has entered. */
must_check enum err retention_first(struct call *c, int64_t *first);
/* Whether the lines from leaf `first` on are still there, in the log of the tenant that the call
 * has entered; fails the call with 410 if not. */
must_check enum err retention_check(struct call *c, int64_t first);

/* ---- searching ---- */

/* Note what full tiles can be searched by. A job (service.h). */
must_check enum err terms_run(struct call *c, bool *more);

/* ---- tables (libcommon/log_table.h) ---- */

/* A window of one: rows while they fit, and one at least, since the next has to begin behind it. */
struct table {
	struct buf rows;
	size_t columns, rows_n;
	int64_t most; /* bytes */
	bool is_full;
};
/* With the names of the columns where it is the first window. */
void table_begin(struct call *c, struct table *table, size_t columns);
/* False: it does not fit. */
bool table_add(struct table *table, const char *const *cells);
struct bytes table_body(const struct table *table);

/* ---- anomalies ---- */

/* From where on something is worth a look. Set at start, before the first job. */
struct anomaly_limits {
	int64_t videos; /* different ones that one person opens within an hour */
	int64_t failures; /* logins within ten minutes, all names together */
	int64_t night_from, night_until; /* hours of the day, Japanese time */
};
extern struct anomaly_limits anomaly_limits;

/* Look at what is new in each log. A job (service.h). */
must_check enum err anomaly_run(struct call *c, bool *more);

/* Something else to look at was found, so many times, in the log of the tenant that the call has
 * entered: one row for each hour. */
must_check enum err anomaly_put(struct call *c, const char *kind, const char *count);

/* ---- completeness ---- */

/* Tell people what services have told (completeness.c). A job (service.h). */
must_check enum err completeness_run(struct call *c, bool *more);
void completeness_metrics(struct buf *out);

/* Compare some of what is stored with its tree; goes round all logs. A job (service.h). */
must_check enum err compare_run(struct call *c, bool *more);

/* For how long a run of the gateway may say nothing. Set at start, before the first job. */
extern int64_t access_silence_s;

/* Name runs of the gateway that are gone (access.c). A job (service.h). */
must_check enum err access_run(struct call *c, bool *more);

/* The name of a tenant's log, and a text signed as the logs of these tenants: with every key, the
 * signatures one after the other behind an empty line. The text must not be a checkpoint's. */
const char *checkpoint_origin(struct arena *arena, const char *tenant_id);
const char *checkpoint_sign(
	struct call *c, const char *text, const char *const *tenant_ids, size_t n);

/* The file that proves an event of the entered tenant (C2SP's tlog-proof). NOT_FOUND, or CONFLICT
 * while it is not signed yet. */
must_check enum err proof_of_event(struct call *c, const char *event_id, struct buf *file);

/* The file that proves a run of events of the entered tenant. */
must_check enum err proof_of_range(
	struct call *c, uint64_t first, const struct signed_tree *tree, struct buf *file);

#endif
