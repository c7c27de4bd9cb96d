/*
 * Removing all rows of the tenant that the call has entered, from the tables of this service
 * (tenancy.purge() in migrations/). For the operation tenant_purge of every service, which
 * provisioning calls until nothing is left.
 */
#ifndef MANABIYA_PURGE_H
#define MANABIYA_PURGE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/call.h"

/* One step, short enough for a call. *more: there may be more rows. */
must_check enum err purge_rows(struct call *c, bool *more);

/* What this service has removed so far of this tenant, rows and others, into the { items, n } at
 * `list`, whose shape has `store` and `removed`. */
must_check enum err purge_noted(struct call *c, const struct shape *shape, void *list);

/* Tell of what was removed beside the database: `<service>.<name>`. */
must_check enum err purge_note(struct call *c, const char *name, int64_t n);

#endif
