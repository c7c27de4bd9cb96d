/* What the ledger of erasures has to do with the database; see erasure.h. */
#include "services/provisioning/erasure.h"

#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/keyring_user.h"
#include "libcommon/log.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"

static const char CONTRACT_OF[] =
	"SELECT id, state FROM provisioning.contract WHERE customer_tenant_id = $1::uuid";

static const char IS_BACK[] = "SELECT EXISTS (SELECT FROM provisioning.person WHERE id = $1::uuid)";

/* ---- one user ---- */

/* An attempt that was cut short has named the key already, when it was still there. */
static enum err note(struct call *c, const char *user_id, struct erasure *out)
{
	struct erasure_ledger *ledger = keyring_ledger(c->keyring);
	const char *tenant_id = c->actor->tenant_id, *print;
	enum err e = erasure_find(ledger, c->arena, tenant_id, user_id, out);
	if (e != ERR_NOT_FOUND)
		return e;
	e = keyring_user_fingerprint(c->keyring, c->arena, tenant_id, user_id, &print);
	const struct erasure erasure = { .tenant_id = tenant_id,
		.user_id = user_id,
		.at = clock_now_text(c->arena),
		.keys = e ? "-" : arena_printf(c->arena, "user=%s", print) };
	if (!e || e == ERR_NOT_FOUND) /* one who is older than keys of users has none */
		e = erasure_add(ledger, &erasure);
	return e ? e : erasure_find(ledger, c->arena, tenant_id, user_id, out);
}

enum err erasure_of_user(struct call *c, const char *user_id, struct erasure *receipt)
{
	if (note(c, user_id, receipt))
		return fail(c, ERR_UNAVAILABLE, "the ledger of erasures cannot be written");
	enum err e = keyring_user_erase(c->keyring, c->actor->tenant_id, user_id);
	if (e && e != ERR_NOT_FOUND)
		return fail(c, ERR_UNAVAILABLE, "the key of a user cannot be destroyed");
	return OK;
}

/* ---- what a backup brought back ---- */

/* The ledger is read whole for each turn, so a turn looks at many lines. */
#define LINES_MAX 500

struct turn {
	struct call *c;
	size_t first, at; /* lines of the ledger */
	size_t n;
	struct erasure lines[LINES_MAX];
	bool is_back; /* one of them was: its changes are committed before the next is looked at */
};

static enum err on_line(void *arg, const struct erasure *erasure)
{
	struct turn *turn = arg;
	if (turn->at++ >= turn->first && turn->n < LINES_MAX)
		turn->lines[turn->n++] = (struct erasure){
			.tenant_id = arena_strdup(turn->c->arena, erasure->tenant_id),
			.user_id = arena_strdup(turn->c->arena, erasure->user_id),
		};
	return OK;
}

static enum err on_contract(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct move *move = arg;
	move->contract_id = columns[0];
	if (strcmp(columns[1], "purging") == 0 || strcmp(columns[1], "erased") == 0)
		move->to = NULL;
	return OK;
}

static enum err replay_tenant(struct turn *turn, const char *tenant_id)
{
	struct call *c = turn->c;
	struct move move = { .to = "purging", .mover = MOVER_LEDGER };
	enum err e = service_enter_tenant(c, OPERATOR_TENANT);
	if (!e)
		e = db_each(c, CONTRACT_OF, DB_ARGS(tenant_id), on_contract, &move);
	if (e || !move.to)
		return e;
	turn->is_back = true;
	if (!move.contract_id)
		return purge_leavings(c, tenant_id);
	log_event(LOG_LEVEL_WARNING, "an erased tenant is back and goes again",
		LOG_TEXT("tenant", tenant_id));
	return lifecycle_move(c, &move);
}

static enum err replay_user(struct turn *turn, const char *tenant_id, const char *user_id)
{
	struct call *c = turn->c;
	const char *is_back;
	enum err e = service_enter_tenant(c, tenant_id);
	if (!e)
		e = db_text(c, IS_BACK, DB_ARGS(user_id), &is_back);
	if (e || *is_back != 't')
		return e;
	turn->is_back = true;
	log_event(LOG_LEVEL_WARNING, "an erased user is back and goes again",
		LOG_TEXT("tenant", tenant_id), LOG_TEXT("user", user_id));
	return user_erase(c, user_id);
}

static enum err replay(struct turn *turn, const struct erasure *line)
{
	bool is_tenant = strcmp(line->user_id, ERASURE_ALL) == 0;
	return is_tenant ? replay_tenant(turn, line->tenant_id)
			 : replay_user(turn, line->tenant_id, line->user_id);
}

/* What failed is tried again, for which all is looked at: at once, when auth was not there yet, and
 * after some rounds once a minute. */
#define REST_TURNS_MAX 30

/* Once through the ledger. */
struct round {
	size_t done; /* lines */
	unsigned rest, next_rest; /* turns until it begins, and the next one */
	bool has_failed, is_over;
};

static struct round round_after(const struct round *round)
{
	unsigned longer = 2 * round->next_rest + 1;
	return (struct round){ .rest = round->next_rest,
		.next_rest = longer < REST_TURNS_MAX ? longer : REST_TURNS_MAX,
		.is_over = !round->has_failed };
}

/*
 * A database that is restored while we run is one that we were told nothing of: operations.md has
 * it done with the services stopped. A line that fails, because a roster is held for an archive or
 * a key cannot be read, holds up no other. Only the one job thread comes here.
 */
enum err erasure_replay(struct call *c, bool *more)
{
	static struct round round;
	if (round.is_over || (round.rest && round.rest--))
		return OK;
	struct turn *turn = arena_alloc(c->arena, sizeof(*turn));
	turn->c = c;
	turn->first = round.done;
	enum err e = erasure_each(keyring_ledger(c->keyring), c->arena, on_line, turn);
	if (e)
		return fail(c, e, "the ledger of erasures cannot be read");
	size_t seen = 0;
	while (seen < turn->n && !turn->is_back && !e)
		e = replay(turn, &turn->lines[seen++]);
	round.done += seen;
	round.has_failed |= e != OK;
	*more = !e && turn->n > 0;
	if (turn->n == 0)
		round = round_after(&round);
	return e;
}
