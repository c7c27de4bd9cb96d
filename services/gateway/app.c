/*
 * Takes a request from the protocol side through a list of checks to the way that answers it, and
 * writes one log line and one access record when it is over.
 *
 * Refuses whatever is ambiguous before anybody else sees it. Decides about rights only where no
 * service does: on the routes that the gateway answers itself.
 */
#include "services/gateway/app.h"

#include <assert.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/log.h"
#include "services/gateway/access_log.h"
#include "services/gateway/ask.h"
#include "services/gateway/csrf.h"
#include "services/gateway/figures.h"
#include "services/gateway/gateway.h"
#include "services/gateway/limits.h"
#include "services/gateway/load.h"
#include "services/gateway/path.h"
#include "services/gateway/session.h"
#include "services/gateway/sse.h"
#include "services/gateway/static_file.h"
#include "services/gateway/trace.h"

/* Bodies up to this size are taken while the session is still being looked up; longer ones wait, so
 * that strangers cannot make the gateway hold megabytes. */
#define EAGER_BODY_MAX (64 * 1024)

struct gateway gateway;

/* ---- answering ---- */

void reply_header(struct reply_headers *headers, const char *name, const char *value)
{
	assert(headers->n < HEADERS_MAX);
	headers->items[headers->n++] = (struct header){ .name = name, .value = value };
}

/* Those who look after the system and the lessons; pupils need not know how long others take. */
static void add_server_timing(struct visit *v, struct reply_headers *headers)
{
	const unsigned staff = ROLE_OPERATOR | ROLE_CONTRACTOR | ROLE_INSTRUCTOR;
	if (!v->actor || !(v->actor->role & staff)) {
		return;
	}
	reply_header(headers, "server-timing",
		arena_printf(v->arena, "session;dur=%.3f, service;dur=%.3f, total;dur=%.3f",
			(double)v->session_us / 1e3, (double)v->service_us / 1e3,
			(double)(clock_steady_us() - v->started_us) / 1e3));
}

/* The stage of the way that answers ends with the beginning of the answer: what follows goes at the
 * client's pace. */
static void end_service_stage(struct visit *v)
{
	if (v->started && !v->service_us) {
		v->service_us = clock_steady_us() - v->stage_us;
	}
}

void visit_reply(struct visit *v, unsigned status, const struct reply_headers *headers,
	int64_t content_length)
{
	if (v->refused) {
		return; /* an answer that was under way: the client has another one */
	}
	struct reply_headers all = { .n = 0 };
	if (headers) {
		all = *headers;
	}
	reply_header(&all, "x-request-id", v->call_id);
	if (!v->request->is_admin && v->route) {
		reply_header(&all, "traceparent", v->traceparent);
	}
	limits_headers(v, &all);
	end_service_stage(v);
	add_server_timing(v, &all);
	v->status = status;
	v->answered = true;
	exchange_reply(v->exchange, status, all.items, all.n, content_length);
}

bool visit_write(struct visit *v, const void *data, size_t n)
{
	v->bytes += v->refused ? 0 : (int64_t)n;
	return exchange_write(v->exchange, data, n);
}

void visit_finish(struct visit *v)
{
	exchange_finish(v->exchange);
}

void visit_abort(struct visit *v)
{
	v->answered = true;
	exchange_abort(v->exchange);
}

void visit_answer(struct visit *v, unsigned status, const char *content_type, struct bytes body,
	const struct reply_headers *headers)
{
	struct reply_headers all = { .n = 0 };
	if (headers) {
		all = *headers;
	}
	if (content_type) {
		reply_header(&all, "content-type", content_type);
	}
	visit_reply(v, status, &all, (int64_t)body.n);
	if (body.n) {
		(void)visit_write(v, body.data, body.n);
	}
	visit_finish(v);
}

static void refuse(struct visit *v, const struct problem *problem, struct reply_headers *headers)
{
	const char *json = problem_json(v->arena, problem, v->call_id, v->language);
	struct bytes body = { .data = (const unsigned char *)json, .n = strlen(json) };
	reply_header(headers, "cache-control", "no-store");
	reply_header(headers, "content-language", v->language == LANGUAGE_EN ? "en" : "ja");
	visit_answer(v, problem->status, "application/problem+json", body, headers);
}

void visit_refuse(struct visit *v, const struct problem *problem, int after_s)
{
	struct reply_headers headers = { .n = 0 };
	if (after_s) {
		exchange_hold_for(v->exchange, load_refusal());
		reply_header(&headers, "retry-after", arena_printf(v->arena, "%d", after_s));
	}
	if (problem->status == 401) {
		reply_header(&headers, "www-authenticate", "Bearer");
	}
	refuse(v, problem, &headers);
}

