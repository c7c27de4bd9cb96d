/* Audit records from calls and requests; see ocsf.h. Refuses nothing: what is unknown is left out.
 */
#include "libcommon/ocsf.h"

#include <assert.h>
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/label.h"
#include "libcommon/service.h"

enum { SEVERITY_INFORMATIONAL = 1, SEVERITY_LOW = 2, STATUS_SUCCESS = 1, STATUS_FAILURE = 2 };
enum { API_ACTIVITY = 6003, ACTIVITY_OTHER = 99 };

/* In which member each event class wants the thing that the call was about. */
static const struct subject {
	int class_uid;
	const char *open, *close;
} subjects[] = {
	{ 3001, "\"user\":{\"uid\":", "}" },
	{ 3002, "\"user\":{\"uid\":", "}" },
	{ 3004, "\"entity\":{\"uid\":", "}" },
	{ 3005, "\"user\":{\"uid\":", "}" },
	{ 3006, "\"group\":{\"uid\":", "}" },
	{ 0, "\"resources\":[{\"uid\":", "}]" },
};

static void add_subject(struct buf *out, int class_uid, const char *object_id)
{
	const struct subject *subject = subjects;
	if (!object_id || !*object_id)
		return;
	while (subject->class_uid && subject->class_uid != class_uid)
		subject++;
	buf_text(out, subject->open);
	json_quote(out, object_id);
	buf_text(out, subject->close);
	buf_char(out, ',');
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\":", name);
	json_quote(out, text);
}

static void add_actor(struct buf *out, const struct actor *actor)
{
	buf_text(out, "\"actor\":{\"user\":{");
	add_member(out, "uid", actor->user_id);
	buf_char(out, ',');
	add_member(out, "type", role_name(actor->role));
	buf_char(out, '}');
	if (*actor->session_id) {
		buf_text(out, ",\"session\":{");
		add_member(out, "uid", actor->session_id);
		buf_text(out, actor->factors > 1 ? ",\"is_mfa\":true}" : "}");
	}
	buf_text(out, "},");
}

static void add_head(struct buf *out, int class_uid, int activity_id, int64_t unix_ms)
{
	buf_printf(out,
		"{\"class_uid\":%d,\"category_uid\":%d,\"activity_id\":%d,\"type_uid\":%d,"
		"\"time\":%lld,",
		class_uid, class_uid / 1000, activity_id, class_uid * 100 + activity_id,
		(long long)unix_ms);
}

static void add_outcome(struct buf *out, bool is_failure)
{
	buf_printf(out, "\"severity_id\":%d,\"status_id\":%d,",
		is_failure ? SEVERITY_LOW : SEVERITY_INFORMATIONAL,
		is_failure ? STATUS_FAILURE : STATUS_SUCCESS);
}

static void add_origin(
	struct buf *out, const char *operation, const char *call_id, const char *source)
{
	buf_text(out, "\"api\":{");
	add_member(out, "operation", operation);
	buf_text(out, ",\"request\":{");
	add_member(out, "uid", call_id);
	buf_text(out, "}},");
	if (!*source)
		return;
	buf_text(out, "\"src_endpoint\":{");
	add_member(out, "ip", source);
	buf_text(out, "},");
}

static void add_metadata(
	struct buf *out, enum label label, const char *tenant_id, const char *event_id)
{
	buf_text(out,
		"\"metadata\":{\"version\":\"1.8.0\",\"product\":{\"name\":\"Manabiya\","
		"\"vendor_name\":\"Manabiya\"},");
	if (label)
		buf_printf(out, "\"labels\":[\"%s\"],", label_name(label));
	if (*tenant_id) {
		add_member(out, "tenant_uid", tenant_id);
		buf_char(out, ',');
	}
	add_member(out, "uid", event_id);
	buf_text(out, "}}");
}

const char *ocsf_line(const struct call *c, const char *event_id, int64_t unix_ms)
{
	const struct audit_kind *kind = &c->op->audit;
	const struct problem *problem = c->failure.problem;
	struct buf out = { .arena = c->arena };
	add_head(&out, kind->class_uid, kind->activity_id, unix_ms);
	add_outcome(&out, problem != NULL);
	if (problem) {
		add_member(&out, "status_code", problem->code);
		buf_char(&out, ',');
	}
	add_actor(&out, c->actor);
	add_subject(&out, kind->class_uid, c->object_id);
	add_origin(&out, arena_printf(c->arena, "%s.%s", c->service->name, c->op->name), c->call_id,
		c->source);
	if (c->recorded)
		buf_printf(&out, "\"unmapped\":%s,", c->recorded);
	add_metadata(&out, label_gravest(c->op->label, c->label), c->actor->tenant_id, event_id);
	assert(out.n <= OCSF_LINE_MAX); /* ids and names only: each is bounded by its reader */
	return out.data;
}

/* ---- requests ---- */

static int activity_of(const char *method)
{
	static const struct {
		const char *method;
		int activity_id;
	} activities[] = { { "POST", 1 }, { "GET", 2 }, { "HEAD", 2 }, { "PUT", 3 }, { "PATCH", 3 },
		{ "DELETE", 4 } };
	for (size_t i = 0; i < sizeof(activities) / sizeof(activities[0]); i++) {
		if (strcmp(activities[i].method, method) == 0)
			return activities[i].activity_id;
	}
	return ACTIVITY_OTHER;
}

static void add_exchange(struct buf *out, const struct ocsf_access *access)
{
	buf_text(out, "\"http_request\":{");
	add_member(out, "http_method", access->method);
	buf_text(out, ",\"url\":{");
	add_member(out, "path", access->route);
	buf_printf(out, "}},\"http_response\":{\"code\":%u},\"duration\":%lld,", access->status,
		(long long)(access->total_us / 1000));
	buf_printf(out, "\"unmapped\":{\"session_us\":%lld,\"service_us\":%lld,\"total_us\":%lld},",
		(long long)access->session_us, (long long)access->service_us,
		(long long)access->total_us);
}

const char *ocsf_access_line(struct arena *arena, const struct ocsf_access *access)
{
	struct buf out = { .arena = arena };
	add_head(&out, API_ACTIVITY, activity_of(access->method), access->unix_ms);
	add_outcome(&out, access->status >= 400);
	add_actor(&out, &access->actor);
	add_origin(&out, ACCESS_OPERATION, access->call_id, access->source);
	add_exchange(&out, access);
	add_metadata(&out, LABEL_NONE, access->actor.tenant_id, access->event_id);
	assert(out.n <= OCSF_LINE_MAX); /* a route template and ids */
	return out.data;
}

const char *ocsf_lost_line(
	struct arena *arena, const char *event_id, int64_t unix_ms, const char *call_id, uint64_t n)
{
	static const struct actor nobody = {
		.tenant_id = "", .user_id = "", .role = ROLE_ANONYMOUS, .session_id = ""
	};
	struct buf out = { .arena = arena };
	add_head(&out, API_ACTIVITY, ACTIVITY_OTHER, unix_ms);
	add_outcome(&out, true);
	add_actor(&out, &nobody);
	add_origin(&out, ACCESS_LOST_OPERATION, call_id, "");
	buf_printf(&out, "\"count\":%llu,", (unsigned long long)n);
	add_metadata(&out, LABEL_NONE, "", event_id);
	return out.data;
}
