/* learning: units, videos, tries and what is said about them. */
#include <stddef.h>

#include "libcommon/service.h"
#include "services/learning/export.h"
#include "services/learning/import.h"
#include "services/learning/learning.h"
#include "services/learning/media_store.h"

static struct {
	const char *media;
	int64_t export_keep_days;
} conf;

static const struct option options[] = {
	{ .name = "media",
		.kind = OPTION_WRITES,
		.offset = offsetof(__typeof__(conf), media),
		.min = 1,
		.max = 4096,
		.help = "directory of the encrypted videos" },
	{ "export-keep-days", OPTION_INTEGER, "7", offsetof(__typeof__(conf), export_keep_days), 1,
		90, "days for which an export of everything can be fetched" },
};

static const struct job jobs[] = {
	{ .name = "reseal", .every_ms = RESEAL_EVERY_MS, .run = reseal_run },
	{ .name = "media_clean", .every_ms = 3600000, .run = media_clean },
	{ .name = "export", .every_ms = 1000, .run = export_run }, /* somebody watches it */
	/* How long an administrator waits until something happens. */
	{ .name = "import", .every_ms = 1000, .run = import_run },
};

static enum err start(void)
{
	export_keep_days = conf.export_keep_days;
	learning_media = media_store_open(conf.media);
	return learning_media ? OK : ERR_UNAVAILABLE;
}

static void stop(void)
{
	media_store_close(learning_media);
}

int main(int argc, char **argv)
{
	static const struct service learning = {
		.name = "learning",
		.ops = learning_ops,
		.ops_n = LEARNING_OPS_N,
		.options = options,
		.options_n = sizeof(options) / sizeof(options[0]),
		.conf = &conf,
		.jobs = jobs,
		.jobs_n = sizeof(jobs) / sizeof(jobs[0]),
		.keyring = KEYRING_READS,
		.sealed = learning_sealed,
		.sealed_n = LEARNING_SEALED_N,
		.workers = 4,
		.start = start,
		.stop = stop,
	};
	return service_main(argc, argv, &learning);
}