/* ---- the steps ---- */

enum verdict { NEXT, DONE, WAIT };

static enum verdict refused(struct visit *v, const struct problem *problem)
{
	visit_refuse(v, problem, 0);
	return DONE;
}

static enum verdict path_step(struct visit *v)
{
	return path_is_sound(v->request->path) ? NEXT : refused(v, &problem_bad_request);
}

/* Is `authority` one of the names in the comma-separated list? */
static bool is_answered(const char *authority, const char *list)
{
	size_t n = strlen(authority);
	while (*list) {
		size_t item_n = strcspn(list, ",");
		if (item_n == n && !strncasecmp(list, authority, n)) {
			return true;
		}
		list += item_n;
		list += *list == ',';
	}
	return false;
}

static enum verdict authority_step(struct visit *v)
{
	const char *list = gateway.conf->authorities;
	bool is_ours = !*list || is_answered(v->request->authority, list);
	return is_ours ? NEXT : refused(v, &problem_misdirected);
}

static enum verdict method_not_allowed(struct visit *v, const char *allowed)
{
	struct reply_headers headers = { .n = 0 };
	reply_header(&headers, "allow", allowed);
	refuse(v, &problem_method_not_allowed, &headers);
	return DONE;
}

static const struct way *way_of(const struct route *route)
{
	if (route->fanout) {
		return &fanout_way;
	}
	if (route->flags & ROUTE_EVENTS) {
		return &events_way;
	}
	if (route->flags & ROUTE_STREAM_REQUEST) {
		return &upload_way;
	}
	return route->flags & ROUTE_STREAM_RESPONSE ? &download_way : &forward_way;
}

static enum verdict route_step(struct visit *v)
{
	const char *path = v->request->path, *method = v->request->method;
	bool is_api = !strncmp(path, "/v1", 3) && (path[3] == '/' || !path[3]);
	if (!is_api) {
		bool is_read = !strcmp(method, "GET") || !strcmp(method, "HEAD");
		v->way = &static_way;
		return is_read ? NEXT : method_not_allowed(v, "GET, HEAD");
	}
	struct route_match match = route_find(v->arena, method, path);
	if (match.route) {
		v->route = match.route;
		v->label = match.route->label;
		v->path_params = match.params;
		v->way = way_of(match.route);
		return NEXT;
	}
	return match.allowed ? method_not_allowed(v, match.allowed)
			     : refused(v, &problem_not_found);
}

/* Those who come on top of what can be done come later; see load.h for who. */
static enum verdict load_step(struct visit *v)
{
	if (!v->route || !load_sheds(v->route->flags)) {
		return NEXT;
	}
	v->turned_away = true;
	visit_refuse(v, &problem_overloaded, retry_after_s());
	return DONE;
}

static enum verdict over_limit(struct visit *v)
{
	v->turned_away = true;
	visit_refuse(v, &problem_rate_limited, limits_retry_after_s(v));
	return DONE;
}

static enum verdict source_limit_step(struct visit *v)
{
	return !v->route || limits_of_source(v) ? NEXT : over_limit(v);
}

static enum verdict session_limit_step(struct visit *v)
{
	return !v->route || limits_of_session(v) ? NEXT : over_limit(v);
}

static enum verdict cross_site_step(struct visit *v)
{
	v->token = session_token(v->arena, v->request, &v->is_bearer);
	bool is_ours = csrf_is_same_site(v->request, v->is_bearer);
	return is_ours ? NEXT : refused(v, &problem_cross_site);
}

static enum verdict body_step(struct visit *v)
{
	if (!v->route) {
		return NEXT;
	}
	if (v->request->content_length > v->route->body_max) {
		return refused(v, &problem_body_too_large);
	}
	bool has_wrong_type = v->route->content_type && v->request->content_length != 0 &&
		!content_type_is(
			request_header(v->request, "content-type"), v->route->content_type);
	if (has_wrong_type) {
		return refused(v, &problem_content_type);
	}
	exchange_body_limit(v->exchange, v->route->body_max);
	return NEXT;
}

static enum verdict run(struct visit *v);

static void on_session(void *arg, enum err err, const char *capability, const struct actor *actor)
{
	struct visit *v = arg;
	v->wait = NULL;
	v->session_us = clock_steady_us() - v->stage_us;
	if (err) {
		visit_refuse(v, session_problem(err), err == ERR_UNAVAILABLE ? retry_after_s() : 0);
		return;
	}
	v->capability = arena_strdup(v->arena, capability);
	v->actor = actor_copy(v->arena, actor);
	(void)run(v);
}

