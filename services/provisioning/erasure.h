/*
 * The ledger of erasures (libcommon/erasure.h) and this database: who is erased is noted there
 * first, and what a backup brings back although the ledger names it goes again.
 */
#ifndef MANABIYA_PROVISIONING_ERASURE_H
#define MANABIYA_PROVISIONING_ERASURE_H

#include "libcommon/call.h"

/* The end of one user of the call's tenant, as the last step before the commit: a line in the
 * ledger, then the key. If the commit fails, the next attempt or the next start completes it. */
must_check enum err erasure_of_user(struct call *c, const char *user_id);

/* What the ledger says and the database does not, because it was restored from a backup: contracts
 * are moved to their purge again, users are deleted again. Once after each start, and what
 * fails again and again until it is done. A job (service.h). */
enum err erasure_replay(struct call *c, bool *more);

#endif
