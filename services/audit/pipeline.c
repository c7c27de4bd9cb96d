/*
 * The log pipeline: what every sink has in common (sink.h).
 *
 * The receiver and the database cannot commit together. So a batch is taken, sent, and only then
 * are its positions moved: what a crash cuts off between the two is sent again. Sending happens
 * between transactions, under a lease that outlasts the longest batch: nothing in the database is
 * held up by a receiver that lets itself be waited for.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "libcommon/crypto.h"
#include "libcommon/db.h"
#include "libcommon/http_client.h"
#include "libcommon/log.h"
#include "services/audit/sink.h"

#define TENANTS_MAX 64 /* of a batch, as audit.sink_take() has it */

/* A process that died while it held a sink delays it by no more than this. */
#define LEASE_MS (SINK_SEND_MS + 5000)

/* After a failure: at first a moment, for a receiver that is being restarted; then seldom enough to
 * cost nothing and often enough that one that is back is fed soon. */
#define REST_MIN_MS 500
#define REST_MAX_MS 5000

/* Nothing is configured. */
struct sink_conf sink_conf = { .file = "",
	.syslog = "",
	.syslog_ca = "",
	.syslog_certificate = "",
	.syslog_key = "",
	.redis = "",
	.redis_user = "",
	.redis_password = "",
	.redis_stream = "",
	.otlp_url = "",
	.otlp_ca = "",
	.otlp_header = "",
	.host_name = "" };
static char holder[33];

/* When a receiver has more than the database knows, there is news: it is asked for nothing else. */
static const char HAS_NEWS[] = "SELECT audit.sink_has_news($1)";
static const char HOLD[] = "SELECT audit.sink_lease($1, $2, $3::integer)";
static const char RELEASE[] = "SELECT audit.sink_release($1, $2)";
static const char TAKE[] = "SELECT tenant_id, id, sequence, operation, outcome = 'failure', line,"
			   " (extract(epoch FROM time) * 1000)::bigint"
			   " FROM audit.sink_take($1, $2::integer)";
static const char DONE[] = "SELECT audit.sink_done($1, $2::uuid[], $3::uuid[])";

static enum err complain(const char *option, const char *why)
{
	log_error("%s %s", option, why);
	return ERR_INVALID;
}

/* The process's own log would wait for who reads the events, and lose lines to them. */
static bool is_log_held_up(void)
{
	struct stat out, log;
	return !fstat(STDOUT_FILENO, &out) && !fstat(STDERR_FILENO, &log) &&
		out.st_dev == log.st_dev && out.st_ino == log.st_ino &&
		(S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode));
}

static enum err check_conf(void)
{
	if (sink_conf.to_stdout && is_log_held_up())
		return complain("--pipeline-stdout", "is the same pipe as standard error");
	const char *port = strrchr(sink_conf.syslog, ':');
	if (*sink_conf.syslog && (!port || port == sink_conf.syslog || !port[1]))
		return complain("--pipeline-syslog", "is not host:port");
	if (!*sink_conf.syslog_certificate != !*sink_conf.syslog_key)
		return complain("--pipeline-syslog-certificate", "and its key come together");
	if (*sink_conf.otlp_url && !http_client_is_safe(sink_conf.otlp_url))
		return complain("--pipeline-otlp-url", "is neither https:// nor this machine");
	if (strpbrk(sink_conf.otlp_header, "\r\n"))
		return complain("--pipeline-otlp-header", "is more than one line");
	return OK;
}

/* getaddrinfo() takes no time limit, nor can libcurl's thread that calls it be stopped: a name
 * server that is away costs two seconds so, and ten otherwise. */
#define RESOLVE "timeout:1 attempts:2"

