/* Events of other services become notices and mail. Each takes effect once: the inbox keeps its id.
 */
#include <string.h>

#include "events_proto.h"
#include "libcommon/db.h"
#include "libcommon/outbox.h"
#include "libcommon/purge.h"
#include "services/notification/notification.h"

static const char JAPANESE_TIME[] = "SELECT to_char($1::timestamptz AT TIME ZONE 'Asia/Tokyo',"
				    " 'YYYY\"年\"FMMM\"月\"FMDD\"日\" HH24:MI:SS')";

static const struct {
	const char *name, *ja;
} roles[] = {
	{ "operator", "運営管理者" },
	{ "contractor", "契約管理者" },
};

static const char *role_in_japanese(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].ja;
	return name;
}

/* White paper 9.2.3: the system administrators hear of it when a master user logs in. */
static enum err on_privileged_login(
	struct call *c, const struct event_text *event, const void *data)
{
	const struct privileged_login *login = data;
	const char *at = NULL;
	enum err e = db_text(c, JAPANESE_TIME, DB_ARGS(login->at), &at);
	if (e)
		return e;
	const char *role = role_in_japanese(login->role);
	return mail_to_operators(c,
		arena_printf(c->arena, "【まなびや】%sがログインしました", role),
		arena_printf(c->arena,
			"管理権限を持つ利用者がログインしました。\n\n"
			"権限: %s\n契約コード: %s\nアカウントのID: "
			"%s（監査記録の利用者と同じもの）\n"
			"日時: %s（日本時間）\n\n"
			"心当たりのない場合は、すぐに当該アカウントを停止し、監査記録を確認してくだ"
			"さい。\n"
			"このメールは自動で送信しています。返信はできません。\n",
			role, login->tenant_code, login->user_id, at));
}

static enum err on_lesson(struct call *c, const struct event_text *event, const void *data)
{
	const struct lesson_happened *lesson = data;
	if (strcmp(lesson->kind, "shut") == 0)
		return notice_shut(c, lesson);
	bool is_removal = strcmp(lesson->kind, "removal") == 0;
	return is_removal ? notice_drop(c, lesson) : notice_add(c, lesson);
}

#define NOTICES_OF " FROM notification.notice WHERE user_id = $1::uuid"

static enum err on_user_erased(struct call *c, const struct event_text *event, const void *data)
{
	static const char FORGET[] =
		"UPDATE notification.shut SET kept = array_remove(kept, $1::uuid)"
		" WHERE $1::uuid = ANY (kept)";
	const struct user_erased *user = data;
	enum err e = db_later(c, FORGET, DB_ARGS(user->user_id));
	return e ? e : db_exec(c, "DELETE" NOTICES_OF, DB_ARGS(user->user_id));
}

static const struct event_taker takers[] = {
	{ &event_lesson_happened, on_lesson },
	{ &event_user_erased, on_user_erased },
	{ &event_privileged_login, on_privileged_login },
	{ 0 },
};

enum err notification_event_accept(struct call *c, const struct notification_event_accept_in *in)
{
	enum err e = OK;
	for (size_t i = 0; i < in->events.n && !e; i++) {
		const struct common_event *event = &in->events.items[i];
		const struct event_text text = { event->id, event->type, event->time, event->data,
			event->proof };
		e = event_accept(c, takers, &text);
	}
	return e;
}

/* ---- the end of a user, and of a tenant ---- */

/* What a teacher or an administrator has announced is everybody's and stays. */
enum err notification_user_rows(
	struct call *c, const struct notification_user_rows_in *in, struct common_user_rows *out)
{
	return db_rows(c, "SELECT 'notification.notice' AS store, count(*) AS rows" NOTICES_OF,
		DB_ARGS(in->user_id), &common_store_rows_shape, &out->stores);
}

enum err notification_tenant_purge(struct call *c, struct common_purge_step *out)
{
	enum err e = purge_rows(c, &out->more);
	return e ? e : purge_noted(c, &common_purged_store_shape, &out->stores);
}
