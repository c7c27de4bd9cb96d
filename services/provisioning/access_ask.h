/*
 * Who gets in is auth's to know, and what a contract or a user is ours. auth is asked first, since
 * a transaction that has written holds back the relays of all services; if our own commit fails
 * then, the two disagree. So that auth is being asked is committed before, beside the call's
 * transaction, and taken back by the transaction of the change. What stays is made to agree by a
 * job: auth is told what is here.
 *
 *	lock_hold(kind, id) → access_ask() → ask auth → write the change → access_agreed() → commit
 */
#ifndef MANABIYA_PROVISIONING_ACCESS_ASK_H
#define MANABIYA_PROVISIONING_ACCESS_ASK_H

#include "libcommon/call.h"

#define ACCESS_OF_CONTRACT "contract" /* names of locks, too (lock.c) */
#define ACCESS_OF_USER "user"

/* Committed at once; of a row of the tenant that the call is in. */
must_check enum err access_ask(struct call *c, const char *kind, const char *id);
must_check enum err access_agreed(struct call *c, const char *id);

/* One of those that stay. A job (service.h). */
enum err access_ask_run(struct call *c, bool *more);

#endif
