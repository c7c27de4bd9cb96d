/* Rows of an import against the database: sets, not loops, so that 10,000 people take seconds. */
#include <stdlib.h>
#include <string.h>

#include "auth_proto.h"
#include "libcommon/db.h"
#include "libcommon/personal.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

static const char PEOPLE_FIND[] = "SELECT wanted.nth - 1, id, role, grade, " SEALED(
	"id", "name") " FROM unnest($1::text[]) WITH ORDINALITY AS wanted (login_index, nth)"
		      " JOIN provisioning.person USING (login_index)";

static const char PEOPLE_CREATE[] =
	"INSERT INTO provisioning.person (id, login, login_index, role, name, grade)"
	" SELECT u.id, u.login, u.login_index, u.role, u.name, nullif(u.grade, '')"
	" FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
	" AS u (id, login, login_index, role, name, grade)";

/* A grade that the file leaves out stays as it is. */
static const char PEOPLE_UPDATE[] =
	"UPDATE provisioning.person p SET version = p.version + 1, name = u.name,"
	" grade = coalesce(nullif(u.grade, ''), p.grade)"
	" FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
	" AS u (id, login, login_index, role, name, grade) WHERE p.id = u.id";

/* Plans made while a table was nearly empty read all of it, row by row, also those that check
 * foreign keys; after thousands of new rows that takes minutes. The next use of each plans again.
 */
static const char PLANS_FORGET[] = "DISCARD PLANS";

enum err import_replan(struct call *c)
{
	return db_exec(c, PLANS_FORGET, DB_NONE);
}

/* ---- which rows are people we have ---- */

/* A value that the file leaves out stays as it is. */
static bool is_same(const char *ours, const char *theirs)
{
	return theirs == NULL || (ours != NULL && strcmp(ours, theirs) == 0);
}

static bool is_same_name(
	const char *const parts[NAME_PARTS], const struct provisioning_user_create_in *user)
{
	return is_same(parts[0], user->family_name.text) &&
		is_same(parts[1], user->given_name.text) &&
		is_same(parts[2], user->kana_family_name.text) &&
		is_same(parts[3], user->kana_given_name.text);
}

static enum err on_person(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct import *import = arg;
	struct import_row *row = &import->rows[strtoull(columns[0], NULL, 10)];
	const struct provisioning_user_create_in *user = &row->user;
	const char *parts[NAME_PARTS];
	enum err e = name_open(c, columns[4], parts);
	if (e)
		return e;
	row->id = arena_strdup(c->arena, columns[1]);
	row->is_new = false;
	row->is_changed = !is_same_name(parts, user) || !is_same(columns[3], user->grade);
	if (!is_same(columns[2], user->role))
		import_refuse(import, import->role_column,
			(struct csv_fault){ row->number, "role_change",
				"登録済みの利用者のロールは変えられません。",
				"The role of a user who is there cannot change." });
	return OK;
}

enum err import_match(struct import *import)
{
	struct call *c = import->c;
	if (import->n == 0)
		return OK;
	const char **indexes = arena_array(c->arena, import->n, sizeof(*indexes));
	for (size_t i = 0; i < import->n; i++) {
		struct import_row *row = &import->rows[i];
		row->index.value = ""; /* a wrong login name is in out->errors */
		enum err e = row->user.username.text
			? personal_index(c, row->user.username, &row->index)
			: OK;
		if (e)
			return e;
		indexes[i] = row->index.value;
		row->is_new = true;
	}
	return db_each(
		c, PEOPLE_FIND, DB_ARGS(db_text_array(c, indexes, import->n)), on_person, import);
}

/* ---- ids of the others ---- */

static enum err make_keys(struct import *import)
{
	struct call *c = import->c;
	const char **ids = arena_array(c->arena, import->intents_n, sizeof(*ids));
	for (size_t i = 0; i < import->intents_n; i++)
		ids[i] = import->intents[i].id;
	return import->intents_n > 0 ? people_keys(c, ids, import->intents_n) : OK;
}

enum err import_intend(struct import *import)
{
	struct call *c = import->c;
	struct intent *intents = arena_array(c->arena, import->n, sizeof(*intents));
	size_t n = 0, at = 0;
	for (size_t i = 0; i < import->n; i++)
		if (import->rows[i].is_new)
			intents[n++].name = PERSON_INTENT(c, import->rows[i].index);
	enum err e = intent_declare(c, intents, n);
	for (size_t i = 0; i < import->n && !e; i++)
		if (import->rows[i].is_new)
			import->rows[i].id = intents[at++].id;
	import->intents = intents;
	import->intents_n = n;
	return e ? e : make_keys(import);
}

void import_pretend(struct import *import)
{
	for (size_t i = 0; i < import->n; i++)
		if (import->rows[i].is_new)
			import->rows[i].id = uuid_make(import->c->arena);
}

/* ---- columns of rows ---- */

enum { ID, LOGIN, INDEX, ROLE, NAME, GRADE, USER_COLUMNS };

struct people {
	const char **columns[USER_COLUMNS];
	size_t n;
};

/* Whom a dry run only pretends to make has no key. */
static enum err seal_names(const struct import *import, const struct import_row *row,
	const char **name, const char **login)
{
	const struct provisioning_user_create_in *user = &row->user;
	const char *const parts[NAME_PARTS] = { user->family_name.text, user->given_name.text,
		user->kana_family_name.text, user->kana_given_name.text };
	bool is_nobody = row->is_new && !import->out->applied;
	enum err e = is_nobody ? name_seal_nobody(import->c, row->id, parts, name)
			       : name_seal(import->c, row->id, parts, name);
	if (e)
		return e;
	return is_nobody ? login_seal_nobody(import->c, row->id, user->username, login)
			 : login_seal(import->c, row->id, user->username, login);
}