enum err pipeline_open(void)
{
	if (setenv("RES_OPTIONS", RESOLVE, false))
		abort();
	enum err e = check_conf();
	if (!e && *sink_conf.otlp_url)
		e = http_client_start();
	if (e)
		return e;
	struct arena *arena = arena_new();
	unsigned char random[16];
	crypto_random(random, sizeof(random));
	memcpy(holder, crypto_hex(arena, random, sizeof(random)), sizeof(holder));
	arena_free(arena);
	return OK;
}

void batch_lines(const struct batch *batch, struct buf *out)
{
	for (size_t i = 0; i < batch->n; i++) {
		buf_text(out, batch->events[i].line);
		buf_char(out, '\n');
	}
}

static enum err next_transaction(struct call *c)
{
	enum err e = db_commit(c);
	db_begin(c->db, NULL, true);
	return e;
}

/* ---- one batch ---- */

struct progress {
	bool moved; /* the sink has something that it had not, as far as the database knew */
	bool more; /* and there is more for it */
};

static enum err on_event(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct batch *batch = arg;
	batch->events[batch->n++] = (struct sink_event){
		.tenant_id = arena_strdup(c->arena, columns[0]),
		.id = arena_strdup(c->arena, columns[1]),
		.sequence = arena_strdup(c->arena, columns[2]),
		.operation = arena_strdup(c->arena, columns[3]),
		.has_failed = columns[4][0] == 't',
		.line = arena_strdup(c->arena, columns[5]),
		.unix_ms = strtoll(columns[6], NULL, 10),
	};
	return OK;
}

static size_t most_of(const struct sink *sink)
{
	return sink->most ? sink->most : BATCH_MAX;
}

static enum err take(struct call *c, const struct sink *sink, struct batch *batch)
{
	return db_each(c, TAKE, DB_ARGS(sink->name, db_integer(c, (int64_t)most_of(sink))),
		on_event, batch);
}

/* *moved: the database did not know all of it. */
static enum err done(
	struct call *c, const struct sink *sink, const struct batch *batch, bool *moved)
{
	const char *tenants;
	const char **tenant_ids = arena_array(c->arena, BATCH_MAX, sizeof(*tenant_ids));
	const char **ids = arena_array(c->arena, BATCH_MAX, sizeof(*ids));
	*moved = false;
	if (batch->n == 0)
		return OK;
	for (size_t i = 0; i < batch->n; i++) {
		tenant_ids[i] = batch->events[i].tenant_id;
		ids[i] = batch->events[i].id;
	}
	enum err e = db_text(c, DONE,
		DB_ARGS(sink->name, db_text_array(c, tenant_ids, batch->n),
			db_text_array(c, ids, batch->n)),
		&tenants);
	*moved = !e && strcmp(tenants, "0") != 0;
	return e;
}

/* What the receiver has is noted before more is sent: it is never ahead by more than one batch. */
static enum err resume(struct call *c, const struct sink *sink, bool *moved)
{
	struct batch *known = arena_alloc(c->arena, sizeof(*known));
	*moved = false;
	if (!sink->resume)
		return OK;
	enum err e = sink->resume(c, known);
	return e ? e : done(c, sink, known, moved);
}

/* The first and the last of each tenant say where its position goes: they come in its order. */
static const struct batch *ends_of(struct call *c, const struct batch *batch)
{
	struct batch *ends = arena_alloc(c->arena, sizeof(*ends));
	for (size_t i = 0; i < batch->n; i++) {
		const struct sink_event *event = &batch->events[i];
		size_t at = 0;
		while (at < ends->n && strcmp(ends->events[at].tenant_id, event->tenant_id) != 0)
			at += 2;
		if (at == ends->n) {
			ends->events[at] = *event;
			ends->n += 2;
		}
		ends->events[at + 1] = *event;
	}
	return ends;
}

/* Whether a batch was all that there was. A turn costs the database as much as 200 events, so what
 * comes meanwhile waits for the next interval and goes together. */
