/* audit: the append-only event log of every tenant, and its way out to the log pipeline. */
#include <stddef.h>

#include "libcommon/service.h"
#include "services/audit/audit.h"
#include "services/audit/sink.h"

static struct {
	const char *log_name, *checkpoint_key, *checkpoint_key_before;
	struct sink_conf sinks;
	struct retention retention;
	struct anomaly_limits anomaly;
	int64_t access_silence_s;
	struct witness_conf witness;
} conf;

#define AT(field_) offsetof(__typeof__(conf), field_)

static const struct option options[] = {
	{ "log-name", OPTION_TEXT, "manabiya.invalid", AT(log_name), 1, 100,
		"what the name of every log begins with, best a host name of the deployment; it is "
		"signed, so it must never change" },
	{ "checkpoint-key", OPTION_SECRET, NULL, AT(checkpoint_key), 64, 64,
		"file with the Ed25519 seed that signs checkpoints, 32 bytes as hex" },
	{ "checkpoint-key-before", OPTION_SECRET, "", AT(checkpoint_key_before), 0, 64,
		"the one that it replaces, which signs as well as long as it is given" },
	{ "witness-url", OPTION_TEXT, "", AT(witness.urls), 0, 1024,
		"where witnesses are asked to sign checkpoints, https://…, separated by commas; "
		"/add-checkpoint is put behind each; empty for none" },
	{ "witness-key", OPTION_TEXT, "", AT(witness.keys), 0, 2048,
		"their verifier keys in the same order: what others have signed is not kept" },
	{ "witness-ca", OPTION_READS, "", AT(witness.ca_file), 0, 4096,
		"PEM file of the authorities of their certificates; empty for the system's" },
	{ "pipeline-file", OPTION_WRITES, "", AT(sinks.file), 0, 4096,
		"file that every event is appended to, one JSON object a line; empty for none" },
	{ "pipeline-stdout", OPTION_BOOLEAN, "false", AT(sinks.to_stdout), 0, 0,
		"whether every event is written to standard output as well, one JSON object a "
		"line" },
	{ "pipeline-syslog", OPTION_TEXT, "", AT(sinks.syslog), 0, 300,
		"host:port of a syslog receiver over TLS (RFC 5425, usually port 6514), whose "
		"certificate must be for that host; empty for none" },
	{ "pipeline-syslog-ca", OPTION_RELOADS, "", AT(sinks.syslog_ca), 0, 4096,
		"certificates that its certificate is checked with (PEM); empty for the system's" },
	{ "pipeline-syslog-certificate", OPTION_RELOADS, "", AT(sinks.syslog_certificate), 0, 4096,
		"certificate that we show it (PEM); empty for none" },
	{ "pipeline-syslog-key", OPTION_RELOADS, "", AT(sinks.syslog_key), 0, 4096,
		"key of that certificate (PEM)" },
	{ "pipeline-redis", OPTION_TEXT, "", AT(sinks.redis), 0, 300,
		"Redis with a stream of all events, socket path or host:port; not the cache, which "
		"may evict it; empty for none" },
	{ "pipeline-redis-user", OPTION_TEXT, "", AT(sinks.redis_user), 0, 64,
		"name to log in with there; empty for the default user" },
	{ "pipeline-redis-password", OPTION_SECRET, "", AT(sinks.redis_password), 0, 512,
		"file with its password; empty for none" },
	{ "pipeline-redis-stream", OPTION_TEXT, "manabiya:audit", AT(sinks.redis_stream), 1, 128,
		"name of the stream" },
	{ "pipeline-redis-max-length", OPTION_INTEGER, "100000", AT(sinks.redis_max_length), 100,
		100000000,
		"events that the stream keeps, about; the default takes some 150 MB of Redis's "
		"memory" },
	{ "pipeline-otlp-url", OPTION_TEXT, "", AT(sinks.otlp_url), 0, 512,
		"where a collector takes logs by OTLP/HTTP, https://host:4318/v1/logs (http:// to "
		"this machine only); empty for none" },
	{ "pipeline-otlp-ca", OPTION_RELOADS, "", AT(sinks.otlp_ca), 0, 4096,
		"certificates that its certificate is checked with (PEM); empty for the system's" },
	{ "pipeline-otlp-header", OPTION_SECRET, "", AT(sinks.otlp_header), 0, 2048,
		"file with one header that it wants, `Authorization: Bearer …`; empty for none" },
	{ "retention-days", OPTION_INTEGER, "400", AT(retention.days), 397, 36500,
		"how long events are kept; thirteen months at least, in which a school year is "
		"over and looked back at" },
	{ "retention-days-class-i", OPTION_INTEGER, "0", AT(retention.class_days[0]), 0, 36500,
		"how long events about what is of class I are kept, where that is longer; the log "
		"goes "
		"in the order of its events, so younger ones wait for them" },
	{ "retention-days-class-ii", OPTION_INTEGER, "0", AT(retention.class_days[1]), 0, 36500,
		"the same for class II" },
	{ "retention-days-class-iii", OPTION_INTEGER, "0", AT(retention.class_days[2]), 0, 36500,
		"the same for class III" },
	{ "anomaly-videos", OPTION_INTEGER, "200", AT(anomaly.videos), 10, 100000,
		"different videos that one person may open within an hour before administrators "
		"are "
		"told; a class of forty with three tries each is 120" },
	{ "anomaly-failures", OPTION_INTEGER, "50", AT(anomaly.failures), 5, 100000,
		"logins and proofs of the password of a contract that may fail within ten minutes; "
		"a class that mistypes "
		"stays below" },
	{ "anomaly-night-from", OPTION_INTEGER, "23", AT(anomaly.night_from), 0, 23,
		"hour from which a login of the staff is told, Japanese time" },
	{ "anomaly-night-until", OPTION_INTEGER, "5", AT(anomaly.night_until), 0, 23,
		"hour from which it is ordinary again; the same as the other: never told" },
	{ "access-silence-s", OPTION_INTEGER, "60", AT(access_silence_s), 5, 3600,
		"seconds that a gateway may say nothing, every two by itself, until the accesses "
		"that "
		"it has not handed in count as lost" },
};

