/*
 * Roots, as they come into use; see key_root.h. They are replaced by whoever starts the services
 * with another one (docs/operations.md), so the first that runs with it tells of it.
 */
#include "services/provisioning/key_root.h"

#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"
#include "services/provisioning/record.h"

/* What the log calls it. */
static const struct op USE = { .name = "key_root_use",
	.audit = { "entity_management.update", 3004, 3 } };

static const char NOTE[] =
	"INSERT INTO provisioning.key_root (name) VALUES ($1) ON CONFLICT DO NOTHING";

static const char LIST[] =
	"SELECT name, tenancy.stamp(used_since) AS used_since, name = $1 AS in_use"
	" FROM provisioning.key_root ORDER BY key_root.used_since DESC LIMIT 100";

static const char *own_name(struct call *c)
{
	char *name = arena_alloc(c->arena, KEYRING_ROOT_NAME_SIZE);
	keyring_root_name(c->keyring, name);
	return name;
}

enum err key_root_run(struct call *c, bool *more)
{
	static bool is_noted; /* by the one thread of jobs */
	int64_t added = 0;
	const char *name = own_name(c);
	enum err e = is_noted ? OK : service_enter_tenant(c, OPERATOR_TENANT);
	if (e || is_noted)
		return e;
	e = db_count(c, NOTE, DB_ARGS(name), &added);
	c->op = &USE;
	if (!e && added > 0)
		e = record_here(c, name, uuid_make(c->arena));
	is_noted = !e && added == 0; /* committed, so the next turn finds it */
	*more = !e && !is_noted;
	return e;
}

/* ---- for the operator ---- */

enum err provisioning_key_root_list(struct call *c, struct provisioning_key_root_list_out *out)
{
	return db_rows(c, LIST, DB_ARGS(own_name(c)), &provisioning_key_root_shape, &out->items);
}
