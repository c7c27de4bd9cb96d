/*
 * The one way into a handler (service.h, service_dispatch): every check that an operation's schema
 * asks for, the transaction around it, the audit row in it.
 *
 * A handler cannot forget a check because no handler is reached without all of them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/audit_stop.h"
#include "libcommon/capability_cache.h"
#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/idempotency.h"
#include "libcommon/json.h"
#include "libcommon/label.h"
#include "libcommon/log.h"
#include "libcommon/ocsf.h"
#include "libcommon/outbox.h"
#include "libcommon/page.h"
#include "libcommon/personal.h"
#include "libcommon/recorded.h"
#include "libcommon/service.h"
#include "libcommon/spool.h"
#include "libcommon/uuid.h"

#define RETRY_AFTER_S 1 /* what a client waits when we do not know better */
#define SPOOL_RETRY_AFTER_S 5 /* audit is away: that takes longer than a moment */

static const struct problem UNKNOWN_OPERATION = { ERR_NOT_FOUND, 404, "unknown_operation",
	"この操作はありません。", "There is no such operation." };
static const struct problem NOT_YOUR_CALL = { ERR_FORBIDDEN, 403, "caller_forbidden",
	"この呼び出しは許可されていません。", "This caller may not use this operation." };
static const struct problem CHANGE_PASSWORD_FIRST = { ERR_FORBIDDEN, 403,
	"password_change_required", "はじめにパスワードを変更してください。",
	"Change your initial password first." };
static const struct problem CONTRACT_CLOSED = { ERR_FORBIDDEN, 403, "contract_closed",
	"契約が終了しているため、データの書き出しのほかは利用できません。",
	"The contract has ended: only its export is open." };
static const struct problem FEATURE_DENIED = { ERR_FORBIDDEN, 403, "feature_denied",
	"この機能は管理者によって制限されています。",
	"Your administrator has switched this function off." };
static const struct problem STEP_UP_REQUIRED = { ERR_FORBIDDEN, 403, "step_up_required",
	"この操作には、パスワードの再入力が必要です。", "This needs your password once more." };
static const struct problem SECOND_FACTOR_REQUIRED = { ERR_FORBIDDEN, 403, "second_factor_required",
	"この操作には二段階認証が必要です。設定の画面で確認コードのアプリを登録してください。",
	"This needs two-step login. Set up an authenticator app on the settings page." };
static const struct problem KEY_MISSING = { ERR_INVALID, 400, "idempotency_key_missing",
	"Idempotency-Keyヘッダーが必要です。", "The Idempotency-Key header is required." };
static const struct problem AUDIT_UNAVAILABLE = { ERR_UNAVAILABLE, 503, "audit_unavailable",
	"操作の記録を保存できないため、変更を受け付けられません。しばらくしてからお試しください。",
	"What is done cannot be recorded now, so nothing can be changed. Try again soon." };
static const struct problem TOO_LATE = { ERR_UNAVAILABLE, 504, "deadline_exceeded",
	"時間内に処理できませんでした。", "This could not be done in time." };

static const struct actor NOBODY = {
	.tenant_id = "",
	.user_id = "",
	.role = ROLE_ANONYMOUS,
	.session_id = "",
};

/* ---- what arrived ---- */

static const char *text_of(struct call *c, const struct frame *request, enum frame_text which)
{
	const struct bytes *text = &request->texts[which];
	return text->n ? arena_strndup(c->arena, (const char *)text->data, text->n) : "";
}

/*
 * The trace id of `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context) as a UUID, so that one id
 * finds the request in the logs of the gateway and of every service it came to. NULL without one.
 */
