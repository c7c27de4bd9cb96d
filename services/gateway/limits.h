/*
 * How much who may ask of the API: per source address, per session, per tenant, for logging in,
 * reading, writing, uploading. Decided at once from this process's memory; limit_share.h adds what
 * other instances let through.
 *
 * auth's own throttle (services/auth/throttle.c) is what protects passwords; these limits protect
 * everybody's share of the machines.
 */
#ifndef MANABIYA_GATEWAY_LIMITS_H
#define MANABIYA_GATEWAY_LIMITS_H

#include "libcommon/buf.h"
#include "services/gateway/app.h"
#include "services/gateway/gateway.h"
#include "services/gateway/limiter.h"

void limits_start(const struct gateway_conf *conf, struct loop *loop);
void limits_stop(void);

/* Charge a request with a route to its source, before anybody is asked who it is; and to its
 * session and tenant, once these are known. False: over a limit, v->limit says which. */
must_check bool limits_of_source(struct visit *v);
must_check bool limits_of_session(struct visit *v);

/* RateLimit-Policy and RateLimit for the limit that is nearest, if any was charged. */
void limits_headers(const struct visit *v, struct reply_headers *headers);

/* Seconds for Retry-After: until the window ends, and a little more, different for each. */
int limits_retry_after_s(const struct visit *v);

void limits_figures(struct buf *out);

#endif
