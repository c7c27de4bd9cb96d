/*
 * Unusual use of the tenants' keys is an event.
 *
 * Every ten seconds the openings of keys (keyring.h) are looked at, of the hour that the clock
 * shows. More of them than --keys-opened-max, as when somebody has one tenant after the other
 * opened, are told in the operator's log as `keys_opened`; a file that was there and did not open
 * as `keys_refused`, in the operator's log, which names the tenants, and in that of each of them.
 * A key of a domain that is not the service's (keyring_allow()) is told as `keys_foreign`, in the
 * operator's log: it was not given, but who asks has a bug or is no longer himself. Told of again
 * when it has become twice as much within the hour. Audit makes anomalies of all three
 * (services/audit/anomaly.c).
 *
 * Counts are each process's own: one that dies takes ten seconds of them with it. While auth is
 * away nothing can be recorded; then it is when it is back, for the hour in which it was.
 */
#ifndef MANABIYA_KEY_USE_H
#define MANABIYA_KEY_USE_H

#include "libcommon/call.h"
#include "libcommon/conf.h"

struct key_use_conf {
	int64_t opened_max; /* within an hour */
};
extern struct key_use_conf key_use_conf;

#define KEY_USE_OPTIONS_N 1
extern const struct option key_use_options[KEY_USE_OPTIONS_N];

/* Commits what it has told and begins another transaction; enters other tenants. */
must_check enum err key_use_watch(struct call *c);

#endif
