/*
 * The admin listener, for whoever operates the machines: is it alive, is it ready, what are its
 * figures. Not reachable from outside, and no way around authentication: nothing of a tenant is to
 * be seen here.
 */
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/metrics.h"
#include "services/gateway/ask.h"
#include "services/gateway/figures.h"
#include "services/gateway/gateway.h"
#include "services/gateway/limits.h"
#include "services/gateway/load.h"
#include "services/gateway/samples.h"
#include "services/gateway/sse.h"

/* A probe that takes longer counts as failed; Kubernetes' own default for probes. */
#define SURVEY_TIMEOUT_MS 1000
#define SERVICES_MAX 16

/* One question to all services; lives until the last answer, whether or not somebody waits. */
struct survey {
	struct arena *arena;
	struct visit *v; /* NULL: the client is gone */
	unsigned waiting;
	struct party {
		struct survey *survey;
		const char *service;
		unsigned instances;
		bool is_ready; /* at least one instance is */
		const char *reason;
	} parties[SERVICES_MAX];
	size_t parties_n;
	struct samples *samples; /* NULL: this is about readiness */
};

static void answer_text(struct visit *v, unsigned status, const char *type, const char *text)
{
	struct reply_headers headers = { .n = 0 };
	reply_header(&headers, "cache-control", "no-store");
	visit_answer(v, status, type,
		(struct bytes){ .data = (const unsigned char *)text, .n = strlen(text) }, &headers);
}

/* ---- what the survey found ---- */

static void answer_readiness(struct survey *survey)
{
	struct buf services = { .arena = survey->arena }, missing = { .arena = survey->arena };
	for (size_t i = 0; i < survey->parties_n; i++) {
		const struct party *party = &survey->parties[i];
		buf_printf(&services, "%s\"%s\":", i ? "," : "", party->service);
		json_quote(&services, party->is_ready ? "ready" : party->reason);
		if (!party->is_ready) {
			buf_printf(&missing, "%s\"%s\"", missing.n ? "," : "", party->service);
		}
	}
	const char *text =
		arena_printf(survey->arena, "{\"ready\":%s,\"notReady\":[%s],\"services\":{%s}}\n",
			missing.n ? "false" : "true", missing.n ? missing.data : "", services.data);
	answer_text(survey->v, missing.n ? 503 : 200, "application/json", text);
}

static void add_own_figures(struct survey *survey)
{
	struct buf out = { .arena = survey->arena };
	figures_write(&out);
	limits_figures(&out);
	load_figures(&out);
	ask_figures(&out);
	metrics_write_bus(&out, "gateway", gateway.bus);
	metrics_write_value(&out, "manabiya_event_streams", "gateway", sse_count());
	for (size_t i = 0; i < survey->parties_n; i++) {
		metrics_write_value(&out, "manabiya_instances", survey->parties[i].service,
			survey->parties[i].instances);
	}
	samples_add(survey->samples, out.data, out.n);
}

static void answer_figures(struct survey *survey)
{
	struct buf out = { .arena = survey->arena };
	add_own_figures(survey);
	samples_write(survey->samples, &out);
	answer_text(survey->v, 200, "text/plain; version=0.0.4; charset=utf-8", out.data);
}

static void conclude(struct survey *survey)
{
	if (survey->v) {
		survey->v->state = NULL;
		if (survey->samples) {
			answer_figures(survey);
		} else {
			answer_readiness(survey);
		}
	}
	arena_free(survey->arena);
}

/* ---- the survey ---- */

static void on_answer(void *arg, const struct bus_reply *reply)
{
	struct party *party = arg;
	struct survey *survey = party->survey;
	const char *body = arena_strndup(
		survey->arena, reply->body.n ? (const char *)reply->body.data : "", reply->body.n);
	if (reply->status == 200 && survey->samples) {
		samples_add(survey->samples, body, reply->body.n);
	} else if (reply->status == 200) {
		party->is_ready = true;
	} else {
		party->reason = *body ? body : "no answer in time";
	}
	if (--survey->waiting == 0) {
		conclude(survey);
	}
}

static void add_party(struct survey *survey, const char *service)
{
	for (size_t i = 0; i < survey->parties_n; i++) {
		if (!strcmp(survey->parties[i].service, service)) {
			return;
		}
	}
	if (strcmp(service, "gateway") != 0 && survey->parties_n < SERVICES_MAX) {
		survey->parties[survey->parties_n++] = (struct party){
			.survey = survey, .service = service, .reason = "not connected"
		};
	}
}

/* Whoever stands in the table of routes is needed; auth for its sessions is among them. */
static void add_parties(struct survey *survey)
{
	for (size_t i = 0; i < gateway_routes_n; i++) {
		add_party(survey, gateway_routes[i].service);
		const struct route_part *part = gateway_routes[i].fanout;
		for (; part && part->service; part++) {
			add_party(survey, part->service);
		}
	}
}

static void survey_start(struct visit *v, const char *operation)
{
	struct arena *arena = arena_new();
	struct survey *survey = arena_alloc(arena, sizeof *survey);
	*survey = (struct survey){ .arena = arena, .v = v };
	if (!strcmp(operation, "service_metrics")) {
		survey->samples = samples_new(arena);
	}
	v->state = survey;
	add_parties(survey);
	for (size_t i = 0; i < survey->parties_n; i++) {
		struct party *party = &survey->parties[i];
		struct bus_request request = {
			.service = party->service,
			.operation = operation,
			.capability = "",
			.source = "",
			.idempotency_key = "",
			.traceparent = "",
			.content_type = "",
			.timeout_ms = SURVEY_TIMEOUT_MS,
		};
		party->instances = ask_each(&request, on_answer, party);
		survey->waiting += party->instances;
	}
	if (survey->waiting == 0) {
		conclude(survey);
	}
}

/* ---- the pages ---- */

static void show_health(struct visit *v)
{
	answer_text(v, 200, "text/plain; charset=utf-8", "ok\n");
}

static void show_readiness(struct visit *v)
{
	survey_start(v, "service_health");
}

static void show_metrics(struct visit *v)
{
	survey_start(v, "service_metrics");
}

static void show_version(struct visit *v)
{
	answer_text(v, 200, "application/json",
		"{\"name\":\"manabiya-gateway\",\"version\":\"" GATEWAY_VERSION "\"}\n");
}

static const struct page {
	const char *path;
	void (*show)(struct visit *v);
} pages[] = {
	{ "/healthz", show_health },
	{ "/livez", show_health },
	{ "/readyz", show_readiness },
	{ "/metrics", show_metrics },
	{ "/version", show_version },
};

static void admin_start(struct visit *v)
{
	const char *method = v->request->method;
	bool is_read = !strcmp(method, "GET") || !strcmp(method, "HEAD");
	for (size_t i = 0; is_read && i < sizeof pages / sizeof *pages; i++) {
		if (!strcmp(v->request->path, pages[i].path)) {
			pages[i].show(v);
			return;
		}
	}
	visit_refuse(v, is_read ? &problem_not_found : &problem_method_not_allowed, 0);
}

static void admin_gone(struct visit *v)
{
	struct survey *survey = v->state;
	if (survey) {
		survey->v = NULL;
	}
}

const struct way admin_way = { .label = "admin", .start = admin_start, .gone = admin_gone };
