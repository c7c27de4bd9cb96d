/*
 * The access log: a record of each request of the API in the log of its tenant, without personal
 * data; a request without a session goes to the operator's. Requests that are alike share an event
 * (ocsf_access_line), so that a record costs a few microseconds.
 *
 * The records wait for audit, which may be away, and come when it is back. Left out are static
 * files, paths that no route has, the admin listener, and what a limit or overload turned away: a
 * flood must not become writes in the database. Those are in the line on stderr and the metrics.
 */
#ifndef MANABIYA_GATEWAY_ACCESS_LOG_H
#define MANABIYA_GATEWAY_ACCESS_LOG_H

#include "services/gateway/ask.h"
#include "services/gateway/gateway.h"

void access_log_start(struct loop *loop);
/* After the last visit; sends what is left, for at most FLUSH_MS. */
void access_log_stop(void);

/*
 * Only the first read for a tenant of anything that has a class waits: until audit has noted that
 * this gateway reads for it, so that the tenant is told if the gateway is killed and its records
 * are lost (access_ring.h). Class IV too, since a single object may have been raised. While audit
 * is away reading goes on, and one of the reads every two seconds tries again. False for a visit
 * that must be opened first; what came of it goes to access_log_opened().
 */
bool access_log_is_open(const struct visit *v);
struct ask *access_log_open(struct visit *v, ask_on_answer *fn);
void access_log_opened(const struct visit *v, enum err err);

/* A visit that is over; copies what it keeps. */
void access_log_add(const struct visit *v, unsigned status, int64_t took_us);

#endif
