/*
 * Repeated requests (Idempotency-Key, draft-ietf-httpapi-idempotency-key-header): the answer of the
 * first is given again.
 *
 * The key's scope is tenant, user and operation; the row lives in the transaction of the effect, so
 * there is an answer exactly when there is an effect. Answers may hold one-time secrets, and
 * requests names: the answer is stored sealed and of the request a keyed hash, under keys that are
 * derived from the Idempotency-Key, of which only a hash is stored.
 */
#ifndef MANABIYA_IDEMPOTENCY_H
#define MANABIYA_IDEMPOTENCY_H

#include <stdbool.h>

#include "libcommon/service.h"

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
