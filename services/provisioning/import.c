/*
 * Import of users from CSV: read, match, open accounts, write. Nothing is applied if any row is
 * bad; a dry run writes the same and takes it back. Nothing is ever deleted because a file lacks
 * it.
 *
 * auth is asked before anything is written, see user.c. If writing fails then, accounts are there
 * that nobody can enter, and the next import, or user_create, of these login names goes on with
 * them.
 */
#include "libcommon/db.h"
#include "libcommon/uuid.h"
#include "services/provisioning/provisioning.h"

/* For the record. */
static const char IMPORT_NOTE[] =
	"INSERT INTO provisioning.user_import (id, people, creates, updates)"
	" VALUES ($1::uuid, $2::integer, $3::integer, $4::integer)";

void import_refuse(struct import *import, const char *column, struct csv_fault fault)
{
	struct provisioning_user_import_out *out = import->out;
	if (out->errors.n == IMPORT_ERRORS_MAX)
		return;
	if (out->errors.items == NULL)
		out->errors.items = arena_array(
			import->c->arena, IMPORT_ERRORS_MAX, sizeof(*out->errors.items));
	out->errors.items[out->errors.n++] = (struct provisioning_cell_error){
		.row = fault.row < 1 ? 1 : fault.row, /* of the file as a whole: its first row */
		.column = column,
		.code = fault.code,
		.detail = import->c->language == LANGUAGE_EN ? fault.en : fault.ja,
	};
}

static void count(struct import *import)
{
	struct provisioning_user_import_out *out = import->out;
	out->rows = (int64_t)import->n;
	for (size_t i = 0; i < import->n; i++) {
		out->creates += import->rows[i].is_new;
		out->updates += import->rows[i].is_changed;
	}
}

static enum err try_to_apply(struct import *import)
{
	struct call *c = import->c;
	import_pretend(import);
	enum err e = db_savepoint(c);
	if (!e)
		e = import_apply(import);
	return e ? e : db_savepoint_rollback(c);
}

static enum err write(struct import *import)
{
	struct call *c = import->c;
	const struct provisioning_user_import_out *out = import->out;
	enum err e = import_apply(import);
	if (!e)
		e = db_exec(c, IMPORT_NOTE,
			DB_ARGS(uuid_make(c->arena), db_integer(c, out->rows),
				db_integer(c, out->creates), db_integer(c, out->updates)));
	return e ? e : intent_fulfil(c, import->intents, import->intents_n);
}

static enum err apply(struct import *import)
{
	import->out->applied = true;
	enum err e = import_intend(import);
	if (!e)
		e = import_open_accounts(import);
	return e ? e : write(import);
}

enum err provisioning_user_import(struct call *c, const struct provisioning_user_import_in *in,
	struct provisioning_user_import_out *out)
{
	struct import import = { .c = c, .out = out };
	import_read(&import, in->body);
	enum err e = in->dry_run ? OK : lock_roster(c);
	if (!e)
		e = import_match(&import);
	if (!e && out->errors.n == 0)
		e = import_check_places(&import);
	if (e)
		return e;
	count(&import);
	if (out->errors.n > 0)
		return OK;
	return in->dry_run ? try_to_apply(&import) : apply(&import);
}
