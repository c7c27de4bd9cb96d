/*
 * Moving contracts; lifecycle.h says through which states. Contracts are rows of the operator's own
 * tenant; what happens to one is also told to the log of the tenant that it opened.
 */
#include "services/provisioning/lifecycle.h"

#include <string.h>

#include "auth_proto.h"
#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/ocsf.h"
#include "libcommon/outbox.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/provisioning/access_ask.h"
#include "services/provisioning/provisioning.h"
#include "services/provisioning/record.h"

struct lifecycle_conf lifecycle_conf;

static const struct transition {
	const char *from, *to;
	enum mover mover;
} TRANSITIONS[] = {
	{ "active", "suspended", MOVER_PERSON },
	{ "active", "closed", MOVER_PERSON },
	{ "suspended", "active", MOVER_PERSON },
	{ "suspended", "closed", MOVER_PERSON },
	{ "closed", "active", MOVER_PERSON },
	{ "closed", "grace", MOVER_CLOCK },
	{ "grace", "active", MOVER_PERSON },
	{ "grace", "purging", MOVER_CLOCK },
	{ "purging", "erased", MOVER_CLOCK },
	{ "active", "purging", MOVER_LEDGER },
	{ "suspended", "purging", MOVER_LEDGER },
	{ "closed", "purging", MOVER_LEDGER },
	{ "grace", "purging", MOVER_LEDGER },
};

static const struct problem WRONG_STATE = { ERR_CONFLICT, 409, "contract_state",
	"契約の現在の状態では、この操作はできません。",
	"The state of the contract does not allow this." };

/* What a job's moves are called in the logs; a person's have their operation's name. */
static const struct op STEP = { .name = "contract_step",
	.audit = { "entity_management.update", 3004, 3 } };

static const struct op ERASE = { .name = "contract_erase",
	.audit = { "entity_management.delete", 3004, 4 } };

static const char CONTRACT_GET[] = "SELECT " CONTRACT_COLUMNS ", '\"v' || version || '\"' AS etag"
				   " FROM provisioning.contract WHERE id = $1::uuid";

static const char VERSION[] = "SELECT version FROM provisioning.contract WHERE id = $1::uuid";

static const char READ[] = "SELECT state, customer_tenant_id, hold_since IS NOT NULL"
			   " FROM provisioning.contract WHERE id = $1::uuid";

static const char MOVE[] =
	"UPDATE provisioning.contract SET state = $2, state_since = now(),"
	" reason = coalesce($3, reason), version = version + 1,"
	" grace_days = CASE $2 WHEN 'closed' THEN $5::integer ELSE grace_days END,"
	" due_at = now() + interval '1 day' * CASE $2 WHEN 'closed' THEN $4::integer"
	"  WHEN 'grace' THEN coalesce(grace_days, $5::integer) END WHERE id = $1::uuid";

static const char DUE[] = "SELECT id, CASE state WHEN 'closed' THEN 'grace' ELSE 'purging' END"
			  " FROM provisioning.contract WHERE due_at <= now() AND hold_since IS NULL"
			  " ORDER BY due_at LIMIT 1";

/* Since deletions are over that were under way (lock_legal_hold()); a second hold is the first one
 * with another reason. */
static const char HOLD[] = "UPDATE provisioning.contract SET hold_reason = $2, reason = $2,"
			   " hold_since = coalesce(hold_since, clock_timestamp()),"
			   " version = version + 1"
			   " WHERE id = $1::uuid";

/* The time that was held does not count. */
static const char RELEASE[] =
	"UPDATE provisioning.contract SET due_at = due_at"
	" + (now() - greatest(hold_since, state_since)), reason = $2, hold_reason = NULL,"
	" hold_since = NULL, version = version + 1 WHERE id = $1::uuid AND hold_since IS NOT NULL";

