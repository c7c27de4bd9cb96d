/*
 * The ledger of erasures (libcommon/erasure.h) and this database: who is erased is noted there
 * first, and what a backup brings back although the ledger names it goes again.
 */
#ifndef MANABIYA_PROVISIONING_ERASURE_H
#define MANABIYA_PROVISIONING_ERASURE_H

#include "libcommon/call.h"
#include "libcommon/erasure.h"

/* The end of one user of the call's tenant, when all else that could fail is done: a line in the
 * ledger, which is the receipt, then the key. If the commit fails, the next attempt or the next
 * start completes it. */
must_check enum err erasure_of_user(struct call *c, const char *user_id, struct erasure *receipt);

/* All that is of a user here and in auth goes, the others are told, and the key is destroyed. Asks
 * auth before anything is written (user_status.c). */
must_check enum err user_remove(struct call *c, const char *user_id, struct erasure *receipt);

/* The same, noted and recorded in the tenant's log (user_erasure.c). */
must_check enum err user_erase(struct call *c, const char *user_id);

/* A step of an erasure that is due. A job (service.h). */
enum err user_erasure_run(struct call *c, bool *more);

/* The certificate that `sql` finds for the id, as it is handed out; 404 certificate_not_ready while
 * there is none (certificate.c). */
must_check enum err certificate_get(
	struct call *c, const char *sql, const char *id, struct bytes *out);

/* What the ledger says and the database does not, because it was restored from a backup: contracts
 * are moved to their purge again, users are deleted again. Once after each start, and what
 * fails again and again until it is done. A job (service.h). */
enum err erasure_replay(struct call *c, bool *more);

#endif