/* Checkpoints are promised within a second. The pipeline is for watching: half a second late is
 * still at once for a person; so is an anomaly after five. Sinks and witnesses
 * that are not configured cost a look at the clock. */
static const struct job jobs[] = {
	{ .name = "checkpoint", .every_ms = 250, .run = checkpoint_run },
	{ .name = "witness", .every_ms = 1000, .run = witness_run },
	{ .name = "pipeline file", .every_ms = 250, .run = sink_file_run },
	{ .name = "pipeline stdout", .every_ms = 250, .run = sink_stdout_run },
	{ .name = "pipeline syslog", .every_ms = 250, .run = sink_syslog_run },
	{ .name = "pipeline redis", .every_ms = 250, .run = sink_redis_run },
	{ .name = "pipeline otlp", .every_ms = 250, .run = sink_otlp_run },
	{ .name = "terms", .every_ms = 2000, .run = terms_run },
	{ .name = "anomaly", .every_ms = 5000, .run = anomaly_run },
	{ .name = "accesses", .every_ms = 1000, .run = access_run },
	{ .name = "compare", .every_ms = 5000, .run = compare_run },
	{ .name = "completeness", .every_ms = 5000, .run = completeness_run },
	{ .name = "retention", .every_ms = 60000, .run = retention_run },
};

static enum err start(void)
{
	sink_conf = conf.sinks;
	sink_conf.host_name = conf.log_name;
	retention = conf.retention;
	anomaly_limits = conf.anomaly;
	access_silence_s = conf.access_silence_s;
	enum err e =
		checkpoint_open(conf.log_name, conf.checkpoint_key, conf.checkpoint_key_before);
	if (!e)
		e = pipeline_open();
	return e ? e : witness_open(&conf.witness);
}

static void stop(void)
{
	witness_close();
	checkpoint_close();
}

static void metrics(struct buf *out)
{
	pipeline_metrics(out);
	completeness_metrics(out);
}

int main(int argc, char **argv)
{
	static const struct service audit = {
		.name = "audit",
		.ops = audit_ops,
		.ops_n = AUDIT_OPS_N,
		.options = options,
		.options_n = sizeof(options) / sizeof(options[0]),
		.conf = &conf,
		.jobs = jobs,
		.jobs_n = sizeof(jobs) / sizeof(jobs[0]),
		.workers = 2,
		.metrics = metrics,
		.start = start,
		.stop = stop,
	};
	return service_main(argc, argv, &audit);
}
