/*
 * Who sends a request: its session token, and the capability that auth gives for it.
 *
 * Capabilities are kept for at most session_cache_ms, and dropped at once when auth says that the
 * session was revoked. Requests with one token that arrive while auth is being asked wait for the
 * same answer.
 */
#ifndef MANABIYA_GATEWAY_SESSION_H
#define MANABIYA_GATEWAY_SESSION_H

#include <stdbool.h>

#include "libcommon/capability.h"
#include "services/gateway/exchange.h"

#define SESSION_TOKEN_LENGTH 43 /* base64url of 32 bytes */

/* The token of `Authorization: Bearer` or else of the cookie `__Host-sid`. NULL without one, and
 * where two disagree or the form is wrong. */
const char *session_token(struct arena *arena, const struct request *request, bool *is_bearer);

/* On the loop's thread, perhaps before session_resolve() returns. `err` OK, UNAUTHENTICATED,
 * FORBIDDEN (not from this source) or UNAVAILABLE; capability and actor live during the call only.
 */
typedef void session_on_known(
	void *arg, enum err err, const char *capability, const struct actor *actor);

struct problem;
/* What a person is told of such an error. */
const struct problem *session_problem(enum err err);

struct session_wait;

/* `source` is the client's address, on which the answer depends. Returns NULL when the answer has
 * been given already, else what session_forget() takes. */
struct session_wait *session_resolve(
	const char *token, const char *source, session_on_known *fn, void *arg);
/* As session_resolve(), but always asks auth, and counts as no activity: an open page must not keep
 * an idle session alive. */
struct session_wait *session_recheck(
	const char *token, const char *source, session_on_known *fn, void *arg);
/* The answer is not wanted any more. NULL is allowed. */
void session_forget(struct session_wait *wait);

/* auth says that this session is over. */
void session_drop(const char *session_id);

void session_stop(void);

/* Copies that live in another arena. */
struct actor *actor_copy(struct arena *arena, const struct actor *actor);

#endif
