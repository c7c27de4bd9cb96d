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

/* Requests of one line. A request is some 100 bytes and whoever made it some 130, so a line holds
 * about sixty; head and metadata are less than what ACCESS_BYTES leaves. */
enum { ACCESSES_MAX = 100, ACCESS_BYTES = OCSF_LINE_MAX - 600, ACCESS_SPAN_MS = 1000 };

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

/*
 * How much a record says, by the class of what was touched: the graver, the more
 * (docs/security.md). Of what hardly does harm it is enough who did what when: the mass of reads is
 * of it. What has no class is open to all, as a login, so it says where it came from. A change
 * names its object, session and address whatever the class.
 */
static const struct detail {
	bool object; /* of a request: what it was about */
	bool origin; /* of a request: session and address of somebody who is known */
	bool proof; /* when the password was proven last */
	bool step_up; /* how it was, and how many factors at the login */
} details[] = {
	[LABEL_NONE] = { .object = true, .origin = true },
	[LABEL_I] = { .object = true, .origin = true, .proof = true, .step_up = true },
	[LABEL_II] = { .object = true, .origin = true, .proof = true },
	[LABEL_III] = { .object = true, .origin = true },
	[LABEL_IV] = { .object = false },
};

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\":", name);
	json_quote(out, text);
}

