/*
 * Tells other instances of the gateway through Redis what was let through here, and learns what was
 * let through there, a few times a second. A thread of its own talks to Redis: nobody ever waits
 * for it, and without it each instance keeps its own count.
 */
#ifndef MANABIYA_GATEWAY_LIMIT_SHARE_H
#define MANABIYA_GATEWAY_LIMIT_SHARE_H

#include <stdbool.h>

#include "services/gateway/app.h"
#include "services/gateway/limiter.h"

/* Without an address in the configuration nothing is shared. */
void limit_share_start(const struct gateway_conf *conf, struct loop *loop, struct limiter *limiter);
void limit_share_stop(void);

/* Did the last exchange succeed? */
bool limit_share_is_on(void);

#endif
