/*
 * Contracts: what an operator opens for a customer, each with a tenant and keys of its own.
 *
 * The keyring and auth come first, under ids that are intended (libcommon/intent.h): whoever opens
 * the same code again after a failure goes on with the same tenant. Then one short transaction
 * writes what is ours, in the customer's tenant and in the operator's.
 */
#include <string.h>

#include "auth_proto.h"
#include "libcommon/db.h"
#include "libcommon/keyring.h"
#include "libcommon/page.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const struct problem CODE_TAKEN = { ERR_CONFLICT, 409, "tenant_code_taken",
	"この団体コードはすでに使われています。", "This code is taken." };

static const char CODE_OWNERS[] =
	"SELECT count(*) FROM provisioning.contract WHERE lower(code) = $1 AND state <> 'erased'";

static const char CONTRACT_CREATE[] =
	"INSERT INTO provisioning.contract (id, customer_tenant_id, code, name)"
	" VALUES ($1::uuid, $2::uuid, $3, $4)";

static const char CONTRACT_LIST[] =
	"SELECT " CONTRACT_COLUMNS " FROM provisioning.contract"
	" WHERE $1::uuid IS NULL OR id < $1::uuid ORDER BY id DESC LIMIT $2::integer";

static const char DISTRICT_CREATE[] =
	"INSERT INTO provisioning.org (id, name, type) VALUES ($1::uuid, $2, 'district')";

/* Nobody has told the administrator's name yet: it can be changed like every other. */
static const char ADMINISTRATOR_CREATE[] =
	"INSERT INTO provisioning.person (id, login, login_index, role, name)"
	" VALUES ($1::uuid, $2, $3, 'contractor', $4)";
static const char *const ADMINISTRATOR_NAME[NAME_PARTS] = { "管理者", "初期", "かんりしゃ",
	"しょき" };

/* ---- contract_create ---- */

/* The customer's own tenant: its district and its administrator. */
static enum err furnish(struct call *c, const struct provisioning_contract_create_in *in,
	const char *tenant_id, const char *administrator_id)
{
	const char *name = NULL, *login = NULL;
	struct blind_index index = { NULL };
	enum err e = service_enter_tenant(c, tenant_id);
	if (!e)
		e = people_keys(c, &administrator_id, 1);
	if (!e)
		e = name_seal(c, administrator_id, ADMINISTRATOR_NAME, &name);
	if (!e)
		e = login_seal(c, administrator_id, in->administrator_username, &login);
	if (!e)
		e = personal_index(c, in->administrator_username, &index);
	if (!e)
		e = db_exec(c, DISTRICT_CREATE, DB_ARGS(uuid_make(c->arena), in->name));
	if (!e)
		e = db_exec(c, ADMINISTRATOR_CREATE,
			DB_ARGS(administrator_id, login, index.value, name));
	return e ? e : people_tell(c, &administrator_id, 1);
}

/* What follows (the stored answer, the audit row) belongs to the operator again. */
static enum err furnish_and_return(struct call *c, const struct provisioning_contract_create_in *in,
	const char *tenant_id, const char *administrator_id)
{
	const struct actor *operator= c->actor;
	const char *capability = c->capability;
	enum err e = furnish(c, in, tenant_id, administrator_id);
	c->actor = operator;
	c->capability = capability;
	return e ? e : db_enter(c, operator->tenant_key);
}

/* What is made elsewhere, under ids that a repeated attempt finds again. */
enum { TENANT, ADMINISTRATOR, INTENTS };

/* Nobody else opens a contract of this code before this transaction ends. */
static enum err reserve(struct call *c, const char *key)
{
	const char *owners;
	enum err e = lock_hold(c, "code", key);
	if (!e)
		e = db_text(c, CODE_OWNERS, DB_ARGS(key), &owners);
	if (!e && strcmp(owners, "0") != 0)
		e = fail_as(c, &CODE_TAKEN);
	return e;
}

static enum err open_in_auth(struct call *c, const struct provisioning_contract_create_in *in,
	const struct intent *intents, const char **secret)
{
	const struct auth_tenant_open_in tenant = {
		.tenant_id = intents[TENANT].id,
		.code = in->code,
		.name = in->name,
		.user_id = intents[ADMINISTRATOR].id,
		.username = in->administrator_username.text,
	};
	struct auth_tenant_open_out opened = { 0 };
	enum err e = auth_tenant_open_call(c, &tenant, &opened);
	*secret = opened.secret;
	return e;
}

/* From here on the tenant exists for others, whatever becomes of our transaction. */
static enum err open_tenant(struct call *c, const struct provisioning_contract_create_in *in,
	struct intent *intents, const char **secret)
{
	enum err e = intent_declare(c, intents, INTENTS);
	if (!e && keyring_create(c->keyring, intents[TENANT].id))
		e = fail(c, ERR_UNAVAILABLE, "the keyring cannot be written");
	return e ? e : open_in_auth(c, in, intents, secret);
}

/* Entering the tenant asks auth: so what is the tenant's is written first. */
static enum err write_contract(struct call *c, const struct provisioning_contract_create_in *in,
	const char *id, const struct intent *intents)
{
	enum err e = furnish_and_return(c, in, intents[TENANT].id, intents[ADMINISTRATOR].id);
	if (e)
		return e;
	e = db_exec(c, CONTRACT_CREATE, DB_ARGS(id, intents[TENANT].id, in->code, in->name));
	if (e == ERR_CONFLICT)
		return fail_as(c, &CODE_TAKEN);
	return e ? e : intent_fulfil(c, intents, INTENTS);
}

enum err provisioning_contract_create(struct call *c,
	const struct provisioning_contract_create_in *in,
	struct provisioning_contract_create_out *out)
{
	const char *key = login_key(c->arena, in->code);
	struct intent intents[INTENTS] = {
		[TENANT] = { .name = arena_printf(c->arena, "tenant/%s", key) },
		[ADMINISTRATOR] = { .name = arena_printf(c->arena, "administrator/%s", key) },
	};
	const char *id = uuid_make(c->arena), *secret = NULL;
	enum err e = reserve(c, key);
	if (!e)
		e = open_tenant(c, in, intents, &secret);
	if (!e)
		e = write_contract(c, in, id, intents);
	if (e)
		return e;
	c->about.tenant_id = intents[TENANT].id;
	c->about.user_id = intents[ADMINISTRATOR].id;
	*out = (struct provisioning_contract_create_out){
		.id = id,
		.tenant_id = intents[TENANT].id,
		.code = in->code,
		.name = in->name,
		.administrator_username = in->administrator_username,
		.initial_secret = secret,
	};
	return OK;
}

enum err provisioning_contract_list(struct call *c, const struct provisioning_contract_list_in *in,
	struct provisioning_contract_list_out *out)
{
	struct page page;
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 1, &page);
	if (!e)
		e = db_rows(c, CONTRACT_LIST, DB_ARGS(page.after[0], page.rows),
			&provisioning_contract_shape, &out->items);
	if (!e && page_goes_on(&page, &out->items.n))
		out->next_cursor = cursor_make(c, &out->items.items[out->items.n - 1].id, 1);
	return e;
}
