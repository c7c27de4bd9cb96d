/*
 * The access log: a record of each request of the API in the log of its tenant, without personal
 * data; a request without a session goes to the operator's. Requests that are alike share an event
 * (ocsf_access_line), so that a record costs a few microseconds.
 *
 * Nobody waits for it: audit may be away, and its events come when it is back. Left out are static
 * files, paths that no route has, the admin listener, and what a limit or overload turned away: a
 * flood must not become writes in the database. Those are in the line on stderr and the metrics.
 */
#ifndef MANABIYA_GATEWAY_ACCESS_LOG_H
#define MANABIYA_GATEWAY_ACCESS_LOG_H

#include "services/gateway/gateway.h"

void access_log_start(const struct gateway_conf *conf, struct loop *loop);
/* After the last visit; sends what is left, for at most FLUSH_MS. */
void access_log_stop(void);

/* A visit that is over; copies what it keeps. */
void access_log_add(const struct visit *v, unsigned status, int64_t took_us);

#endif