/* Nor does it for the customer's people who are to be deleted. */
static const char USERS_RELEASE[] =
	"UPDATE provisioning.user_erasure SET due_at = due_at"
	" + (now() - greatest(provisioning.held_since(), requested_at))"
	" WHERE erased_at IS NULL AND provisioning.held_since() IS NOT NULL";

static const char OWN_CONTRACT[] =
	"SELECT state, held, tenancy.stamp(CASE WHEN NOT held THEN due_at + interval '1 day'"
	" * CASE state WHEN 'closed' THEN coalesce(grace_days, $1::integer) ELSE 0 END END)"
	" AS purge_at FROM provisioning.own_contract()";

bool lifecycle_allows(const char *from, const char *to, enum mover mover)
{
	for (size_t i = 0; i < sizeof(TRANSITIONS) / sizeof(TRANSITIONS[0]); i++) {
		const struct transition *row = &TRANSITIONS[i];
		if (row->mover == mover && strcmp(row->from, from) == 0 && strcmp(row->to, to) == 0)
			return true;
	}
	return false;
}

/* ---- moving ---- */

struct contract {
	const char *state, *tenant_id;
	bool is_held;
};

static enum err on_contract(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct contract *contract = arg;
	*contract = (struct contract){ columns[0], columns[1], columns[2][0] == 't' };
	return OK;
}

/* As it is until the end of the transaction: whoever changes a contract has this lock, which is no
 * row's, because auth is asked meanwhile (lock.c). */
static enum err take(struct call *c, const char *id, const char *if_match, struct contract *out)
{
	*out = (struct contract){ 0 };
	enum err e = lock_hold(c, "contract", id);
	if (!e && if_match)
		e = version_check(c, VERSION, id, if_match);
	if (!e)
		e = db_each(c, READ, DB_ARGS(id), on_contract, out);
	return e || out->state ? e : fail(c, ERR_NOT_FOUND, "no such contract");
}

/* closed and grace let the customer's administrators in, for the export. */
static const char *access_in(const char *state)
{
	if (strcmp(state, "active") == 0)
		return "open";
	bool is_closed = strcmp(state, "closed") == 0 || strcmp(state, "grace") == 0;
	return is_closed ? "closed" : "shut";
}

static enum err put_access(struct call *c, const char *tenant_id, const char *state)
{
	const struct auth_tenant_access_put_in in = { .tenant_id = tenant_id,
		.access = access_in(state) };
	return auth_tenant_access_put_call(c, &in);
}

/* Time needs no other: grace is like closed, and a purge begins with shutting (purge.c). */
static enum err move_access(
	struct call *c, const struct contract *contract, const struct move *move)
{
	if (move->mover == MOVER_CLOCK)
		return OK;
	enum err e = access_ask(c, ACCESS_OF_CONTRACT, move->contract_id);
	return e ? e : put_access(c, contract->tenant_id, move->to);
}

enum err lifecycle_tell_access(struct call *c, const char *contract_id)
{
	struct contract contract = { 0 };
	enum err e = db_each(c, READ, DB_ARGS(contract_id), on_contract, &contract);
	return e || !contract.state ? e : put_access(c, contract.tenant_id, contract.state);
}

/* A person's own record is the skeleton's. */
static enum err record_move(
	struct call *c, const struct contract *contract, const struct move *move)
{
	const char *event_id = move->event_id ? move->event_id : uuid_make(c->arena);
	if (move->mover != MOVER_PERSON)
		c->op = strcmp(move->to, "erased") == 0 ? &ERASE : &STEP;
	enum err e = record_for_customer(c, move->contract_id, contract->tenant_id);
	return e || move->mover == MOVER_PERSON ? e : record_here(c, move->contract_id, event_id);
}

