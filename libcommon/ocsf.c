/* Audit records from calls; see ocsf.h. Refuses nothing: what is unknown is left out. */
#include "libcommon/ocsf.h"

#include <assert.h>
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/service.h"

enum { SEVERITY_INFORMATIONAL = 1, SEVERITY_LOW = 2, STATUS_SUCCESS = 1, STATUS_FAILURE = 2 };

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
		buf_char(out, '}');
	}
	buf_text(out, "},");
}

static void add_outcome(struct buf *out, const struct call *c)
{
	const struct problem *problem = c->failure.problem;
	buf_printf(out, "\"severity_id\":%d,\"status_id\":%d,",
		problem ? SEVERITY_LOW : SEVERITY_INFORMATIONAL,
		problem ? STATUS_FAILURE : STATUS_SUCCESS);
	if (!problem)
		return;
	add_member(out, "status_code", problem->code);
	buf_char(out, ',');
}

static void add_origin(struct buf *out, const struct call *c)
{
	buf_printf(out, "\"api\":{\"operation\":\"%s.%s\",\"request\":{", c->service->name,
		c->op->name);
	add_member(out, "uid", c->call_id);
	buf_text(out, "}},");
	if (!*c->source)
		return;
	buf_text(out, "\"src_endpoint\":{");
	add_member(out, "ip", c->source);
	buf_text(out, "},");
}

static void add_metadata(struct buf *out, const struct call *c, const char *event_id)
{
	buf_text(out,
		"\"metadata\":{\"version\":\"1.8.0\",\"product\":{\"name\":\"Manabiya\","
		"\"vendor_name\":\"Manabiya\"},");
	if (c->op->label)
		buf_printf(out, "\"labels\":[\"%s\"],", c->op->label);
	if (*c->actor->tenant_id) {
		add_member(out, "tenant_uid", c->actor->tenant_id);
		buf_char(out, ',');
	}
	add_member(out, "uid", event_id);
	buf_char(out, '}');
}

const char *ocsf_line(const struct call *c, const char *event_id, int64_t unix_ms)
{
	const struct audit_kind *kind = &c->op->audit;
	struct buf out = { .arena = c->arena };
	buf_printf(&out,
		"{\"class_uid\":%d,\"category_uid\":%d,\"activity_id\":%d,\"type_uid\":%d,"
		"\"time\":%lld,",
		kind->class_uid, kind->class_uid / 1000, kind->activity_id,
		kind->class_uid * 100 + kind->activity_id, (long long)unix_ms);
	add_outcome(&out, c);
	add_actor(&out, c->actor);
	add_subject(&out, kind->class_uid, c->object_id);
	add_origin(&out, c);
	add_metadata(&out, c, event_id);
	buf_char(&out, '}');
	assert(out.n <= OCSF_LINE_MAX); /* ids and names only: each is bounded by its reader */
	return out.data;
}
