/* The table of limits, and which of them a request meets. See limits.h. */
#include "services/gateway/limits.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/crypto.h"
#include "libcommon/metrics.h"
#include "services/gateway/limit_share.h"
#include "services/gateway/source.h"

/* Addresses, sessions and tenants remembered at the same time: some 8 MiB when all are in use. A
 * prefecture's schools with all their pupils are fewer; of a flood the oldest are forgotten. */
#define SUBJECTS_MAX 65536

/* RateLimit counts in seconds; jitter spreads those who come back. */
#define JITTER_S 5

enum { LOGIN, ANONYMOUS, SOURCE, READ, WRITE, UPLOAD, TENANT, LIMITS };

/* Quotas are filled in from the options, whose table says why they are what they are. */
static struct limit limits[LIMITS] = {
	[LOGIN] = { .name = "login" },
	[ANONYMOUS] = { .name = "anonymous" },
	[SOURCE] = { .name = "source" },
	[READ] = { .name = "read" },
	[WRITE] = { .name = "write" },
	[UPLOAD] = { .name = "upload" },
	[TENANT] = { .name = "tenant" },
};
static char policies[LIMITS][64]; /* as RateLimit-Policy has them */
static uint64_t refused[LIMITS];
static struct limiter *limiter;

void limits_start(const struct gateway_conf *conf, struct loop *loop)
{
	const int64_t quotas[LIMITS] = {
		[LOGIN] = conf->limit_login,
		[ANONYMOUS] = conf->limit_anonymous,
		[SOURCE] = conf->limit_source,
		[READ] = conf->limit_read,
		[WRITE] = conf->limit_write,
		[UPLOAD] = conf->limit_upload,
		[TENANT] = conf->limit_tenant,
	};
	limiter = limiter_new(SUBJECTS_MAX);
	for (size_t i = 0; i < LIMITS; i++) {
		limits[i].quota = quotas[i];
		limits[i].window_ms = conf->limit_window_s * 1000;
		(void)snprintf(policies[i], sizeof policies[i], "\"%s\";q=%lld;w=%lld",
			limits[i].name, (long long)quotas[i], (long long)conf->limit_window_s);
	}
	limit_share_start(conf, loop, limiter);
}

void limits_stop(void)
{
	limit_share_stop();
	limiter_free(limiter);
	limiter = NULL;
}

/* ---- charging ---- */

static void subject_of(const char *kind, const char *name, unsigned char subject[SUBJECT_SIZE])
{
	char text[128];
	unsigned char hash[HASH_SIZE];
	int n = snprintf(text, sizeof text, "%s:%s", kind, name);
	crypto_sha256(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, hash);
	memcpy(subject, hash, SUBJECT_SIZE);
}

/* Is the first closer to its end than the second? */
static bool is_nearer(const struct limit *a, int64_t a_left, const struct limit *b, int64_t b_left)
{
	return a_left * b->quota < b_left * a->quota;
}

static bool charge(struct visit *v, size_t which, const unsigned char subject[SUBJECT_SIZE])
{
	const struct limit *limit = &limits[which];
	if (!limit->quota)
		return true; /* switched off */
	struct limit_state state = limiter_take(limiter, limit, subject, clock_unix_ms());
	refused[which] += state.is_refused;
	if (state.is_refused || !v->limit ||
		is_nearer(limit, state.left, v->limit, v->limit_state.left)) {
		v->limit = limit;
		v->limit_state = state;
	}
	return !state.is_refused;
}

bool limits_of_source(struct visit *v)
{
	unsigned char subject[SUBJECT_SIZE];
	unsigned flags = v->route->flags;
	subject_of("source", source_prefix(v->arena, v->request->source), subject);
	if (!charge(v, SOURCE, subject))
		return false;
	/* Whoever writes without a session wants to begin one. */
	if (flags & ROUTE_ANONYMOUS)
		return charge(v, flags & ROUTE_WRITES ? LOGIN : ANONYMOUS, subject);
	return true;
}

static size_t class_of(const struct route *route)
{
	if (route->flags & ROUTE_STREAM_REQUEST)
		return UPLOAD;
	return route->flags & ROUTE_WRITES ? WRITE : READ;
}

bool limits_of_session(struct visit *v)
{
	unsigned char subject[SUBJECT_SIZE];
	if (!v->actor)
		return true;
	subject_of("session", v->actor->session_id, subject);
	if (!charge(v, class_of(v->route), subject))
		return false;
	subject_of("tenant", v->actor->tenant_id, subject);
	return charge(v, TENANT, subject);
}

/* ---- what is said about it ---- */

static int64_t reset_s(const struct visit *v)
{
	return (v->limit_state.reset_ms + 999) / 1000;
}

void limits_headers(const struct visit *v, struct reply_headers *headers)
{
	if (!v->limit)
		return;
	reply_header(headers, "ratelimit-policy", policies[v->limit - limits]);
	reply_header(headers, "ratelimit",
		arena_printf(v->arena, "\"%s\";r=%lld;t=%lld", v->limit->name,
			(long long)v->limit_state.left, (long long)reset_s(v)));
}

int limits_retry_after_s(const struct visit *v)
{
	unsigned char byte;
	crypto_random(&byte, 1);
	return (int)reset_s(v) + byte % JITTER_S;
}

void limits_figures(struct buf *out)
{
	for (size_t i = 0; i < LIMITS; i++)
		buf_printf(out, "manabiya_limited_total{limit=\"%s\"} %llu\n", limits[i].name,
			(unsigned long long)refused[i]);
	metrics_write_value(out, "manabiya_limits_shared", "gateway", limit_share_is_on());
}
