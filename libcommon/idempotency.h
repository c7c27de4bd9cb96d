/*
 * Repeated requests (Idempotency-Key, draft-ietf-httpapi-idempotency-key-header): the answer of the
 * first is given again.
 *
 * The key's scope is tenant, user and operation; the row lives in the transaction of the effect, so
 * there is an answer exactly when there is an effect, and no other user gets it, nor a session that
 * the class of what is in it is shut to.
 *
 * Answers may hold one-time secrets, and requests names: the answer is stored sealed and of the
 * request a keyed hash, under keys that are derived from the Idempotency-Key and a key of the
 * tenant, the answer's from that of who asked as well. The sealed answer lies once more under the
 * key of the tenant or of the one user whom it is about (c->about), as what waits in an outbox does
 * (personal.h), and goes with that: then a repetition is told that there is no answer any more, and
 * still does nothing. Of the Idempotency-Key only a hash is stored, keyed with the tenant's key.
 *
 * Rows are a day old at most and are not sealed anew after a rotation: what reseal_left() counts
 * has them, so that no version goes that one of them lies under.
 */
#ifndef MANABIYA_IDEMPOTENCY_H
#define MANABIYA_IDEMPOTENCY_H

#include <stdbool.h>

#include "libcommon/personal.h"
#include "libcommon/service.h"

extern const struct personal_kind idempotency_body;
#define IDEMPOTENCY_DOMAIN                                                                         \
	"index idempotency.key" /* of the tenant's key that no rotation changes */

/*
 * Claim the call's key inside its transaction. *replayed: `reply` holds the stored answer and the
 * handler must not run. Another payload under the same key is refused with 422; a request with the
 * same key that is still running, with 409, at once.
 */
must_check enum err idempotency_begin(
	struct call *c, const struct frame *request, struct reply *reply, bool *replayed);

/* Keep the answer, in the same transaction. */
must_check enum err idempotency_end(
	struct call *c, const struct frame *request, const struct reply *reply);

#endif
