/*
 * Users: people of a contract. Their accounts (login name, password, status) are auth's, under the
 * same id, and are changed in the same call.
 *
 * auth is asked before anything is written here, because a transaction that has written holds back
 * the relays of all services (pg_snapshot_xmin), and auth may be slow. If our own commit fails
 * then, auth is ahead: the caller was told of a failure and sends the same again, and every call to
 * auth has the same effect twice. A new account has an id that was intended before
 * (libcommon/intent.h).
 */
#include <string.h>

#include "auth_proto.h"
#include "libcommon/db.h"
#include "libcommon/keyring_user.h"
#include "libcommon/label.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "services/provisioning/provisioning.h"

static const struct problem USERNAME_TAKEN = { ERR_CONFLICT, 409, "username_taken",
	"この利用者IDはすでに使われています。", "This login name is taken." };

#define USER_COLUMNS                                                                               \
	"p.id, " SEALED("p.id", "p.login") " AS username, p.role, " SEALED(                        \
		"p.id", "p.name") " AS name, p.grade, p.version, p.label, " PERSON_STATUS          \
				  " AS status, (SELECT tenancy.stamp(x.due_at) FROM "              \
				  "provisioning.user_erasure x WHERE x.tenant_id = p.tenant_id "   \
				  "AND x.user_id = p.id AND provisioning.held_since() IS NULL)"    \
				  " AS erase_at,"                                                  \
				  " (SELECT k.title FROM provisioning.effective_enrollment e "     \
				  "JOIN provisioning.class k"                                      \
				  "  ON k.tenant_id = e.tenant_id AND k.id = e.class_id"           \
				  "  WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id "        \
				  "AND " CLASS_NAMED " ORDER "                                     \
				  "BY k.title, k.id LIMIT 1)"                                      \
				  " AS class_title"

static const char USER_CREATE[] =
	"INSERT INTO provisioning.person (id, login, login_index, role, name, grade)"
	" VALUES ($1::uuid, $2, $3, $4, $5, $6)";

static const char USER_GET[] =
	"SELECT " USER_COLUMNS " FROM provisioning.person p WHERE p.id = $1::uuid";

static const char USER_GET_WITH_ETAG[] =
	"SELECT " USER_COLUMNS ", '\"v' || p.version || '\"' AS etag"
	" FROM provisioning.person p WHERE p.id = $1::uuid";

static const char LISTED[] = "SELECT p.id, " SEALED("p.id",
	"p.name") " FROM provisioning.person p"
		  " WHERE ($1::text IS NULL OR p.role = $1)"
		  " AND ($2::uuid IS NULL OR EXISTS (SELECT FROM provisioning.enrollment e"
		  " JOIN provisioning.class k ON k.tenant_id = e.tenant_id AND k.id = e.class_id"
		  "  WHERE e.tenant_id = p.tenant_id AND e.user_id = p.id AND e.class_id = "
		  "$2::uuid AND " CLASS_REACHED("$4") ")) AND " PERSON_SOUGHT("$3");

static const char USER_PAGE[] = "SELECT " USER_COLUMNS " FROM provisioning.person p"
				" WHERE p.id = ANY ($1::uuid[])";

static const char NAME_GET[] =
	"SELECT " SEALED("id", "name") " FROM provisioning.person WHERE id = $1::uuid";

static const char VERSION_LOCK[] =
	"SELECT version FROM provisioning.person WHERE id = $1::uuid FOR UPDATE";

static const char USER_UPDATE[] = "UPDATE provisioning.person SET version = version + 1, name = $2,"
				  " grade = coalesce($3, grade) WHERE id = $1::uuid";

static const char USERNAME_OWNER[] =
	"SELECT count(*) FROM provisioning.person WHERE login_index = $1";

static const char EXISTS[] = "SELECT id FROM provisioning.person WHERE id = $1::uuid";

/* ---- create ---- */

static enum err open_account(
	struct call *c, const char *id, const char *username, const char *role, const char **secret)
{
	struct auth_account account = { .user_id = id, .username = username, .role = role };
	const struct auth_account_put_in in = { .accounts = { &account, 1 } };
	struct auth_account_put_out out = { 0 };
	enum err e = auth_account_put_call(c, &in, &out);
	if (!e && out.secrets.n != 1)
		e = fail(c, ERR_INTERNAL, "auth opened an account without a secret");
	if (!e)
		*secret = out.secrets.items[0].secret;
	return e;
}

/* Nobody else takes the name before this transaction ends. */
static enum err reserve(struct call *c, struct blind_index index)
{
	const char *taken;
	enum err e = lock_roster_share(c);
	if (!e)
		e = lock_hold(c, "username", index.value);
	if (!e)
		e = db_text(c, USERNAME_OWNER, DB_ARGS(index.value), &taken);
	if (!e && strcmp(taken, "0") != 0)
		e = fail_as(c, &USERNAME_TAKEN);
	return e;
}

enum err people_keys(struct call *c, const char *const *ids, size_t n)
{
	if (keyring_user_create(c->keyring, c->actor->tenant_id, ids, n))
		return fail(c, ERR_UNAVAILABLE, "the keyring cannot be written");
	return OK;
}

