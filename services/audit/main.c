/* audit: the append-only event log of every tenant, and its way out to the log pipeline. */
#include <stddef.h>

#include "libcommon/service.h"
#include "services/audit/audit.h"

static struct {
	const char *ndjson;
} conf;

static const struct option options[] = {
	{ .name = "ndjson",
		.kind = OPTION_WRITES,
		.fallback = "",
		.offset = offsetof(__typeof__(conf), ndjson),
		.max = 4096,
		.help = "file that every event is appended to, one JSON object a line; empty for "
			"none" },
};

/* The pipeline is for watching: half a second late is still at once for a person. */
static const struct job jobs[] = {
	{ .name = "pipeline", .every_ms = 500, .run = pipeline_run },
};

static enum err start(void)
{
	pipeline_file = conf.ndjson;
	return OK;
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
	};
	return service_main(argc, argv, &audit);
}
