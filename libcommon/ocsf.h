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

/* Of which operation the gateway's records are: that requests were answered, and that some such
 * records are missing. */
#define ACCESS_OPERATION "gateway.request"
#define ACCESS_LOST_OPERATION "gateway.access_lost"

/* How much a line says follows the class of what it is about: the table is in ocsf.c. */

/* What the finished call did (c->failure says whether it failed), as a line in the arena. */
const char *ocsf_line(const struct call *c, const char *event_id, int64_t unix_ms);

/* One request as the gateway saw it; never its path or query, which may hold anything. */
struct ocsf_access {
	const char *call_id, *source;
	struct actor actor; /* tenant, user, session, role, factors and when it proved the password
			       count */
	const char *service, *operation; /* "learning", "try_get" */
	enum label label; /* of what that touches */
	const char *method;
	const char *route; /* the template */
	const char *object_id; /* the id in path or query that says most about it; "" if there is
				  none */
	unsigned status;
	int64_t unix_ms; /* when it began */
	int64_t session_us, service_us, total_us; /* 0: did not come so far */
};

/* What may share a line stands together in this order, by when it began. */
int ocsf_access_compare(const struct ocsf_access *a, const struct ocsf_access *b);

/*
 * The first requests of a run in that order as one event: those of one tenant, of one activity
 * (reading, creating, …), one class and one outcome, within a second, and as many as fit. Goes in
 * as how many there are and comes out as how many it took, at least one: *n.
 *
 * `unmapped` holds them: `requests`, each with its call's id (uid), ms after `time`, place in
 * `actors` and in `routes`, status code, its object if any (not of class IV), and µs until it was
 * known who asks, of the service, and altogether.
 */
const char *ocsf_access_line(struct arena *arena, const char *event_id,
	const struct ocsf_access *const *accesses, size_t *n);

/* A record is promised of each read of class III and above; of what is below it is kept while there
 * is room. */
bool ocsf_access_is_promised(enum label label);

/* That n records of a tenant were dropped, of class III (and above) or IV; "" for strangers'. */
const char *ocsf_lost_line(struct arena *arena, const char *event_id, int64_t unix_ms,
	const char *tenant_id, enum label label, uint64_t n);

#endif
