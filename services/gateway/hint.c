/* Reads what services push; refuses whatever names no audience. */
#include "services/gateway/hint.h"

#include <string.h>

#include "libcommon/buf.h"
#include "libcommon/json.h"

bool audience_has(const struct audience *audience, const struct actor *actor)
{
	if (audience->tenant_id && strcmp(audience->tenant_id, actor->tenant_id) != 0) {
		return false;
	}
	if (audience->role && audience->role != actor->role) {
		return false;
	}
	for (size_t i = 0; i < audience->users_n; i++) {
		if (!strcmp(audience->user_ids[i], actor->user_id)) {
			return true;
		}
	}
	return !audience->is_listed;
}

/* The members that a page may see. */
static const char *public_data(struct arena *arena, const struct json *json)
{
	static const char *const names[] = { "kind", "noticeId", "announcementId", "tryId",
		"assignmentId", "classId", "mediaId" };
	struct buf out = { .arena = arena };
	buf_char(&out, '{');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = json_text(json_member(json, names[i]));
		if (value) {
			buf_printf(&out, "%s\"%s\":", out.n > 1 ? "," : "", names[i]);
			json_quote(&out, value);
		}
	}
	buf_char(&out, '}');
	return out.data;
}

/* For the users it lists, within one tenant. */
static bool read_notice(struct arena *arena, const struct json *json, struct audience *audience)
{
	const struct json *users = json_member(json, "users");
	size_t n = json_count(users);
	const char **ids = arena_array(arena, n, sizeof *ids);
	audience->tenant_id = json_text(json_member(json, "tenant"));
	audience->is_listed = true;
	audience->user_ids = ids;
	for (size_t i = 0; i < n; i++) {
		const char *id = json_text(json_item(users, i));
		if (id) {
			ids[audience->users_n++] = id;
		}
	}
	return audience->tenant_id != NULL;
}

/* For a role or everyone, of one tenant or, from the operator, of all. */
static bool read_announcement(
	struct arena *arena, const struct json *json, struct audience *audience)
{
	const char *name = json_text(json_member(json, "audience"));
	audience->tenant_id = json_text(json_member(json, "tenant"));
	audience->role = name ? role_from_name(name) : 0;
	return audience->role || (name && !strcmp(name, "everyone"));
}

static const struct topic {
	const char *name;
	bool (*read)(struct arena *arena, const struct json *json, struct audience *audience);
} topics[] = {
	{ "notice", read_notice },
	{ "announcement", read_announcement },
};

bool hint_read(struct arena *arena, const char *topic, const char *body, size_t n, struct hint *out)
{
	const struct json *json;
	*out = (struct hint){ .type = NULL };
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
		if (!strcmp(topics[i].name, topic)) {
			out->type = topics[i].name;
			if (json_parse(arena, body, n, &json) ||
				!topics[i].read(arena, json, &out->audience)) {
				return false;
			}
			out->data = public_data(arena, json);
			return true;
		}
	}
	return false;
}
