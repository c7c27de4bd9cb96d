/*
 * The log pipeline's way out: what a sink is, and the job that every sink shares (pipeline.c).
 *
 * A sink gets every event at least once, of each tenant in the order of its sequence, which stands
 * in each line (metadata.sequence). Its position in every tenant's log lies in the database and
 * moves only when a batch is safe at the receiver; so a receiver that was away goes on where it
 * stopped, and one that finds a gap can be sent again what it lacks (manabiyactl pipeline).
 *
 * Each sink has a job, and so a thread and a connection, of its own: one that is slow or dead
 * holds up nothing else. While it waits for its receiver no transaction is open.
 */
#ifndef MANABIYA_AUDIT_SINK_H
#define MANABIYA_AUDIT_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/call.h"

/* Events of a batch: half a megabyte of usual lines, beside which a connection costs little. After
 * a failure the next is half as long, for lines too slow to carry one in time. */
#define BATCH_MAX 500
/* The longest stored line with its sequence and the newline behind it. */
#define LINE_MAX_BYTES 8193

/* A batch that takes longer is given up until the next turn: stopping the process waits for it, and
 * has five seconds. */
#define SINK_SEND_MS 4000

struct sink_event {
	const char *tenant_id, *id, *sequence;
	int64_t unix_ms;
	const char *operation;
	bool has_failed;
	const char *line; /* byte for byte as it is stored */
};

struct batch {
	size_t n;
	struct sink_event events[BATCH_MAX];
};

struct sink {
	const char *name; /* its positions stand under it, so it never changes */
	/* Note the last events that the receiver has already (tenant_id and id of each); NULL where
	 * it cannot be asked, and what was sent but not noted comes twice. Asked when that may be:
	 * at the start, after a failure, and after another process has sent. */
	enum err (*resume)(struct call *c, struct batch *known);
	/* OK when the receiver has all of it. Called outside of any transaction. */
	enum err (*send)(struct call *c, const struct batch *batch);
	/* The job's own. */
	int64_t rest_ms, rest_until_ms;
	size_t most; /* of the next batch; 0 for all */
	/* For /metrics, which another thread reads. */
	_Atomic bool is_on;
	_Atomic int64_t failing_since_ms; /* clock_steady_ms(); 0: it does not */
};

/* Before the first job and thread, with sink_conf filled: a name for this process, under which it
 * holds sinks, and a bound on looking up names. INVALID, logged, for what can never work. */
must_check enum err pipeline_open(void);

/* One turn: at most one batch. */
must_check enum err pipeline_run(struct call *c, struct sink *sink, bool *more);

/* Samples for /metrics: since when each sink that is configured has been failing. Any thread. */
void pipeline_metrics(struct buf *out);

/* The lines of a batch, each with a newline behind it. */
void batch_lines(const struct batch *batch, struct buf *out);

/* ---- the sinks, each a job (service.h) that does nothing unless it is configured ---- */

struct sink_conf {
	const char *file; /* NDJSON */
	bool to_stdout; /* NDJSON */
	const char *syslog; /* host:port */
	const char *syslog_ca, *syslog_certificate, *syslog_key;
	const char *redis; /* socket path or host:port */
	const char *redis_user, *redis_password, *redis_stream;
	int64_t redis_max_length;
	const char *otlp_url, *otlp_ca;
	const char *otlp_header; /* one more header line */
	const char *host_name; /* of the deployment, for syslog and OTLP */
};
extern struct sink_conf sink_conf;

/* A syslog message with its length in front, appended to *out. */
void syslog_frame(const struct sink_event *event, struct buf *out);

/* A request of OTLP/HTTP as JSON, appended to *out. */
void otlp_body(const struct batch *batch, struct buf *out);

extern struct sink sink_file, sink_stdout, sink_syslog, sink_redis, sink_otlp;
enum err sink_file_run(struct call *c, bool *more);
enum err sink_stdout_run(struct call *c, bool *more);
enum err sink_syslog_run(struct call *c, bool *more);
enum err sink_redis_run(struct call *c, bool *more);
enum err sink_otlp_run(struct call *c, bool *more);

#endif
