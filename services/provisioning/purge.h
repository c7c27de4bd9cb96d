/*
 * The purge of a contract, once its time has come (lifecycle.h): a table of steps, each done again
 * until it has nothing left to do, and each noted when it is done, so that a crash costs one part
 * of one step. Nothing here cannot be done twice.
 *
 * Everything is removed once while the keys are there and once more when they are gone: what was
 * under way between services meanwhile can be stored nowhere after that, as it does not open.
 */
#ifndef MANABIYA_PROVISIONING_PURGE_H
#define MANABIYA_PROVISIONING_PURGE_H

#include "libcommon/call.h"

/* How many steps there are, also for SQL. */
#define PURGE_STEPS 13
#define PURGE_STEPS_TEXT "13"

/* One part of one step of one contract. A job (service.h). */
enum err purge_run(struct call *c, bool *more);

/* All rows of a tenant that has no contract, at once: what an attempt to open it left behind in a
 * database that is older than the contract. */
must_check enum err purge_leavings(struct call *c, const char *tenant_id);

#endif