static enum err write_user(struct call *c, const struct provisioning_user_create_in *in,
	struct blind_index index, const struct intent *person)
{
	const char *const parts[NAME_PARTS] = { in->family_name.text, in->given_name.text,
		in->kana_family_name.text, in->kana_given_name.text };
	const char *name, *login;
	enum err e = people_keys(c, &person->id, 1);
	if (!e)
		e = name_seal(c, person->id, parts, &name);
	if (!e)
		e = login_seal(c, person->id, in->username, &login);
	if (e)
		return e;
	e = db_exec(
		c, USER_CREATE, DB_ARGS(person->id, login, index.value, in->role, name, in->grade));
	if (e == ERR_CONFLICT)
		return fail_as(c, &USERNAME_TAKEN);
	if (!e)
		e = people_tell(c, &person->id, 1);
	return e ? e : intent_fulfil(c, person, 1);
}

/*
 * Whatever fails after the account was opened, the next attempt for this name goes on with it.
 * Nobody can enter it meanwhile, its secret went with the answer that was lost. What is written was
 * checked before: the contract's limits are the table's, and the name is reserved.
 */
enum err provisioning_user_create(struct call *c, const struct provisioning_user_create_in *in,
	struct provisioning_user_create_out *out)
{
	struct blind_index index = { NULL };
	enum err e = personal_index(c, in->username, &index);
	if (e)
		return e;
	struct intent person = { .name = PERSON_INTENT(c, index) };
	out->user = arena_alloc(c->arena, sizeof(*out->user));
	e = reserve(c, index);
	if (!e)
		e = intent_declare(c, &person, 1);
	c->object_id = c->about.user_id = person.id;
	if (!e)
		e = open_account(c, person.id, in->username.text, in->role, &out->initial_secret);
	if (!e)
		e = write_user(c, in, index, &person);
	return e ? e : db_row(c, USER_GET, DB_ARGS(person.id), &provisioning_user_shape, out->user);
}

/* ---- read ---- */

/* The provider's own people are auth's alone, and there is one name for them (auth/tenant.c). */
#define OPERATOR_USERNAME "operator"

static const char SELF[] =
	"SELECT " SEALED("id", "login") " AS username FROM provisioning.person WHERE id = $1::uuid";

enum err provisioning_self_get(struct call *c, struct provisioning_own *out)
{
	if (c->actor->role != ROLE_OPERATOR)
		return db_row(c, SELF, DB_ARGS(c->actor->user_id), &provisioning_own_shape, out);
	out->username.text = OPERATOR_USERNAME;
	return OK;
}

enum err provisioning_user_get(struct call *c, const struct provisioning_user_get_in *in,
	struct provisioning_user_get_out *out)
{
	return db_row(
		c, USER_GET_WITH_ETAG, DB_ARGS(in->user_id), &provisioning_user_get_out_shape, out);
}

enum err provisioning_user_list(struct call *c, const struct provisioning_user_list_in *in,
	struct provisioning_user_list_out *out)
{
	struct page page;
	struct roster roster = { .q = in->q };
	enum err e = page_read(c, in->cursor, in->has_limit, in->limit, 2, &page);
	if (!e)
		e = roster_read(c, LISTED,
			DB_ARGS(in->role, in->class_id, in->q ? label_reach(c) : NULL,
				label_reach(c)),
			&roster);
	if (!e && in->class_id)
		e = classes_hide(c, in->class_id);
	if (e)
		return e;
	const struct roster_page shown = roster_cut(c, &roster, &page);
	out->next_cursor = shown.next_cursor;
	return roster_rows(c, USER_PAGE, &shown, &provisioning_user_shape, &out->items);
}

/* ---- change ---- */

/* The name with what changes of it, sealed anew. The row is locked. */
static enum err changed_name(
	struct call *c, const struct provisioning_user_update_in *in, const char **sealed)
{
	const char *const changed[NAME_PARTS] = { in->family_name.text, in->given_name.text,
		in->kana_family_name.text, in->kana_given_name.text };
	const char *parts[NAME_PARTS], *present;
	enum err e = db_text(c, NAME_GET, DB_ARGS(in->user_id), &present);
	if (!e)
		e = name_open(c, present, parts);
	for (size_t i = 0; i < NAME_PARTS && !e; i++)
		if (changed[i])
			parts[i] = changed[i];
	return e ? e : name_seal(c, in->user_id, parts, sealed);
}

enum err provisioning_user_update(struct call *c, const struct provisioning_user_update_in *in,
	struct provisioning_user_update_out *out)
{
	const char *name = NULL;
	enum err e = version_check(c, VERSION_LOCK, in->user_id, in->if_match);
	if (!e)
		e = changed_name(c, in, &name);
	if (!e)
		e = db_exec_one(c, USER_UPDATE, DB_ARGS(in->user_id, name, in->grade));
	if (!e)
		e = people_tell(c, &in->user_id, 1);
	return e ? e
		 : db_row(c, USER_GET_WITH_ETAG, DB_ARGS(in->user_id),
			   &provisioning_user_update_out_shape, out);
}

enum err provisioning_user_secret_issue(struct call *c,
	const struct provisioning_user_secret_issue_in *in,
	struct provisioning_user_secret_issue_out *out)
{
	const char *id;
	struct auth_initial_secret issued = { 0 };
	enum err e = db_text(c, EXISTS, DB_ARGS(in->user_id), &id);
	if (!e)
		e = auth_account_secret_issue_call(c,
			&(struct auth_account_secret_issue_in){ .user_id = in->user_id }, &issued);
	out->initial_secret = issued.secret;
	return e;
}