static const char *trace_uuid(struct call *c)
{
	const char *id = c->traceparent + 3;
	if (strlen(c->traceparent) != 55 || strspn(id, "0123456789abcdef") != 32)
		return NULL;
	return arena_printf(
		c->arena, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
}

static void read_envelope(struct call *c, const struct frame *request)
{
	c->actor = &NOBODY;
	c->capability = text_of(c, request, TEXT_CAPABILITY);
	c->source = text_of(c, request, TEXT_SOURCE);
	c->idempotency_key = text_of(c, request, TEXT_IDEMPOTENCY_KEY);
	c->traceparent = text_of(c, request, TEXT_TRACEPARENT);
	c->language = request->flags & FRAME_ENGLISH ? LANGUAGE_EN : LANGUAGE_JA;
	c->window = (struct window){
		.offset = request->window_offset,
		.length = request->window_length,
		.last = request->flags & FRAME_LAST_WINDOW,
		.continued = request->flags & FRAME_CONTINUED,
	};
	const char *trace_id = trace_uuid(c);
	if (trace_id || !c->call_id)
		c->call_id = trace_id ? trace_id : uuid_make(c->arena);
}

static int compare_op(const void *key, const void *row)
{
	const struct bytes *name = key;
	const struct op *op = row;
	size_t n = strlen(op->name);
	int order = memcmp(name->data, op->name, name->n < n ? name->n : n);
	return order ? order : (name->n > n) - (name->n < n);
}

static const struct op *op_find(const struct service *service, const struct bytes *name)
{
	if (!name->n)
		return NULL;
	return bsearch(name, service->ops, service->ops_n, sizeof(struct op), compare_op);
}

/* ---- who may ---- */

static enum err check_caller(struct call *c)
{
	for (const char *const *caller = c->op->callers; caller && *caller; caller++) {
		if (strcmp(*caller, c->caller) == 0)
			return OK;
	}
	return fail_with(c, &NOT_YOUR_CALL, "%s called %s", c->caller, c->op->name);
}

static enum err check_actor(struct call *c)
{
	if (c->op->flags & OP_NO_CAPABILITY)
		return OK;
	if (*c->capability) {
		enum err e =
			capability_check(c->auth_key, c->capability, clock_unix_ms(), &c->actor);
		if (e) {
			c->actor = &NOBODY;
			return fail(c, ERR_UNAUTHENTICATED, "the capability is not valid");
		}
	}
	if (c->op->allow & ROLE_ANONYMOUS || c->op->allow & c->actor->role)
		return OK;
	if (c->actor->role == ROLE_ANONYMOUS)
		return fail(c, ERR_UNAUTHENTICATED, "log in");
	return fail(c, ERR_FORBIDDEN, "not for %s", role_name(c->actor->role));
}

/* A session that was left open, or a stolen token, is not enough for what cannot be undone. What
 * has begun may last longer than a proven password: windows after the first need a session that is
 * alive, as all do. */
static bool needs_step_up(const struct call *c)
{
	return c->op->flags & OP_STEP_UP && !c->window.continued &&
		clock_unix_ms() - c->actor->authenticated_unix_ms > STEP_UP_LIFETIME_MS;
}

/* Has the session proven what the class wants? */
static enum err check_label(struct call *c, enum label label)
{
	switch (label_bar(c->actor, label, clock_unix_ms())) {
	case LABEL_WANTS_FACTOR:
		return fail_with(c, &SECOND_FACTOR_REQUIRED, "one factor");
	case LABEL_WANTS_PASSWORD:
		return c->window.continued ? OK : fail_with(c, &STEP_UP_REQUIRED, "step-up");
	default:
		return OK;
	}
}

static enum err check_limits(struct call *c)
{
	if (c->actor->initial && !(c->op->flags & OP_INITIAL))
		return fail_with(c, &CHANGE_PASSWORD_FIRST, "initial session");
	if (c->actor->closed && !(c->op->flags & OP_CLOSED))
		return fail_with(c, &CONTRACT_CLOSED, "closed contract");
	enum err e = check_label(c, c->op->label);
	if (e)
		return e;
	if (needs_step_up(c))
		return fail_with(c, &STEP_UP_REQUIRED, "step-up");
	if (c->op->feature & c->actor->denied)
		return fail_with(c, &FEATURE_DENIED, "feature");
	if (c->op->flags & OP_IDEMPOTENT_KEY && !*c->idempotency_key)
		return fail_with(c, &KEY_MISSING, "no key");
	if (clock_steady_ms() >= c->deadline_ms)
		return fail_with(c, &TOO_LATE, "deadline");
	return OK;
}

static bool is_audited(const struct call *c)
{
	return c->op && c->op->audit.name && !c->window.continued;
}

/* Whose attempt is refused before it is asked who may. */
static const char *tenant_of(const struct call *c)
{
	const struct actor *actor;
	bool is_known = *c->capability &&
		!capability_check(c->auth_key, c->capability, clock_unix_ms(), &actor);
	return is_known ? actor->tenant_id : "";
}

/* Before anything whose refusal would be recorded: those records need the same room. */
static enum err check_spool(struct call *c)
{
	if (!is_audited(c) || spool_has_room(c->op->flags & OP_READS))
		return OK;
	audit_stop_refused(tenant_of(c));
	c->failure.retry_after_s = SPOOL_RETRY_AFTER_S;
	return fail_with(
		c, &AUDIT_UNAVAILABLE, "%lld lines wait for audit", (long long)spool_rows());
}

static enum err check_all(struct call *c, const struct frame *request)
{
	c->op = op_find(c->service, &request->texts[TEXT_OPERATION]);
	if (!c->op)
		return fail_with(c, &UNKNOWN_OPERATION, "unknown operation");
	enum err e = check_spool(c);
	if (!e)
		e = check_caller(c);
	if (!e)
		e = check_actor(c);
	return e ? e : check_limits(c);
}

/* ---- what it asks and what it answers ---- */

static enum err read_input(struct call *c, const struct frame *request, void *in)
{
	assert(c->op); /* check_all refused it otherwise */
	const struct shape *shape = c->op->in;
	const struct bytes *params = &request->texts[TEXT_PARAMS];
	const struct bytes *body = &request->texts[TEXT_BODY];
	if (!shape)
		return params->n ? fail(c, ERR_INVALID, "no parameters are known here") : OK;
	enum err e = shape_read_params(c, shape, (const char *)params->data, params->n, in);
	if (e)
		return e;
	const struct field *raw = shape_bytes_field(shape);
	if (raw) {
		memcpy((char *)in + raw->offset, body, sizeof(*body));
		return OK;
	}
	return shape_read_json(c, shape, (const char *)body->data, body->n, in);
}

static const char *text_at(const void *base, const struct field *field)
{
	const char *text;
	memcpy(&text, (const char *)base + field->offset, sizeof(text));
	return text;
}

/* A list that can be sought in (OP_SEEKS) is so only where a word came. */
static bool is_sought(const struct call *c, const void *in)
{
	return text_at(in, shape_find(c->op->in, PLACE_PARAM, "q")) != NULL;
}

/*
 * What the session may not see is taken out, and a header says what would show it; where it is the
 * answer itself, the call is refused. Of a search the header does not depend on what was found:
 * otherwise it would tell word by word what stands in things that are shut.
 */
static enum err withhold(struct call *c, const void *in, void *out, struct reply *reply)
{
	const struct shape *shape = c->op->out;
	int64_t now_unix_ms = clock_unix_ms();
	enum label_bar left_out;
	if (!shape)
		return OK;
	enum label shut = label_withhold(c->actor, now_unix_ms, shape, out, &left_out);
	c->label = label_gravest(c->label, shut ? shut : label_held(shape, out));
	if (c->hides || (c->op->flags & OP_SEEKS && is_sought(c, in)))
		left_out = label_bar(c->actor, LABEL_I, now_unix_ms);
	label_bar_header(left_out, &reply->headers);
	return check_label(c, shut);
}

/* What lies under a destroyed key and has no stand-in is left out, too; an answer that is nothing
 * else is refused. Ids alone are logged, those of the first. */
static enum err leave_out_lost(struct call *c, void *out)
{
	if (!c->lost.n)
		return OK;
	log_event(LOG_LEVEL_WARNING, "texts whose keys are destroyed were read",
		LOG_TEXT("operation", c->op->name), LOG_TEXT("call_id", c->call_id),
		LOG_TEXT("tenant", c->actor->tenant_id), LOG_TEXT("column", c->lost.column),
		LOG_TEXT("row", c->lost.row_id), LOG_INT("rows", c->lost.n));
	bool is_gone = c->op->out && personal_leave_out(c->op->out, out);
	return is_gone ? fail_with(c, &personal_gone, "%s", c->lost.column) : OK;
}

static void write_output(struct call *c, const void *in, void *out, struct reply *reply)
{
	const struct shape *shape = c->op->out;
	reply->status = c->op->status;
	reply->total_bytes = c->total_bytes;
	reply->next_offset = c->next_offset;
	if (!shape)
		return;
	shape_write_headers(shape, out, &reply->headers);
	page_link(c, in, out, &reply->headers);
	const struct field *raw = shape_bytes_field(shape);
	if (raw) {
		memcpy(&reply->body, (const char *)out + raw->offset, sizeof(reply->body));
		reply->content_type = c->content_type ? c->content_type : c->op->content_type;
	} else if (c->op->status != 204 && c->op->content_type) {
		struct buf json = { .arena = c->arena };
		shape_write_json(shape, out, &json);
		reply->body = (struct bytes){ (const unsigned char *)json.data, json.n };
		reply->content_type = c->op->content_type;
	}
}

static void write_failure(struct call *c, struct reply *reply)
{
	const struct problem *problem = c->failure.problem;
	const char *json = failure_json(c);
	*reply = (struct reply){
		.err = problem->err,
		.status = problem->status,
		.headers = { .arena = c->arena },
		.content_type = "application/problem+json",
		.body = { (const unsigned char *)json, strlen(json) },
		/* Instances share what waits for audit: no other would answer otherwise. */
		.executed = reply->executed || problem == &AUDIT_UNAVAILABLE,
	};
	int wait_s = c->failure.retry_after_s;
	if (!wait_s && (problem->err == ERR_UNAVAILABLE || problem->err == ERR_LIMITED))
		wait_s = RETRY_AFTER_S;
	if (wait_s)
		buf_printf(&reply->headers, "Retry-After: %d\r\n", wait_s);
}

/* ---- the record of it ---- */

/* What the call was about: the `id` of what it answers, else the first id among its parameters. */
static const char *find_object(const struct op *op, const void *in, const void *out)
{
	for (size_t i = 0; op->out && i < op->out->fields_n; i++) {
		const struct field *field = &op->out->fields[i];
		if (field->kind == KIND_STRING && strcmp(field->name, "id") == 0)
			return text_at(out, field);
	}
	for (size_t i = 0; op->in && i < op->in->fields_n; i++) {
		const struct field *field = &op->in->fields[i];
		if (field->place == PLACE_PARAM && field->format == FORMAT_UUID)
			return text_at(in, field);
	}
	return NULL;
}

/* The codes of the input that the contract wants recorded (x-recorded), as a JSON object. */
static const char *recorded_of(struct call *c, const void *in)
{
	struct buf out = { .arena = c->arena };
	for (size_t i = 0; c->op->in && i < c->op->in->fields_n; i++) {
		const struct field *field = &c->op->in->fields[i];
		const char *code = field->recorded ? text_at(in, field) : NULL;
		if (!code)
			continue;
		buf_printf(&out, "%c\"%s\":", out.n ? ',' : '{', field->name);
		json_quote(&out, code);
	}
	if (out.n)
		buf_char(&out, '}');
	return out.data;
}

/* What only in and out know of what the event says. */
static void name_object(struct call *c, const void *in, const void *out)
{
	c->recorded = recorded_of(c, in);
	if (!c->object_id)
		c->object_id = find_object(c->op, in, out);
}

static enum err record(struct call *c, const void *in, const void *out)
{
	if (!is_audited(c))
		return OK;
	name_object(c, in, out);
	const char *event_id = uuid_make(c->arena);
	spool_added();
	return outbox_audit(c, event_id, ocsf_line(c, event_id, clock_unix_ms()));
}

static enum err record_apart(struct call *c, const void *in, const void *out)
{
	db_begin(c->db, c->actor->tenant_key, true);
	enum err e = record(c, in, out);
	if (!e)
		return db_commit(c);
	db_rollback(c->db);
	return e;
}

/* What waits for audit lies in the database with the change: when that has no room left, it is as
 * when the bound is reached. */
static void refuse_for_room(struct call *c)
{
	c->failure.problem = &AUDIT_UNAVAILABLE;
	c->failure.retry_after_s = SPOOL_RETRY_AFTER_S;
}

/* A refused or failed call leaves its record in a transaction of its own. */
static void record_failure(struct call *c, const void *in, const void *out)
{
	if (!is_audited(c) || c->failure.problem == &AUDIT_UNAVAILABLE)
		return;
	struct failure failure = c->failure;
	enum err e = record_apart(c, in, out);
	if (e) {
		audit_stop_refused(c->actor->tenant_id);
		log_event(LOG_LEVEL_ERROR, "a failed call could not be recorded",
			LOG_TEXT("operation", c->op->name), LOG_TEXT("call_id", c->call_id),
			LOG_TEXT("reason", c->failure.detail));
	} else {
		service_wake_relay();
	}
	c->failure = failure;
}

/* ---- running it ---- */

/* What is asked for its class: the object that the path names, once for each HTTP request. A video
 * of 100 windows is one look at it, which began when it might. */
static const struct op_object *object_of(const struct call *c)
{
	return c->window.continued ? NULL : c->op->object;
}

/* Asked along with the handler's first statement, and looked at behind the handler: what that did
 * is undone. */
static void ask_object(struct call *c, const void *in)
{
	const struct op_object *object = object_of(c);
	if (!object)
		return;
	const char *id;
	memcpy(&id, (const char *)in + object->id, sizeof(id));
	db_ahead(c, object->sql, id);
}

static enum err check_object(struct call *c)
{
	const char *name;
	if (!object_of(c))
		return OK;
	enum err e = db_ahead_end(c, &name);
	if (e)
		return e;
	c->label = label_from_name(name);
	return check_label(c, c->label);
}

/* A refusal for another reason tells something of the object, too, unless that it is not there: so
 * what is hidden from the actor altogether is NOT_FOUND first. */
static enum err check_refused_object(struct call *c, enum err e)
{
	if (e == ERR_NOT_FOUND || e == ERR_UNAVAILABLE || e == ERR_INTERNAL)
		return e;
	struct failure failure = c->failure;
	c->failure = (struct failure){ 0 };
	enum err shut = check_object(c);
	if (!shut)
		c->failure = failure;
	return shut ? shut : e;
}

/* The object may have been raised since, and this session have proven less than the first. */
static enum err check_replayed(struct call *c)
{
	const enum label answered = c->label;
	enum err e = check_object(c);
	c->label = label_gravest(c->label, answered);
	return e ? e : check_label(c, c->label);
}

static enum err run_handler(
	struct call *c, const struct frame *request, void *in, void *out, struct reply *reply)
{
	bool keyed = c->op->flags & OP_IDEMPOTENT_KEY;
	bool replayed = false;
	ask_object(c, in);
	enum err e = keyed ? idempotency_begin(c, request, reply, &replayed) : OK;
	if (e || replayed)
		return e ? e : check_replayed(c);
	reply->executed = true;
	e = c->op->handler(c, in, out);
	if (e)
		return check_refused_object(
			c, c->failure.problem ? e : fail(c, e, "the handler gave no reason"));
	e = check_object(c);
	if (!e)
		e = withhold(c, in, out, reply);
	if (!e)
		e = leave_out_lost(c, out);
	if (e)
		return e;
	write_output(c, in, out, reply);
	if (keyed)
		e = idempotency_end(c, request, reply);
	return e || c->op->flags & OP_READS ? e : record(c, in, out);
}

/* A read has nothing that its record must go together with, so it needs no transaction; but nothing
 * of it is told before it is recorded. */
static enum err record_read(struct call *c, const void *in, const void *out)
{
	if (!(c->op->flags & OP_READS) || !is_audited(c))
		return OK;
	name_object(c, in, out);
	if (recorded_lately(c))
		return OK;
	enum err e = record_apart(c, in, out);
	if (e)
		return e;
	recorded_note(c);
	service_wake_relay();
	return OK;
}

static enum err run(
	struct call *c, const struct frame *request, void *in, void *out, struct reply *reply)
{
	db_begin(c->db, c->actor->tenant_key, c->op->flags & OP_WRITES);
	enum err e = run_handler(c, request, in, out, reply);
	if (e) {
		db_rollback(c->db);
		return e;
	}
	e = db_commit(c);
	if (!e)
		e = record_read(c, in, out);
	if (e)
		return e;
	for (const struct push *push = c->pushes; push; push = push->next)
		bus_push(c->bus, push->topic, frame_text(push->json));
	if (c->op->flags & OP_WRITES)
		service_wake_relay();
	return OK;
}

static void *struct_of(struct call *c, const struct shape *shape)
{
	return shape ? arena_alloc(c->arena, shape->size) : NULL;
}

static void end_failed(
	struct call *c, enum err e, const void *in, const void *out, struct reply *reply)
{
	if (!c->failure.problem)
		e = fail(c, e, "refused without a reason"); // NOLINT(*-deadcode.DeadStores)
	bool is_full = is_audited(c) && db_is_full(c->db);
	record_failure(c, in, out);
	if (is_full)
		refuse_for_room(c);
	write_failure(c, reply);
}

void service_dispatch(struct call *c, const unsigned char key[PUBLIC_KEY_SIZE],
	const struct frame *request, struct reply *reply)
{
	void *in = NULL, *out = NULL;
	*reply = (struct reply){ .headers = { .arena = c->arena } };
	c->auth_key = key;
	read_envelope(c, request);
	enum err e = check_all(c, request);
	if (c->op) {
		in = struct_of(c, c->op->in);
		out = struct_of(c, c->op->out);
	}
	if (!e)
		e = read_input(c, request, in);
	if (!e)
		e = run(c, request, in, out, reply);
	if (e)
		end_failed(c, e, in, out, reply);
	reply->label = c->op ? label_gravest(c->op->label, c->label) : LABEL_NONE;
}