enum err lifecycle_move(struct call *c, const struct move *move)
{
	struct contract contract;
	enum err e = take(c, move->contract_id, move->if_match, &contract);
	if (e)
		return e;
	if (!lifecycle_allows(contract.state, move->to, move->mover) ||
		(contract.is_held && move->mover == MOVER_CLOCK))
		return fail_with(c, &WRONG_STATE, "%s", contract.state);
	e = move_access(c, &contract, move);
	if (!e)
		e = record_move(c, &contract, move);
	if (!e)
		e = db_exec_one(c, MOVE,
			DB_ARGS(move->contract_id, move->to, move->reason,
				db_integer(c, lifecycle_conf.export_days),
				db_integer(c, lifecycle_conf.grace_days)));
	return e ? e : access_agreed(c, move->contract_id);
}

/* ---- by the clock ---- */

static enum err on_due(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct move *move = arg;
	move->contract_id = columns[0];
	move->to = columns[1];
	return OK;
}

enum err lifecycle_run(struct call *c, bool *more)
{
	struct move move = { .mover = MOVER_CLOCK };
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_each(c, DUE, DB_NONE, on_due, &move);
	if (e || !move.contract_id)
		return e;
	*more = true;
	return lifecycle_move(c, &move);
}

/* ---- by an operator ---- */

static enum err show(struct call *c, const char *id, const struct shape *shape, void *out)
{
	return db_row(c, CONTRACT_GET, DB_ARGS(id), shape, out);
}

enum err provisioning_contract_suspend(struct call *c,
	const struct provisioning_contract_suspend_in *in,
	struct provisioning_contract_suspend_out *out)
{
	const struct move move = { in->contract_id, "suspended", MOVER_PERSON, in->reason,
		in->if_match, NULL };
	enum err e = lifecycle_move(c, &move);
	return e ? e : show(c, in->contract_id, &provisioning_contract_suspend_out_shape, out);
}

enum err provisioning_contract_restore(struct call *c,
	const struct provisioning_contract_restore_in *in,
	struct provisioning_contract_restore_out *out)
{
	const struct move move = { in->contract_id, "active", MOVER_PERSON, in->reason,
		in->if_match, NULL };
	enum err e = lifecycle_move(c, &move);
	return e ? e : show(c, in->contract_id, &provisioning_contract_restore_out_shape, out);
}

enum err provisioning_contract_close(struct call *c,
	const struct provisioning_contract_close_in *in,
	struct provisioning_contract_close_out *out)
{
	const struct move move = { in->contract_id, "closed", MOVER_PERSON, in->reason,
		in->if_match, NULL };
	enum err e = lifecycle_move(c, &move);
	return e ? e : show(c, in->contract_id, &provisioning_contract_close_out_shape, out);
}

enum err provisioning_contract_hold_put(struct call *c,
	const struct provisioning_contract_hold_put_in *in,
	struct provisioning_contract_hold_put_out *out)
{
	struct contract contract;
	enum err e = take(c, in->contract_id, in->if_match, &contract);
	if (!e && (strcmp(contract.state, "purging") == 0 || strcmp(contract.state, "erased") == 0))
		e = fail_with(c, &WRONG_STATE, "%s", contract.state);
	if (!e)
		e = lock_legal_hold(c, contract.tenant_id);
	if (!e)
		e = change_for_customer(c, in->contract_id, contract.tenant_id,
			in->held ? NULL : USERS_RELEASE, DB_NONE);
	if (!e)
		e = db_exec_one(c, in->held ? HOLD : RELEASE, DB_ARGS(in->contract_id, in->reason));
	return e ? e : show(c, in->contract_id, &provisioning_contract_hold_put_out_shape, out);
}

enum err provisioning_contract_get(struct call *c, const struct provisioning_contract_get_in *in,
	struct provisioning_contract_get_out *out)
{
	return show(c, in->contract_id, &provisioning_contract_get_out_shape, out);
}

/* ---- by the customer ---- */

enum err provisioning_own_contract_get(struct call *c, struct provisioning_own_contract *out)
{
	return db_row(c, OWN_CONTRACT, DB_ARGS(db_integer(c, lifecycle_conf.grace_days)),
		&provisioning_own_contract_shape, out);
}
