/*
 * Calls from one service to another: generated stubs come through service_call(); a service that
 * acts on its own gets its capability here.
 */
#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/service.h"

#define CALL_TIMEOUT_MS 10000 /* unless x-timeout-ms says otherwise; what the gateway waits */
#define CAPABILITIES_MAX 256 /* tenants whose service capability is remembered */
#define CAPABILITY_MARGIN_MS 15000 /* it must outlive the call that carries it */

static int64_t time_left_ms(const struct call *c, int64_t timeout_ms)
{
	int64_t left_ms = c->deadline_ms - clock_steady_ms();
	int64_t limit_ms = timeout_ms ? timeout_ms : CALL_TIMEOUT_MS;
	if (left_ms < 1)
		return 1;
	return left_ms < limit_ms ? left_ms : limit_ms;
}

static const char *member_text(struct call *c, const struct json *object, const char *name)
{
	const char *text = json_text(json_member(object, name));
	return text ? arena_strdup(c->arena, text) : NULL;
}

/* The other's problem+json becomes our failure. */
static enum err take_failure(
	struct call *c, const struct client_op *op, const struct bus_reply *reply)
{
	const struct json *body;
	if (reply->cancelled)
		return fail(c, ERR_UNAVAILABLE, "cancelled while it waited for %s.%s", op->service,
			op->operation);
	if (!reply->body.n ||
		json_parse(c->arena, (const char *)reply->body.data, reply->body.n, &body))
		return fail(c, reply->err, "%s.%s answered %u", op->service, op->operation,
			reply->status);
	struct problem *problem = arena_alloc(c->arena, sizeof(*problem));
	*problem = *problem_of(reply->err);
	const char *code = member_text(c, body, "code");
	const char *title = member_text(c, body, "title");
	const char *detail = member_text(c, body, "detail");
	problem->status = reply->status;
	problem->code = code ? code : problem->code;
	problem->ja = title ? title : problem->ja;
	problem->en = title ? title : problem->en;
	return fail_with(c, problem, "%s.%s: %s", op->service, op->operation, detail ? detail : "");
}

enum err service_call(struct call *c, const struct client_op *op, const void *in, void *out)
{
	struct buf params = { .arena = c->arena }, body = { .arena = c->arena };
	struct bus_reply reply;
	if (op->in) {
		shape_write_params(op->in, in, &params);
		shape_write_json(op->in, in, &body);
	}
	const struct bus_request request = {
		.service = op->service,
		.operation = op->operation,
		.capability = c->capability,
		.source = c->source,
		.tenant = c->actor->tenant_id,
		.traceparent = c->traceparent,
		.params = { (const unsigned char *)params.data, params.n },
		.content_type = "application/json",
		.body = { (const unsigned char *)body.data, body.n },
		.timeout_ms = time_left_ms(c, op->timeout_ms),
		.within = c->job,
		.flags = c->language == LANGUAGE_EN ? FRAME_ENGLISH : 0,
	};
	if (bus_call(c->bus, c->arena, &request, &reply))
		return take_failure(c, op, &reply);
	if (!op->out || !reply.body.n)
		return OK;
	return shape_read_json(c, op->out, (const char *)reply.body.data, reply.body.n, out);
}

/* ---- acting as this service ---- */

/* Capabilities of this service by tenant, shared by its threads. */
static struct {
	pthread_mutex_t lock;
	struct remembered {
		char tenant_id[40];
		char text[2048];
		int64_t minted_unix_ms;
	} rows[CAPABILITIES_MAX];
	unsigned next;
} known = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* By the wall clock, as whoever verifies them: one that was set back or ahead makes them worthless.
 */
static bool is_fresh(const struct remembered *row, int64_t now_unix_ms)
{
	int64_t age_ms = now_unix_ms - row->minted_unix_ms;
	return age_ms >= 0 && age_ms < CAPABILITY_LIFETIME_MS - CAPABILITY_MARGIN_MS;
}

static const char *recall(struct call *c, const char *tenant_id)
{
	const char *text = NULL;
	int64_t now_ms = clock_unix_ms();
	pthread_mutex_lock(&known.lock);
	for (unsigned i = 0; i < CAPABILITIES_MAX && !text; i++) {
		const struct remembered *row = &known.rows[i];
		if (is_fresh(row, now_ms) && strcmp(row->tenant_id, tenant_id) == 0)
			text = arena_strdup(c->arena, row->text);
	}
	pthread_mutex_unlock(&known.lock);
	return text;
}

static void remember(const char *tenant_id, const char *text)
{
	struct remembered *row;
	if (strlen(tenant_id) >= sizeof(row->tenant_id) || strlen(text) >= sizeof(row->text))
		return;
	pthread_mutex_lock(&known.lock);
	row = &known.rows[known.next++ % CAPABILITIES_MAX];
	memcpy(row->tenant_id, tenant_id, strlen(tenant_id) + 1);
	memcpy(row->text, text, strlen(text) + 1);
	row->minted_unix_ms = clock_unix_ms();
	pthread_mutex_unlock(&known.lock);
}

/* Not a generated stub: libcommon may not depend on proto/. */
static enum err ask_auth(struct call *c, const char *tenant_id, const char **capability)
{
	static const struct client_op mint = { .service = "auth",
		.operation = "service_capability_mint" };
	struct buf body = { .arena = c->arena };
	struct bus_reply reply;
	const struct json *answer;
	buf_text(&body, "{\"tenantId\":");
	json_quote(&body, tenant_id);
	buf_char(&body, '}');
	const struct bus_request request = {
		.service = mint.service,
		.operation = mint.operation,
		.content_type = "application/json",
		.body = { (const unsigned char *)body.data, body.n },
		.timeout_ms = time_left_ms(c, 0),
		.within = c->job,
	};
	if (bus_call(c->bus, c->arena, &request, &reply))
		return take_failure(c, &mint, &reply);
	enum err e = json_parse(c->arena, (const char *)reply.body.data, reply.body.n, &answer);
	const char *text = e ? NULL : json_text(json_member(answer, "capability"));
	if (!text)
		return fail(c, ERR_INTERNAL, "auth answered without a capability");
	*capability = arena_strdup(c->arena, text);
	return OK;
}

enum err service_capability(struct call *c, const char *tenant_id, const char **capability)
{
	if (c->service->service_capability)
		return c->service->service_capability(c, tenant_id, capability);
	*capability = recall(c, tenant_id);
	if (*capability)
		return OK;
	enum err e = ask_auth(c, tenant_id, capability);
	assert(e || *capability);
	if (!e)
		remember(tenant_id, *capability);
	return e;
}

enum err service_enter_tenant(struct call *c, const char *tenant_id)
{
	const char *capability;
	struct actor *actor = arena_alloc(c->arena, sizeof(*actor));
	enum err e = service_capability(c, tenant_id, &capability);
	if (e)
		return e;
	e = capability_verify(c->arena, c->auth_key, capability, clock_unix_ms(), actor);
	if (e)
		return fail(c, ERR_INTERNAL, "auth minted a capability that does not verify");
	c->actor = actor;
	c->capability = capability;
	return db_enter(c, actor->tenant_key);
}

void call_push_after_commit(struct call *c, const char *topic, const char *json)
{
	struct push **end = &c->pushes;
	while (*end)
		end = &(*end)->next;
	*end = arena_alloc(c->arena, sizeof(**end));
	**end = (struct push){ .topic = topic, .json = json };
}
