/* Records of what this service does by itself or for several tenants: the skeleton writes those of
 * people's requests. */
#ifndef MANABIYA_PROVISIONING_RECORD_H
#define MANABIYA_PROVISIONING_RECORD_H

#include "libcommon/db.h"

/* In the log of the tenant that the call is in, as c->op, about an object. */
must_check enum err record_here(struct call *c, const char *object_id, const char *event_id);

/* In a customer's log; the call is in its own tenant before and after. The customer reads who it
 * was, not from where or in which session. */
must_check enum err record_for_customer(
	struct call *c, const char *object_id, const char *tenant_id);

/* With what changes there: a statement about the customer's own rows. */
must_check enum err change_for_customer(struct call *c, const char *object_id,
	const char *tenant_id, const char *sql, struct db_args args);

#endif
