/* audit: the append-only event log of every tenant, and its way out to the log pipeline. */
#include <stddef.h>

#include "libcommon/service.h"
#include "services/audit/audit.h"

static struct {
	const char *log_name, *checkpoint_key, *checkpoint_key_before, *ndjson;
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
	{ "ndjson", OPTION_WRITES, "", AT(ndjson), 0, 4096,
		"file that every event is appended to, one JSON object a line; empty for none" },
};

/* Checkpoints are promised within a second. The pipeline is for watching: half a second late is
 * still at once for a person. */
static const struct job jobs[] = {
	{ .name = "checkpoint", .every_ms = 250, .run = checkpoint_run },
	{ .name = "pipeline", .every_ms = 500, .run = pipeline_run },
};

static enum err start(void)
{
	pipeline_file = conf.ndjson;
	return checkpoint_open(conf.log_name, conf.checkpoint_key, conf.checkpoint_key_before);
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
		.start = start,
		.stop = checkpoint_close,
	};
	return service_main(argc, argv, &audit);
}