/* The list goes on in on_session(). */
static enum verdict session_step(struct visit *v)
{
	if (!v->route || v->route->flags & ROUTE_ANONYMOUS) {
		return NEXT;
	}
	if (!v->token) {
		return refused(v, &problem_unauthenticated);
	}
	v->stage_us = clock_steady_us();
	struct session_wait *wait = session_resolve(v->token, v->request->source, on_session, v);
	if (wait) {
		v->wait = wait;
		if (v->route->body_max > EAGER_BODY_MAX) {
			exchange_pause(v->exchange);
		}
	}
	return WAIT;
}

static void on_record_open(void *arg, const struct bus_reply *reply)
{
	struct visit *v = arg;
	v->ask = NULL;
	access_log_opened(v, reply->err);
	(void)run(v);
}

/* For whom is read is known first, as far as that can be; see access_log.h. Goes on in
 * on_record_open(). */
static enum verdict record_step(struct visit *v)
{
	if (!v->route || access_log_is_open(v)) {
		return NEXT;
	}
	v->ask = access_log_open(v, on_record_open);
	return WAIT;
}

/* The services check every call themselves; what stands here is for the gateway's own routes. */
static enum verdict rights_step(struct visit *v)
{
	if (!v->actor || strcmp(v->route->service, "gateway") != 0) {
		return NEXT;
	}
	if (!(v->route->allow & v->actor->role)) {
		return refused(v, &problem_forbidden);
	}
	if (v->actor->initial && !(v->route->flags & ROUTE_INITIAL)) {
		return refused(v, &problem_password_change);
	}
	bool is_over = v->actor->closed && !(v->route->flags & ROUTE_CLOSED);
	return is_over ? refused(v, &problem_contract_closed) : NEXT;
}

/* Whoever has the row of a kept answer must not come upon its key by trying. */
#define KEY_MIN 16
#define KEY_MAX 128

static bool is_key(const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++) {
		if (text[i] < 0x21 || text[i] > 0x7e || text[i] == ',') {
			return false;
		}
	}
	return n >= 1 && n <= KEY_MAX;
}

static enum verdict condition_step(struct visit *v)
{
	if (!v->route) {
		return NEXT;
	}
	const char *key = request_header(v->request, "idempotency-key");
	if (!key && v->route->flags & ROUTE_IDEMPOTENCY_KEY) {
		return refused(v, &problem_idempotency_key_required);
	}
	if (key && !is_key(key)) {
		return refused(v, &problem_bad_request);
	}
	if (key && strlen(key) < KEY_MIN) {
		return refused(v, &problem_idempotency_key_short);
	}
	bool misses_match =
		v->route->flags & ROUTE_IF_MATCH && !request_header(v->request, "if-match");
	return misses_match ? refused(v, &problem_if_match_required) : NEXT;
}

/* Path, declared headers, query: the query may not name what the others have. */
static enum verdict params_step(struct visit *v)
{
	if (!v->route) {
		return NEXT;
	}
	struct buf out = { .arena = v->arena };
	buf_text(&out, v->path_params);
	for (const struct route_header *h = v->route->headers; h && h->header; h++) {
		const char *value = request_header(v->request, h->header);
		if (value) {
			route_param_add(&out, h->param, value, strlen(value), false);
		}
	}
	const char *query = v->request->query;
	if (!query_is_sound(v->arena, query, out.data ? out.data : "")) {
		return refused(v, &problem_bad_request);
	}
	if (*query) {
		buf_printf(&out, "%s%s", out.n ? "&" : "", query);
	}
	v->params = out.data ? out.data : "";
	return NEXT;
}

static enum verdict start_step(struct visit *v)
{
	exchange_resume(v->exchange);
	v->started = true;
	v->stage_us = clock_steady_us();
	v->way->start(v); /* v may be gone after this */
	return DONE;
}

/* In this order, so that nobody learns anything about the inside without a session. */
static enum verdict (*const steps[])(struct visit *) = { path_step, authority_step, route_step,
	load_step, source_limit_step, cross_site_step, body_step, session_step, session_limit_step,
	rights_step, condition_step, params_step, record_step, start_step };
/* The admin listener is not reachable from outside: only the way there. */
static enum verdict (*const admin_steps[])(struct visit *) = { path_step, start_step };