static bool is_all(const struct sink *sink, const struct batch *ends)
{
	size_t tenants = ends->n / 2;
	for (size_t i = 0; i < ends->n; i += 2) {
		int64_t first = strtoll(ends->events[i].sequence, NULL, 10);
		int64_t last = strtoll(ends->events[i + 1].sequence, NULL, 10);
		if ((size_t)(last - first + 1) >= most_of(sink) / tenants)
			return false;
	}
	return tenants < TENANTS_MAX;
}

static enum err ship(struct call *c, const struct sink *sink, struct progress *progress)
{
	struct batch *batch = arena_alloc(c->arena, sizeof(*batch));
	enum err e = take(c, sink, batch);
	if (!e)
		e = next_transaction(c);
	if (!e && batch->n)
		e = sink->send(c, batch);
	const struct batch *ends = ends_of(c, batch);
	if (!e)
		e = done(c, sink, ends, &progress->moved);
	progress->more = progress->moved && !is_all(sink, ends);
	return e;
}

/* ---- one turn ---- */

/* *is_settled: this process held it last and has committed all that it sent. */
static enum err hold(struct call *c, const struct sink *sink, bool *is_held, bool *is_settled)
{
	const char *answer;
	*is_held = false;
	enum err e = db_text(c, HAS_NEWS, DB_ARGS(sink->name), &answer);
	if (e || *answer != 't')
		return e;
	e = db_text(c, HOLD, DB_ARGS(sink->name, holder, db_integer(c, LEASE_MS)), &answer);
	if (e || strcmp(answer, "refused") == 0)
		return e;
	*is_held = true;
	*is_settled = strcmp(answer, "settled") == 0;
	return next_transaction(c);
}

/* A failure leaves the lease as it is: this process goes on with it, and others after it. */
static enum err turn(struct call *c, const struct sink *sink, struct progress *progress)
{
	bool is_held, is_settled;
	enum err e = hold(c, sink, &is_held, &is_settled);
	if (e || !is_held)
		return e;
	if (!is_settled)
		e = resume(c, sink, &progress->moved);
	progress->more = progress->moved;
	if (!e && !progress->moved)
		e = ship(c, sink, progress);
	return e ? e : db_exec(c, RELEASE, DB_ARGS(sink->name, holder));
}

static void slow_down(struct sink *sink)
{
	sink->most = sink->most > 1 ? sink->most / 2 : sink->most ? 1 : BATCH_MAX / 2;
	sink->rest_ms = sink->rest_ms ? 2 * sink->rest_ms : REST_MIN_MS;
	if (sink->rest_ms > REST_MAX_MS)
		sink->rest_ms = REST_MAX_MS;
	if (!sink->failing_since_ms)
		sink->failing_since_ms = clock_steady_ms();
	sink->rest_until_ms = clock_steady_ms() + sink->rest_ms;
}

static void speed_up(struct sink *sink)
{
	sink->most = sink->most && 2 * sink->most < BATCH_MAX ? 2 * sink->most : 0;
	sink->rest_ms = 0;
	sink->failing_since_ms = 0;
}

void pipeline_metrics(struct buf *out)
{
	const struct sink *const sinks[] = { &sink_file, &sink_stdout, &sink_syslog, &sink_redis,
		&sink_otlp };
	for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++) {
		int64_t since_ms = sinks[i]->failing_since_ms;
		if (sinks[i]->is_on)
			buf_printf(out, "manabiya_pipeline_failing_seconds{sink=\"%s\"} %lld\n",
				sinks[i]->name,
				since_ms ? (long long)(clock_steady_ms() - since_ms + 999) / 1000
					 : 0LL);
	}
}

enum err pipeline_run(struct call *c, struct sink *sink, bool *more)
{
	*more = false;
	sink->is_on = true;
	if (clock_steady_ms() < sink->rest_until_ms)
		return OK;
	struct progress progress = { false, false };
	enum err e = turn(c, sink, &progress);
	if (e)
		slow_down(sink);
	else if (progress.moved)
		speed_up(sink);
	*more = !e && progress.more;
	return e;
}
