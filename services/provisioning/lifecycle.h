/*
 * Which state of a contract may follow which, and the one function that moves it.
 *
 *     active ⇄ suspended → closed → grace → purging → erased
 *
 * Whatever is not active is shut. closed is the time in which the customer takes away what is
 * theirs, grace the one in which everything can still be taken back; in both its administrators get
 * in, for the export alone (x-closed). Both end by themselves, unless a legal hold stops the clock.
 * From purging there is no way back.
 */
#ifndef MANABIYA_PROVISIONING_LIFECYCLE_H
#define MANABIYA_PROVISIONING_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/call.h"

/* Who moves a contract. */
enum mover {
	MOVER_PERSON, /* an operator, who has read it (If-Match) and says why */
	MOVER_CLOCK, /* its time has come, or its purge is done */
	MOVER_LEDGER, /* a backup brought back what is erased (keyring.h) */
};

bool lifecycle_allows(const char *from, const char *to, enum mover mover);

struct move {
	const char *contract_id, *to;
	enum mover mover;
	const char *reason, *if_match; /* of a person; else NULL */
	const char *event_id; /* of a job's record in the operator's log; NULL for a new one */
};

/*
 * Move it and tell both logs: the operator's by the skeleton, the customer's here; a job's moves
 * are written into both. Asks auth before anything is written. 409 when the table does not have it,
 * 412 when somebody was faster. The call is in the operator's tenant before and after.
 */
must_check enum err lifecycle_move(struct call *c, const struct move *move);

/* Tell auth again who gets in as the contract is; the caller holds it (access_ask.h). */
must_check enum err lifecycle_tell_access(struct call *c, const char *contract_id);

/* Move those whose time has come. A job (service.h). */
enum err lifecycle_run(struct call *c, bool *more);

/* Have certified what is erased (certificate.c). A job (service.h). */
enum err certificate_run(struct call *c, bool *more);

/* Options of main.c; times in days. */
struct lifecycle_conf {
	const char *replicas; /* of the keyring (replica.h) */
	int64_t export_days, grace_days; /* how long the first two states of the end last */
	int64_t user_grace_days; /* how long a user who was deleted can be restored */
	int64_t key_days; /* how long an old version of a key is kept when it is empty (key_end.h)
			   */
};
extern struct lifecycle_conf lifecycle_conf;

#endif
