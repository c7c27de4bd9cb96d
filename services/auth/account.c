/* Accounts: what provisioning tells about users. Each statement takes a whole batch. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "services/auth/auth.h"

#define GIVEN                                                                                      \
	" unnest($1::uuid[], $2::text[], $3::text[])"                                              \
	" WITH ORDINALITY AS g(id, login_index, role, nth)"

/* Which of the names belong to somebody else already. */
static const char NAMES_TAKEN[] =
	"SELECT g.nth - 1 FROM" GIVEN " JOIN account a ON a.login_index = g.login_index"
	" AND a.id <> g.id"
	" ORDER BY g.nth LIMIT 100";

/* Another role or secret, another session. */
static const char ROLE_CHANGES[] = "UPDATE session s SET revoked_at = " MOMENT(
	4) " FROM" GIVEN " JOIN account a ON a.id = g.id"
	   " AND (a.role <> g.role OR a.password IS NULL)"
	   " WHERE s.user_id = a.id AND s.tenant_id = a.tenant_id AND s.revoked_at IS NULL"
	   " RETURNING s.id, encode(s.token_hash, 'hex')";

/* An account that nobody has taken into use gets a new secret: whoever asks for it again was not
 * told the first. */
static const char ACCOUNT_PUT[] =
	"INSERT INTO account AS a (id, login_index, role, secret_hash, secret_expires_at)"
	" SELECT g.id, g.login_index, g.role, decode(g.secret_hash, 'hex'), " MOMENT(
		5) " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])"
		   " AS g(id, login_index, role, secret_hash)"
		   " ON CONFLICT (tenant_id, id) DO UPDATE SET login_index = CASE WHEN"
		   " a.status <> 'deleted' THEN excluded.login_index END,"
		   " role = excluded.role, secret_used_at = CASE WHEN a.password IS NOT NULL"
		   " THEN a.secret_used_at END, secret_hash = CASE WHEN a.password IS NULL"
		   " THEN excluded.secret_hash ELSE a.secret_hash END,"
		   " secret_expires_at = CASE WHEN a.password IS NULL"
		   " THEN excluded.secret_expires_at ELSE a.secret_expires_at END,"
		   " version = a.version + (a.role <> excluded.role OR a.password IS NULL)::integer"
		   " RETURNING id, password IS NULL";

static const char STATUS_PUT[] =
	"UPDATE account SET status = $2, version = version + 1,"
	" login_index = CASE WHEN $2 <> 'deleted' THEN login_index END,"
	" password = CASE WHEN $2 <> 'deleted' THEN password END,"
	" secret_hash = CASE WHEN $2 <> 'deleted' THEN secret_hash END,"
	" secret_expires_at = CASE WHEN $2 <> 'deleted' THEN secret_expires_at END"
	" WHERE id = $1 AND (status <> 'deleted' OR $2 = 'deleted')"; /* nobody comes back */

static const char SECRET_ISSUE[] =
	"UPDATE account a SET password = NULL, secret_hash = decode($2, 'hex'),"
	" secret_expires_at = " MOMENT(3) ", secret_used_at = NULL, version = a.version + 1"
					  " FROM tenant t WHERE a.id = $1 AND a.status <> "
					  "'deleted' AND t.tenant_id = a.tenant_id"
					  " RETURNING a.login_index, t.code";

static const char TENANT_DENY[] = "UPDATE tenant SET denied = $1::text[]";
static const char ACCOUNT_DENY[] =
	"UPDATE account SET denied = $2::text[] WHERE id = $1 AND status <> 'deleted'";
/* ---- putting many ---- */

struct row {
	const struct auth_account *account;
	const char *secret;
};

struct batch {
	size_t n;
	struct row *rows; /* sorted by id */
	const char *ids, *indexes, *roles, *hashes; /* arrays for SQL, in the order given */
	struct auth_account_put_out *out;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	return strcmp(left->account->user_id, right->account->user_id);
}

static enum err fill(struct call *c, const struct auth_account_put_in *in, struct batch *batch)
{
	auto_secret(key, KEY_SIZE);
	size_t n = batch->n = in->accounts.n;
	enum err e = login_key_of(c, c->actor->tenant_id, key);
	if (e)
		return e;
	const char **texts = arena_array(c->arena, 4 * n, sizeof *texts);
	batch->rows = arena_array(c->arena, n, sizeof *batch->rows);
	for (size_t i = 0; i < n; i++) {
		const struct auth_account *account = &in->accounts.items[i];
		batch->rows[i] = (struct row){ account, secret_new(c) };
		texts[i] = account->user_id;
		texts[n + i] = login_index(c, key, account->username);
		texts[2 * n + i] = account->role;
		texts[3 * n + i] = secret_hash(
			c, c->actor->tenant_id, account->user_id, batch->rows[i].secret);
	}
	batch->ids = db_text_array(c, texts, n);
	batch->indexes = db_text_array(c, texts + n, n);
	batch->roles = db_text_array(c, texts + 2 * n, n);
	batch->hashes = db_text_array(c, texts + 3 * n, n);
	qsort(batch->rows, n, sizeof *batch->rows, compare_rows);
	for (size_t i = 1; i < n; i++)
		if (compare_rows(&batch->rows[i - 1], &batch->rows[i]) == 0)
			return fail_field(c, "/accounts", "同じユーザーが2回含まれています。",
				"names one user twice");
	return OK;
}

