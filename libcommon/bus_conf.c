/* Options of the bus; see bus_conf.h. */
#include "libcommon/bus_conf.h"

#define MIB (1024 * 1024)
#define AT(field_) offsetof(struct bus_conf, field_)
#define SERVE_AT(field_) offsetof(struct bus_serve_conf, field_)

/* The least of each memory is two of the largest frames. */
const struct option bus_conf_options[] = {
	{ "bus-window", OPTION_INTEGER, "128", AT(window), 1, 1024,
		"requests outstanding per instance called; beyond it 503 at once. More than one "
		"instance works on, and few enough that the last of them is not late" },
	{ "bus-tenant-share", OPTION_INTEGER, "50", AT(tenant_share), 1, 100,
		"how much of each window one tenant may have, in percent; a school that floods "
		"leaves the rest to the others" },
	{ "bus-memory-mib", OPTION_INTEGER, "32", AT(memory), 12, 4096,
		"bytes of requests outstanding per instance called, in MiB; beyond it 503 at once. "
		"Five of the largest requests (6 MiB), or the windows of 100 uploads, eight of "
		"them large" },
	{ "bus-resolve-ms", OPTION_INTEGER, "3000", AT(resolve_ms), 100, 60000,
		"host names in --peers are looked up again this often" },
	{ "bus-peer-uids", OPTION_TEXT, "", AT(peer_uids), 0, 256,
		"users that may be at the other end of ipc:// links, 1001,1002,…; empty for my "
		"own" },
};
const size_t bus_conf_options_n = sizeof(bus_conf_options) / sizeof(bus_conf_options[0]);

const struct option bus_serve_options[] = {
	{ "bus-queue", OPTION_INTEGER, "256", SERVE_AT(queue), 1, 65536,
		"requests waiting for a worker; beyond it callers are told to come later" },
	{ "bus-queue-memory-mib", OPTION_INTEGER, "64", SERVE_AT(queue_memory), 12, 65536,
		"bytes of requests waiting for a worker and being worked on, in MiB; beyond it "
		"callers are told to come later. Two callers' worth" },
	{ "bus-session-memory-mib", OPTION_INTEGER, "16", SERVE_AT(session_memory), 12, 4096,
		"bytes of replies and events that one caller has not read yet, in MiB; beyond it "
		"replies are replaced by 503 and events dropped. Two of the largest replies" },
};
const size_t bus_serve_options_n = sizeof(bus_serve_options) / sizeof(bus_serve_options[0]);

void bus_conf_apply(
	const struct bus_conf *conf, const struct bus_serve_conf *serve, struct bus_options *out)
{
	out->window = conf->window;
	out->tenant_share = conf->tenant_share;
	out->bytes_max = conf->memory * MIB;
	out->resolve_every_ms = conf->resolve_ms;
	out->peer_uids = conf->peer_uids;
	if (!serve)
		return;
	out->queue_max = serve->queue;
	out->queue_bytes_max = serve->queue_memory * MIB;
	out->session_bytes_max = serve->session_memory * MIB;
}