/* Of these only resources have a member for whose they are. */
static void add_subject(struct buf *out, int class_uid, const struct call *c)
{
	const struct subject *subject = subjects;
	if (!c->object_id || !*c->object_id)
		return;
	while (subject->class_uid && subject->class_uid != class_uid)
		subject++;
	buf_text(out, subject->open);
	json_quote(out, c->object_id);
	if (c->owner_id && !subject->class_uid) {
		buf_text(out, ",\"owner\":{");
		add_member(out, "uid", c->owner_id);
		buf_char(out, '}');
	}
	buf_text(out, subject->close);
	buf_char(out, ',');
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

/* False where the class asks for none, or nobody has logged in. */
static bool add_proof(struct buf *out, const struct actor *actor, enum label label)
{
	if (!details[label].proof || !*actor->session_id)
		return false;
	buf_printf(out, "\"proof\":{\"at\":%lld", (long long)actor->authenticated_unix_ms);
	if (details[label].step_up)
		buf_printf(out, ",\"by\":\"password\",\"factors\":%u", actor->factors);
	buf_char(out, '}');
	return true;
}

/* What OCSF has no place for: codes of the input, and the proof. */
static void add_unmapped(struct buf *out, const struct call *c, enum label label)
{
	struct buf proof = { .arena = c->arena };
	bool has_proof = add_proof(&proof, c->actor, label);
	size_t recorded_n = c->recorded ? strlen(c->recorded) - 2 : 0; /* between its braces */
	if (!has_proof && !c->recorded)
		return;
	buf_text(out, "\"unmapped\":{");
	if (recorded_n)
		buf_add(out, c->recorded + 1, recorded_n);
	if (has_proof)
		buf_printf(out, "%s%s", recorded_n ? "," : "", proof.data);
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
	add_subject(&out, kind->class_uid, c);
	add_origin(&out, arena_printf(c->arena, "%s.%s", c->service->name, c->op->name), c->call_id,
		c->source);
	enum label label = label_gravest(c->op->label, c->label);
	add_unmapped(&out, c, label);
	add_metadata(&out, label, c->actor->tenant_id, event_id);
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

static bool has_failed(const struct ocsf_access *access)
{
	return access->status >= 400;
}

/* What the events of one line have in common. */
static int compare_common(const struct ocsf_access *a, const struct ocsf_access *b)
{
	int order = strcmp(a->actor.tenant_id, b->actor.tenant_id);
	if (!order)
		order = activity_of(a->method) - activity_of(b->method);
	if (!order)
		order = (int)a->label - (int)b->label;
	return order ? order : has_failed(a) - has_failed(b);
}

int ocsf_access_compare(const struct ocsf_access *a, const struct ocsf_access *b)
{
	int order = compare_common(a, b);
	return order ? order : (a->unix_ms > b->unix_ms) - (a->unix_ms < b->unix_ms);
}

/* A line while it grows: who asked and what for are said once and named by their places. */
struct access_line {
	struct buf actors, routes, requests;
	size_t actors_n, routes_n;
	const struct ocsf_access *actor_of[ACCESSES_MAX], *route_of[ACCESSES_MAX];
};

/* Who is known by an id only is known by nothing else; of a stranger there is just the address. */
static bool has_origin(const struct ocsf_access *access)
{
	return details[access->label].origin || !*access->actor.user_id;
}

static void add_access_actor(struct buf *out, const struct ocsf_access *access)
{
	const struct actor *actor = &access->actor;
	buf_text(out, out->n ? ",{" : "{");
	add_member(out, "type", role_name(actor->role));
	if (*actor->user_id) {
		buf_char(out, ',');
		add_member(out, "uid", actor->user_id);
	}
	if (has_origin(access)) {
		if (*actor->session_id) {
			buf_char(out, ',');
			add_member(out, "session", actor->session_id);
		}
		if (actor->factors > 1)
			buf_text(out, ",\"is_mfa\":true");
		buf_char(out, ',');
		add_member(out, "ip", access->source);
	}
	struct buf proof = { .arena = out->arena };
	if (add_proof(&proof, actor, access->label))
		buf_printf(out, ",%s", proof.data);
	buf_char(out, '}');
}

static bool is_same_origin(const struct ocsf_access *a, const struct ocsf_access *b)
{
	return strcmp(a->actor.session_id, b->actor.session_id) == 0 &&
		strcmp(a->source, b->source) == 0 && a->actor.factors == b->actor.factors;
}

/* Of one line, so of one class. */
static bool is_same_actor(const struct ocsf_access *a, const struct ocsf_access *b)
{
	return strcmp(a->actor.user_id, b->actor.user_id) == 0 && a->actor.role == b->actor.role &&
		(!has_origin(a) || is_same_origin(a, b)) &&
		(!details[a->label].proof ||
			a->actor.authenticated_unix_ms == b->actor.authenticated_unix_ms);
}

static size_t actor_place(struct access_line *line, const struct ocsf_access *access)
{
	size_t i = 0;
	while (i < line->actors_n && !is_same_actor(line->actor_of[i], access))
		i++;
	if (i == line->actors_n) {
		line->actor_of[line->actors_n++] = access;
		add_access_actor(&line->actors, access);
	}
	return i;
}

static bool is_same_route(const struct ocsf_access *a, const struct ocsf_access *b)
{
	return strcmp(a->operation, b->operation) == 0 && strcmp(a->service, b->service) == 0 &&
		strcmp(a->method, b->method) == 0;
}

static size_t route_place(struct access_line *line, const struct ocsf_access *access)
{
	size_t i = 0;
	while (i < line->routes_n && !is_same_route(line->route_of[i], access))
		i++;
	if (i == line->routes_n) {
		line->route_of[line->routes_n++] = access;
		buf_text(&line->routes, i ? ",{" : "{");
		buf_printf(&line->routes, "\"operation\":\"%s.%s\",", access->service,
			access->operation);
		add_member(&line->routes, "method", access->method);
		buf_char(&line->routes, ',');
		add_member(&line->routes, "path", access->route);
		buf_char(&line->routes, '}');
	}
	return i;
}

static void add_request(
	struct access_line *line, const struct ocsf_access *access, int64_t began_ms)
{
	size_t actor = actor_place(line, access), route = route_place(line, access);
	struct buf *out = &line->requests;
	buf_text(out, out->n ? ",{" : "{");
	add_member(out, "uid", access->call_id);
	if (details[access->label].object && *access->object_id) {
		buf_char(out, ',');
		add_member(out, "object", access->object_id);
	}
	buf_printf(out,
		",\"ms\":%lld,\"actor\":%zu,\"route\":%zu,\"code\":%u,\"us\":[%lld,%lld,%lld]}",
		(long long)(access->unix_ms - began_ms), actor, route, access->status,
		(long long)access->session_us, (long long)access->service_us,
		(long long)access->total_us);
}

/* How many of the run fit into a line; `line` holds them. */
static size_t collect(struct access_line *line, const struct ocsf_access *const *accesses, size_t n)
{
	const struct ocsf_access *first = accesses[0];
	for (size_t i = 0; i < n && i < ACCESSES_MAX; i++) {
		const struct ocsf_access *access = accesses[i];
		size_t actors = line->actors.n, routes = line->routes.n,
		       requests = line->requests.n;
		if (compare_common(first, access) != 0 ||
			access->unix_ms - first->unix_ms > ACCESS_SPAN_MS)
			return i;
		add_request(line, access, first->unix_ms);
		if (i && line->actors.n + line->routes.n + line->requests.n > ACCESS_BYTES) {
			line->actors.n = actors;
			line->routes.n = routes;
			line->requests.n = requests;
			return i;
		}
	}
	return n < ACCESSES_MAX ? n : ACCESSES_MAX;
}

static void add_requests(
	struct buf *out, const struct access_line *line, const struct ocsf_access *last, size_t n)
{
	buf_printf(out, "\"count\":%zu,\"end_time\":%lld,\"unmapped\":{\"actors\":[", n,
		(long long)last->unix_ms);
	buf_add(out, line->actors.data, line->actors.n);
	buf_text(out, "],\"routes\":[");
	buf_add(out, line->routes.data, line->routes.n);
	buf_text(out, "],\"requests\":[");
	buf_add(out, line->requests.data, line->requests.n);
	buf_text(out, "]},");
}

const char *ocsf_access_line(struct arena *arena, const char *event_id,
	const struct ocsf_access *const *accesses, size_t *n)
{
	const struct ocsf_access *first = accesses[0];
	struct buf out = { .arena = arena };
	struct access_line *line = arena_alloc(arena, sizeof *line);
	line->actors.arena = line->routes.arena = line->requests.arena = arena;
	*n = collect(line, accesses, *n);
	add_head(&out, API_ACTIVITY, activity_of(first->method), first->unix_ms);
	add_outcome(&out, has_failed(first));
	buf_text(&out, "\"actor\":{\"app_name\":\"gateway\"},\"api\":{");
	add_member(&out, "operation", ACCESS_OPERATION);
	buf_text(&out, "},");
	add_requests(&out, line, accesses[*n - 1], *n);
	add_metadata(&out, first->label, first->actor.tenant_id, event_id);
	assert(out.n <= OCSF_LINE_MAX); /* a request alone is route template and ids */
	return out.data;
}

bool ocsf_access_is_promised(enum label label)
{
	return label != LABEL_NONE && label <= LABEL_III;
}

const char *ocsf_lost_line(struct arena *arena, const char *event_id, int64_t unix_ms,
	const char *tenant_id, enum label label, uint64_t n)
{
	static const struct actor nobody = {
		.tenant_id = "", .user_id = "", .role = ROLE_ANONYMOUS, .session_id = ""
	};
	struct buf out = { .arena = arena };
	add_head(&out, API_ACTIVITY, ACTIVITY_OTHER, unix_ms);
	add_outcome(&out, true);
	add_actor(&out, &nobody);
	add_origin(&out, ACCESS_LOST_OPERATION, event_id, "");
	buf_printf(&out, "\"count\":%llu,", (unsigned long long)n);
	add_metadata(&out, label, tenant_id, event_id);
	return out.data;
}
