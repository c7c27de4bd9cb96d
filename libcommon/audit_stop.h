/*
 * That events cannot be kept is itself an event: from when to when, which service noticed, and how
 * many attempts were refused and left no record.
 *
 * While audit does not take what waits for it, or a record cannot be written, attempts that are
 * refused for it are counted here by tenant. Once a second the relay's job notes them in the
 * database, outside the bound of what waits (spool.h), so that a process that dies loses a second
 * of them; a database that takes nothing gets them later. When all is well again the event goes to
 * the log of each tenant of which something was refused, and to the operator's with all of them.
 * Audit makes an anomaly of it (services/audit/anomaly.c).
 */
#ifndef MANABIYA_AUDIT_STOP_H
#define MANABIYA_AUDIT_STOP_H

#include "libcommon/call.h"

/* An attempt was refused and left no record; "" for a stranger's. Any thread. */
void audit_stop_refused(const char *tenant_id);

/* Note what came, and tell when it is over, in the transaction of the call; at most once a second.
 * Enters other tenants. The relay's job. */
must_check enum err audit_stop_watch(struct call *c);

#endif