static enum verdict run(struct visit *v)
{
	size_t n = v->request->is_admin ? sizeof admin_steps / sizeof *admin_steps
					: sizeof steps / sizeof *steps;
	enum verdict verdict = NEXT;
	while (verdict == NEXT && v->step < n) {
		unsigned step = v->step++;
		verdict = v->request->is_admin ? admin_steps[step](v) : steps[step](v);
	}
	return verdict;
}

/* ---- what the protocol side tells ---- */

static void on_body(void *arg, const void *data, size_t n)
{
	struct visit *v = arg;
	if (!v->answered && v->way && v->way->body) {
		v->way->body(v, data, n);
	}
}

static void on_end(void *arg)
{
	struct visit *v = arg;
	v->ended = true;
	if (v->started && !v->answered && v->way->end) {
		v->way->end(v);
	}
}

static void on_drain(void *arg)
{
	struct visit *v = arg;
	if (v->way && v->way->drain) {
		v->way->drain(v);
	}
}

/* Nothing may begin any more, and what is only read is not waited for. An upload goes on: what has
 * arrived is kept, as when the client vanishes. */
static void on_refused(void *arg, unsigned status)
{
	struct visit *v = arg;
	v->refused = true;
	v->status = status;
	session_forget(v->wait);
	v->wait = NULL;
	ask_cancel(v->ask);
	v->ask = NULL;
}

/* Status 499 (nginx's): the client left before it had an answer. */
static void log_visit(const struct visit *v)
{
	const char *label = v->route ? v->route->path : v->way ? v->way->label : "unmatched";
	unsigned status = v->status ? v->status : 499;
	int64_t took_us = clock_steady_us() - v->started_us;
	const char *service = v->route ? v->route->service : "gateway";
	figures_count(label, v->request->method, status, took_us);
	log_event(status >= 500 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "request",
		LOG_TEXT("method", figures_method(v->request->method)), LOG_TEXT("route", label),
		LOG_TEXT("to", service), LOG_INT("status", status), LOG_INT("ms", took_us / 1000),
		LOG_INT("session_us", v->session_us), LOG_INT("service_us", v->service_us),
		LOG_INT("bytes", v->bytes), LOG_TEXT("call_id", v->call_id));
	access_log_add(v, status, took_us);
}

static void on_gone(void *arg)
{
	struct visit *v = arg;
	session_forget(v->wait);
	ask_cancel(v->ask);
	if (v->started && v->way->gone) {
		v->way->gone(v);
	}
	end_service_stage(v);
	log_visit(v);
}

static struct visit *visit_new(struct exchange *exchange)
{
	struct arena *arena = exchange_arena(exchange);
	const struct request *request = exchange_request(exchange);
	struct visit *v = arena_alloc(arena, sizeof *v);
	const char *traceparent = trace_parent(arena, request_header(request, "traceparent"),
		request_header(request, "x-request-id"));
	*v = (struct visit){
		.exchange = exchange,
		.request = request,
		.arena = arena,
		.way = request->is_admin ? &admin_way : NULL,
		.call_id = trace_call_id(arena, traceparent),
		.traceparent = traceparent,
		.language = language_of(request_header(request, "accept-language")),
		.capability = "",
		.started_us = clock_steady_us(),
	};
	return v;
}

void app_begin(struct exchange *exchange)
{
	static const struct exchange_events events = {
		.on_body = on_body,
		.on_end = on_end,
		.on_drain = on_drain,
		.on_refused = on_refused,
		.on_gone = on_gone,
	};
	struct visit *v = visit_new(exchange);
	exchange_listen(exchange, &events, v);
	(void)run(v);
}

/* ---- start and stop ---- */

enum err app_start(const struct gateway_conf *conf, struct loop *loop, struct bus *bus)
{
	gateway = (struct gateway){ .conf = conf, .loop = loop, .bus = bus };
	if (crypto_from_hex(conf->auth_public_key, gateway.auth_key, PUBLIC_KEY_SIZE)) {
		log_error("the public key of auth is not %d bytes of hex", PUBLIC_KEY_SIZE);
		return ERR_INVALID;
	}
	route_start(gateway_routes, gateway_routes_n);
	enum err e = static_file_start(conf->web_root);
	if (e) {
		return e;
	}
	sse_start();
	limits_start(conf, loop);
	access_log_start(loop);
	load_start(conf, loop);
	return OK;
}

void app_drain(void)
{
	sse_drain();
}

void app_stop(void)
{
	access_log_stop();
	ask_stop();
	load_stop();
	limits_stop();
	sse_stop();
	session_stop();
	static_file_stop();
	route_stop();
	figures_stop();
}
