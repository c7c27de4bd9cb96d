/*
 * Audit records: one OCSF 1.8 object (https://schema.ocsf.io/1.8.0) on one line, at most
 * OCSF_LINE_MAX bytes, without personal data: people and things are named by their ids.
 *
 * `metadata` is the last member, so that the log can add metadata.sequence without parsing the
 * line.
 */
#ifndef MANABIYA_OCSF_H
#define MANABIYA_OCSF_H

#include "libcommon/call.h"

#define OCSF_LINE_MAX 8000 /* rsyslog's default limit is 8 KiB with its own header */

/* Of which operation the gateway's records are: that a request was answered, and that some such
 * records are missing. */
#define ACCESS_OPERATION "gateway.request"
#define ACCESS_LOST_OPERATION "gateway.access_lost"

/* What the finished call did (c->failure says whether it failed), as a line in the arena. */
const char *ocsf_line(const struct call *c, const char *event_id, int64_t unix_ms);

/* One request as the gateway saw it; never its path or query, which may hold anything. */
struct ocsf_access {
	const char *event_id, *call_id, *source;
	struct actor actor; /* tenant, user, session and role count */
	const char *method;
	const char *route; /* the template */
	unsigned status;
	int64_t unix_ms; /* when it began */
	int64_t session_us, service_us, total_us; /* 0: did not come so far */
};
const char *ocsf_access_line(struct arena *arena, const struct ocsf_access *access);

/* That n such records were dropped; it belongs to no tenant. */
const char *ocsf_lost_line(struct arena *arena, const char *event_id, int64_t unix_ms,
	const char *call_id, uint64_t n);

#endif
