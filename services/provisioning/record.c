/* Into the outbox, in the transaction of what they tell; see record.h. */
#include "services/provisioning/record.h"

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/ocsf.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

enum err record_here(struct call *c, const char *object_id, const char *event_id)
{
	c->object_id = object_id;
	return outbox_audit(c, event_id, ocsf_line(c, event_id, clock_unix_ms()));
}

enum err change_for_customer(struct call *c, const char *object_id, const char *tenant_id,
	const char *sql, struct db_args args)
{
	const struct actor *own = c->actor;
	const char *capability = c->capability, *source = c->source;
	struct actor *there = arena_alloc(c->arena, sizeof(*there));
	*there = *own;
	there->tenant_id = tenant_id;
	there->session_id = "";
	enum err e = service_enter_tenant(c, tenant_id);
	c->actor = there;
	c->source = "";
	if (!e)
		e = record_here(c, object_id, uuid_make(c->arena));
	if (!e && sql)
		e = db_exec(c, sql, args);
	c->actor = own;
	c->capability = capability;
	c->source = source;
	return e ? e : db_enter(c, own->tenant_key);
}

enum err record_for_customer(struct call *c, const char *object_id, const char *tenant_id)
{
	return change_for_customer(c, object_id, tenant_id, NULL, DB_NONE);
}
