/*
 * Who may not come in: suspended users, and those who are to be deleted (OneRoster's tobedeleted),
 * until they are restored or their time of grace is over (user_erasure.c). For auth and the others
 * both are suspended.
 */
#include <string.h>

#include "auth_proto.h"
#include "events_proto.h"
#include "libcommon/outbox.h"
#include "libcommon/uuid.h"
#include "services/provisioning/access_ask.h"
#include "services/provisioning/erasure.h"
#include "services/provisioning/lifecycle.h"
#include "services/provisioning/provisioning.h"

static const struct problem YOURSELF = { ERR_CONFLICT, 409, "own_account",
	"自分自身のアカウントにはできません。", "Not to your own account." };
static const struct problem TO_BE_DELETED = { ERR_CONFLICT, 409, "user_tobedeleted",
	"削除を待っている利用者です。先に復活させてください。",
	"The user is to be deleted: restore first." };
static const struct problem NOT_TO_BE_DELETED = { ERR_CONFLICT, 409, "user_not_tobedeleted",
	"すぐに消去できるのは、削除の操作をした利用者だけです。",
	"Only a user who is to be deleted can be erased at once." };

static const char EXISTS[] = "SELECT id FROM provisioning.person WHERE id = $1::uuid";

static const char STATUS_PUT[] = "UPDATE provisioning.person SET version = version + 1, status = $2"
				 " WHERE id = $1::uuid";

static const char MARK[] = "INSERT INTO provisioning.user_erasure (id, user_id, due_at) VALUES"
			   " ($1::uuid, $2::uuid, now() + make_interval(days => $3::integer))"
			   " ON CONFLICT (tenant_id, user_id) DO NOTHING";
static const char UNMARK[] = "DELETE FROM provisioning.user_erasure WHERE user_id = $1::uuid";
static const char IS_MARKED[] =
	"SELECT EXISTS (SELECT FROM provisioning.user_erasure WHERE user_id = $1::uuid)::text";
static const char HASTEN[] = "UPDATE provisioning.user_erasure SET due_at = least(due_at, now())"
			     " WHERE user_id = $1::uuid";

/* What the others hear of somebody who is gone: no name, so that no copy keeps one. */
static const char ERASE[] =
	"UPDATE provisioning.person SET version = version + 1, status = 'deleted', name = $2,"
	" grade = NULL WHERE id = $1::uuid";
static const char ENROLLMENTS_MARK[] =
	"UPDATE provisioning.enrollment SET version = version + 1, status = 'deleted'"
	" WHERE user_id = $1::uuid RETURNING id";
static const char USER_REMOVE[] = "DELETE FROM provisioning.person WHERE id = $1::uuid";

/* The last administrator could otherwise lock everybody out by one wrong click. */
static enum err check_not_self(struct call *c, const char *id)
{
	if (strcmp(id, c->actor->user_id) == 0)
		return fail_as(c, &YOURSELF);
	return OK;
}

/* Nobody else changes this account before this transaction ends. */
static enum err hold(struct call *c, const char *id)
{
	const char *found;
	enum err e = lock_hold(c, "user", id);
	return e ? e : db_text(c, EXISTS, DB_ARGS(id), &found);
}

static enum err take(struct call *c, const char *id)
{
	enum err e = check_not_self(c, id);
	return e ? e : hold(c, id);
}

static enum err put_account_status(struct call *c, const char *id, const char *status)
{
	const struct auth_account_status_put_in in = { .user_id = id, .status = status };
	return auth_account_status_put_call(c, &in);
}

static enum err put_status(struct call *c, const char *id, const char *status)
{
	enum err e = take(c, id);
	if (!e)
		e = access_ask(c, ACCESS_OF_USER, id);
	if (!e)
		e = put_account_status(c, id, status);
	if (!e)
		e = db_exec_one(c, STATUS_PUT, DB_ARGS(id, status));
	if (!e)
		e = people_tell(c, &id, 1);
	return e ? e : access_agreed(c, id);
}

static enum err is_marked(struct call *c, const char *id, bool *out)
{
	const char *text = "";
	enum err e = db_text(c, IS_MARKED, DB_ARGS(id), &text);
	*out = strcmp(text, "true") == 0;
	return e;
}

enum err provisioning_user_suspend(struct call *c, const struct provisioning_user_suspend_in *in)
{
	bool marked;
	enum err e = hold(c, in->user_id);
	if (!e)
		e = is_marked(c, in->user_id, &marked);
	if (!e && marked)
		e = fail_as(c, &TO_BE_DELETED);
	return e ? e : put_status(c, in->user_id, "suspended");
}

enum err provisioning_user_restore(struct call *c, const struct provisioning_user_restore_in *in)
{
	enum err e = put_status(c, in->user_id, "active");
	return e ? e : db_exec(c, UNMARK, DB_ARGS(in->user_id));
}

/* What a legal hold keeps, of one person too; one that is asked for now waits for us. */
static enum err contract_hold_check(struct call *c)
{
	static const struct problem held = { ERR_CONFLICT, 409, "contract_held",
		"法的な保全の対象になっているため、いまは利用者を削除できません。停止することはでき"
		"ます。",
		"A legal hold: no user is deleted as long as it lasts. Suspend the user instead." };
	const char *is_held;
	enum err e = lock_legal_hold_share(c);
	if (!e)
		e = db_text(c, "SELECT (provisioning.held_since() IS NOT NULL)::text", DB_NONE,
			&is_held);
	return !e && strcmp(is_held, "true") == 0 ? fail_as(c, &held) : e;
}

enum err provisioning_user_delete(struct call *c, const struct provisioning_user_delete_in *in)
{
	enum err e = contract_hold_check(c);
	if (!e)
		e = lock_roster_share(c);
	if (!e)
		e = put_status(c, in->user_id, "suspended");
	return e ? e
		 : db_exec(c, MARK,
			   DB_ARGS(uuid_make(c->arena), in->user_id,
				   db_integer(c, lifecycle_conf.user_grace_days)));
}

enum err provisioning_user_erasure_hasten(
	struct call *c, const struct provisioning_user_erasure_hasten_in *in)
{
	bool marked;
	enum err e = contract_hold_check(c);
	if (!e)
		e = hold(c, in->user_id);
	if (!e)
		e = is_marked(c, in->user_id, &marked);
	if (!e && !marked)
		e = fail_as(c, &NOT_TO_BE_DELETED);
	return e ? e : db_exec_one(c, HASTEN, DB_ARGS(in->user_id));
}

/* The person stays, and can be removed again, until both sides are done. */
enum err user_remove(struct call *c, const char *user_id, struct erasure *receipt)
{
	const char *nobody = NULL;
	const struct user_erased event = { .user_id = user_id };
	enum err e = lock_roster_share(c);
	if (!e)
		e = take(c, user_id);
	if (!e)
		e = put_account_status(c, user_id, "deleted");
	if (!e)
		e = name_seal_nobody(c, user_id, personal_erased, &nobody);
	if (!e)
		e = db_exec_one(c, ERASE, DB_ARGS(user_id, nobody));
	if (!e)
		e = people_tell(c, &user_id, 1);
	if (!e)
		e = event_emit(c, &event_user_erased, &event);
	if (!e)
		e = enrollments_remove(c, ENROLLMENTS_MARK, user_id);
	if (!e)
		e = db_exec_one(c, USER_REMOVE, DB_ARGS(user_id));
	return e ? e : erasure_of_user(c, user_id, receipt);
}