static enum err note_taken(struct call *c, void *arg, const char *const *columns, size_t n)
{
	bool *is_taken = arg;
	*is_taken = true;
	(void)fail_field(c, arena_printf(c->arena, "/accounts/%s/username", columns[0]),
		"このユーザー名はすでに使われています。", "is taken by another user");
	return OK;
}

static enum err check_names(struct call *c, const struct batch *batch)
{
	bool is_taken = false;
	enum err e = db_each(c, NAMES_TAKEN, DB_ARGS(batch->ids, batch->indexes, batch->roles),
		note_taken, &is_taken);
	return !e && is_taken ? ERR_INVALID : e;
}

static enum err give_secret(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct batch *batch = arg;
	const struct auth_account wanted = { .user_id = columns[0] };
	const struct row key = { .account = &wanted };
	if (columns[1][0] != 't')
		return OK;
	const struct row *row =
		bsearch(&key, batch->rows, batch->n, sizeof *batch->rows, compare_rows);
	batch->out->secrets.items[batch->out->secrets.n++] = (struct auth_initial_secret){
		.user_id = row->account->user_id,
		.secret = row->secret,
	};
	return OK;
}

enum err auth_account_put(
	struct call *c, const struct auth_account_put_in *in, struct auth_account_put_out *out)
{
	struct batch batch = { .out = out };
	out->secrets.items = arena_array(c->arena, in->accounts.n, sizeof *out->secrets.items);
	enum err e = fill(c, in, &batch);
	if (!e)
		e = check_names(c, &batch);
	if (!e)
		e = sessions_change(c, ROLE_CHANGES,
			DB_ARGS(batch.ids, batch.indexes, batch.roles,
				db_integer(c, clock_unix_ms())),
			NULL);
	if (e)
		return e;
	return db_each(c, ACCOUNT_PUT,
		DB_ARGS(batch.ids, batch.indexes, batch.roles, batch.hashes, secret_end(c)),
		give_secret, &batch);
}

/* ---- one account ---- */

enum err auth_account_status_put(struct call *c, const struct auth_account_status_put_in *in)
{
	enum err e = db_exec_one(c, STATUS_PUT, DB_ARGS(in->user_id, in->status));
	if (!e && strcmp(in->status, "deleted") == 0)
		e = second_factor_forget(c, in->user_id);
	if (e || strcmp(in->status, "active") == 0)
		return e;
	return sessions_end(c, in->user_id, NULL);
}

struct issued {
	const char *login_index, *tenant_code;
};

static enum err read_issued(struct call *c, void *arg, const char *const *columns, size_t n)
{
	*(struct issued *)arg = (struct issued){ columns[0], columns[1] };
	return OK;
}

enum err auth_account_secret_issue(struct call *c, const struct auth_account_secret_issue_in *in,
	struct auth_initial_secret *out)
{
	struct issued issued = { 0 };
	unsigned char subject[HASH_SIZE];
	out->user_id = in->user_id;
	out->secret = secret_new(c);
	const char *hash = secret_hash(c, c->actor->tenant_id, in->user_id, out->secret);
	enum err e = db_each(
		c, SECRET_ISSUE, DB_ARGS(in->user_id, hash, secret_end(c)), read_issued, &issued);
	if (!e && !issued.login_index)
		e = fail(c, ERR_NOT_FOUND, "no such account");
	if (e)
		return e;
	/* Whoever forgot a password has tried it often: the new secret is good at once. */
	throttle_subject(c, issued.tenant_code, issued.login_index, subject);
	e = throttle_clear(c, subject);
	return e ? e : sessions_end(c, in->user_id, NULL);
}

/* ---- features ---- */

enum err auth_feature_put(struct call *c, const struct auth_feature_put_in *in)
{
	const char *denied = db_text_array(c, in->denied.items, in->denied.n);
	enum err e = in->user_id ? db_exec_one(c, ACCOUNT_DENY, DB_ARGS(in->user_id, denied))
				 : db_exec_one(c, TENANT_DENY, DB_ARGS(denied));
	if (e)
		return e;
	return sessions_renew(c, in->user_id);
}
