/*
 * The second step of a login: a code, from who has shown the password already.
 *
 * Between the steps nothing is stored. What the first has found out travels with the client,
 * sealed, and gives no right to anything; it is void with the next change of the account. An
 * attempt is charged to the same budgets as a password, and only a whole login clears them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "services/auth/auth.h"

/* Enough to find the telephone; a challenge that lies about longer is of no use to its owner. */
#define CHALLENGE_LIFETIME_MS INT64_C(300000)
#define SEAL_NAME "challenge"

static const struct problem CODE_WRONG = { ERR_UNAUTHENTICATED, 401, "code_wrong",
	"確認コードが正しくないか、すでに使われています。新しいコードを入力してください。",
	"The code is not right or was used before. Enter a new one." };
static const struct problem START_AGAIN = { ERR_UNAUTHENTICATED, 401, "login_expired",
	"時間が過ぎました。もう一度はじめからログインしてください。",
	"That took too long. Please log in from the beginning." };

/* No row when the account has changed since. */
static const char ACCOUNT_GET[] =
	"SELECT role FROM account a WHERE id = $1 AND version = $2::integer"
	" AND status = 'active' AND EXISTS (SELECT FROM tenant t WHERE " ADMITS ")";

/* ---- the challenge ---- */

enum part {
	TENANT_ID,
	TENANT_CODE,
	USER_ID,
	VERSION,
	INITIAL,
	BEARER,
	SUBJECT,
	EXPIRES,
	PARTS,
};

const char *challenge_make(struct call *c, const struct entry *entry)
{
	return entry_seal(c, SEAL_NAME,
		arena_printf(c->arena, "%s %s %s %s %d %d %s %" PRId64, entry->tenant_id,
			entry->tenant_code, entry->user_id, entry->version, entry->is_initial,
			entry->is_bearer, crypto_hex(c->arena, entry->subject, HASH_SIZE),
			clock_unix_ms() + CHALLENGE_LIFETIME_MS));
}

static enum err challenge_open(struct call *c, const char *challenge, struct entry *entry)
{
	const char *text, *parts[PARTS] = { NULL };
	if (entry_open(c, SEAL_NAME, challenge, &text))
		return fail_as(c, &START_AGAIN);
	char *rest = arena_strdup(c->arena, text);
	for (size_t i = 0; i < PARTS; i++)
		parts[i] = strsep(&rest, " ");
	if (strtoll(parts[EXPIRES], NULL, 10) <= clock_unix_ms())
		return fail_as(c, &START_AGAIN);
	*entry = (struct entry){
		.tenant_id = parts[TENANT_ID],
		.tenant_key = tenant_key_of(c, parts[TENANT_ID]),
		.tenant_code = parts[TENANT_CODE],
		.user_id = parts[USER_ID],
		.version = parts[VERSION],
		.is_initial = parts[INITIAL][0] == '1',
		.is_bearer = parts[BEARER][0] == '1',
	};
	return crypto_from_hex(parts[SUBJECT], entry->subject, HASH_SIZE);
}

/* ---- the code ---- */

static enum err read_account(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct entry *entry = arg;
	entry->policy = policy_of(role_from_name(columns[0]));
	return OK;
}

static enum err verify(struct call *c, struct entry *entry, const char *code)
{
	bool is_right;
	enum err e = db_each(
		c, ACCOUNT_GET, DB_ARGS(entry->user_id, entry->version), read_account, entry);
	if (!e && !entry->policy)
		return fail_as(c, &START_AGAIN);
	if (!e)
		e = second_factor_use(c, entry->tenant_id, entry->user_id, code, &is_right);
	if (e)
		return e;
	if (!is_right) {
		source_note(c, entry->subject, false);
		return fail_as(c, &CODE_WRONG);
	}
	entry->factors = 2;
	return OK;
}

static void answer(
	struct call *c, const struct entry *entry, struct auth_session_second_factor_out *out)
{
	out->user_id = entry->user_id;
	out->role = role_name(entry->policy->role);
	out->must_change_password = entry->is_initial;
	if (entry->is_bearer)
		out->token = entry->token;
	else
		out->set_cookie = token_cookie(c, entry->token);
}

enum err auth_session_second_factor(struct call *c, const struct auth_session_second_factor_in *in,
	struct auth_session_second_factor_out *out)
{
	struct entry entry = { .tenant_id = NULL };
	enum err e = challenge_open(c, in->challenge, &entry);
	if (!e)
		e = entry_charge(c, &entry);
	if (!e)
		e = db_commit(c);
	if (e)
		return e;
	entry_name(c, &entry);
	db_begin(c->db, entry.tenant_key, true);
	e = verify(c, &entry, in->code);
	if (!e)
		e = entry_complete(c, &entry);
	if (!e)
		answer(c, &entry, out);
	return e;
}
