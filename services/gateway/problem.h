/* What the gateway itself refuses with (RFC 9457); services make their own problems. */
#ifndef MANABIYA_GATEWAY_PROBLEM_H
#define MANABIYA_GATEWAY_PROBLEM_H

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/err.h"

extern const struct problem problem_bad_request; /* 400 */
extern const struct problem problem_idempotency_key_required; /* 400 */
extern const struct problem problem_idempotency_key_short; /* 400 */
extern const struct problem problem_unauthenticated; /* 401 */
extern const struct problem problem_cross_site; /* 403 */
extern const struct problem problem_forbidden; /* 403 */
extern const struct problem problem_source_refused; /* 403 */
extern const struct problem problem_password_change; /* 403 */
extern const struct problem problem_contract_closed; /* 403 */
extern const struct problem problem_not_found; /* 404 */
extern const struct problem problem_method_not_allowed; /* 405 */
extern const struct problem problem_timeout; /* 408 */
extern const struct problem problem_body_too_large; /* 413 */
extern const struct problem problem_content_type; /* 415 */
extern const struct problem problem_range; /* 416 */
extern const struct problem problem_expectation; /* 417 */
extern const struct problem problem_misdirected; /* 421 */
extern const struct problem problem_if_match_required; /* 428 */
extern const struct problem problem_too_many_streams; /* 429 */
extern const struct problem problem_rate_limited; /* 429 */
extern const struct problem problem_method_unknown; /* 501 */
extern const struct problem problem_bad_gateway; /* 502: a service answered something impossible */
extern const struct problem problem_service_unavailable; /* 503 */
extern const struct problem problem_overloaded; /* 503 */
extern const struct problem problem_deadline; /* 504 */
extern const struct problem problem_version_unknown; /* 505 */

/* Why the protocol side refuses (400, 408, 413, 417, 501, 505); any other status is a bad request.
 */
const struct problem *problem_of_refusal(unsigned status);

/* The text of a problem, in the arena. `call_id` may be NULL: there is no call yet. */
const char *problem_json(struct arena *arena, const struct problem *problem, const char *call_id,
	enum language language);

/* ja unless Accept-Language (NULL: absent) prefers en. */
enum language language_of(const char *accept_language);

/* What to tell the client about a call that no service answered: 503 or 504. */
const struct problem *problem_of_status(unsigned status);

/* Seconds for Retry-After, with jitter so that a whole school does not come back at once. */
int retry_after_s(void);

#endif
