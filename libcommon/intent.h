/*
 * Ids of things that this service makes together with another one, the same at every attempt.
 *
 * The other service is asked first, because a transaction that has written holds back the relays of
 * all services. If our own commit fails then, the other has a thing that we know nothing of. So its
 * name and its id are committed before, beside the call's transaction: whoever tries again to make
 * what has this name, with whatever Idempotency-Key, comes with the same id and finds it. The
 * transaction of the effect deletes the row; rows that stay are what nobody tried again.
 *
 *	intent_declare() → ask the other service → write the effect → intent_fulfil() → commit
 *
 * The caller sees to it that two calls do not work on one name at a time (an advisory lock, had
 * before the name is known to be free) and that the other service does the same thing twice with
 *one effect. Names belong to the tenant of the call's transaction. The service's schema has the
 *table by `SELECT tenancy.intents('…')` in a migration.
 */
#ifndef MANABIYA_INTENT_H
#define MANABIYA_INTENT_H

#include <stddef.h>

#include "libcommon/call.h"

struct intent {
	const char *name; /* `person/taro`: only its hash is stored */
	const char *id; /* a UUIDv7, the result */
};

/* Fill the ids: of an attempt before this one, or new. Names are distinct. One statement and one
 * commit on a second connection, whatever their number. */
must_check enum err intent_declare(struct call *c, struct intent *intents, size_t n);

/* In the transaction of the effect, as its last statement but the skeleton's. */
must_check enum err intent_fulfil(struct call *c, const struct intent *intents, size_t n);

#endif