static enum err add_person(
	const struct import *import, struct people *people, const struct import_row *row)
{
	const struct provisioning_user_create_in *user = &row->user;
	const char *values[USER_COLUMNS] = {
		[ID] = row->id,
		[INDEX] = row->index.value,
		[ROLE] = user->role,
		[GRADE] = user->grade != NULL ? user->grade : "",
	};
	enum err e = seal_names(import, row, &values[NAME], &values[LOGIN]);
	for (int i = 0; i < USER_COLUMNS && !e; i++)
		people->columns[i][people->n] = values[i];
	people->n++;
	return e;
}

static struct people people_new(struct import *import)
{
	struct people people = { 0 };
	for (int i = 0; i < USER_COLUMNS; i++)
		people.columns[i] = arena_array(import->c->arena, import->n, sizeof(const char *));
	return people;
}

/* One statement with a column per array, whatever the number of rows. Of whom a dry run only
 * pretends to make nothing can be told: events of people lie under their keys. */
static enum err write_people(
	const struct import *import, const char *sql, const struct people *people)
{
	struct call *c = import->c;
	const char *values[USER_COLUMNS];
	if (people->n == 0)
		return OK;
	for (int i = 0; i < USER_COLUMNS; i++)
		values[i] = db_text_array(c, people->columns[i], people->n);
	enum err e = db_exec(c, sql, (struct db_args){ values, USER_COLUMNS });
	if (!e)
		e = import_replan(c);
	if (e || !import->out->applied)
		return e;
	return people_tell(c, people->columns[ID], people->n);
}

static enum err put_people(struct import *import)
{
	struct people created = people_new(import), changed = people_new(import);
	enum err e = OK;
	for (size_t i = 0; i < import->n && !e; i++) {
		const struct import_row *row = &import->rows[i];
		if (row->is_new || row->is_changed)
			e = add_person(import, row->is_new ? &created : &changed, row);
	}
	if (!e)
		e = write_people(import, PEOPLE_CREATE, &created);
	return e ? e : write_people(import, PEOPLE_UPDATE, &changed);
}

enum err import_apply(struct import *import)
{
	enum err e = put_people(import);
	return e ? e : import_place(import);
}

/* ---- accounts ---- */

#define BATCH 1000 /* account_put's maxItems */

/* Rows whose people get their accounts with one call. */
struct batch {
	struct import_row *rows[BATCH];
	size_t n;
};

static int compare_ids(const void *a, const void *b)
{
	const struct import_row *const *left = a, *const *right = b;
	return strcmp((*left)->id, (*right)->id);
}

static int compare_id(const void *key, const void *row)
{
	return strcmp(key, (*(struct import_row *const *)row)->id);
}

static enum err note_secret(
	struct import *import, const struct batch *batch, const struct auth_initial_secret *issued)
{
	struct provisioning_user_import_out *out = import->out;
	struct import_row *const *found =
		bsearch(issued->user_id, batch->rows, batch->n, sizeof(*batch->rows), compare_id);
	if (found == NULL || (*found)->has_secret)
		return fail(import->c, ERR_INTERNAL, "auth issued a secret that nobody asked for");
	struct import_row *row = *found;
	row->has_secret = true;
	out->secrets.items[out->secrets.n++] = (struct provisioning_issued_secret){
		.username = row->user.username,
		.family_name = row->user.family_name,
		.given_name = row->user.given_name,
		.class_title = row->classes_n > 0 ? row->classes[0].title : NULL,
		.secret = issued->secret,
	};
	return OK;
}

/* Batches are calls of their own: each is done or not, and doing it again changes nothing. */
static enum err open_batch(struct import *import, struct batch *batch)
{
	struct auth_account_put_in in = { .accounts.n = batch->n };
	struct auth_account_put_out put = { 0 };
	if (batch->n == 0)
		return OK;
	in.accounts.items = arena_array(import->c->arena, batch->n, sizeof(*in.accounts.items));
	for (size_t i = 0; i < batch->n; i++) {
		const struct import_row *row = batch->rows[i];
		in.accounts.items[i] =
			(struct auth_account){ row->id, row->user.username.text, row->user.role };
	}
	enum err e = auth_account_put_call(import->c, &in, &put);
	if (!e && put.secrets.n != batch->n)
		e = fail(import->c, ERR_INTERNAL, "auth opened accounts without a secret");
	qsort(batch->rows, batch->n, sizeof(*batch->rows), compare_ids);
	for (size_t i = 0; i < put.secrets.n && !e; i++)
		e = note_secret(import, batch, &put.secrets.items[i]);
	batch->n = 0;
	return e;
}

enum err import_open_accounts(struct import *import)
{
	struct call *c = import->c;
	struct batch *batch = arena_alloc(c->arena, sizeof(*batch));
	import->out->secrets.items =
		arena_array(c->arena, import->n, sizeof(*import->out->secrets.items));
	enum err e = OK;
	for (size_t i = 0; i < import->n && !e; i++) {
		if (import->rows[i].is_new)
			batch->rows[batch->n++] = &import->rows[i];
		if (batch->n == BATCH)
			e = open_batch(import, batch);
	}
	return e ? e : open_batch(import, batch);
}
