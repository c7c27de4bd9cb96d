/* The bus's own options, the same in every process: limits, and who may be at the other end. */
#ifndef MANABIYA_BUS_CONF_H
#define MANABIYA_BUS_CONF_H

#include <stdint.h>

#include "libcommon/bus.h"
#include "libcommon/conf.h"

/* What stands for 0 in struct bus_options. */
#define BUS_DEFAULTS                                                                               \
	{                                                                                          \
		.window = 128, .queue_max = 256, .tenant_share = 50,                               \
		.bytes_max = 32 * 1024 * 1024, .queue_bytes_max = 64 * 1024 * 1024,                \
		.session_bytes_max = 16 * 1024 * 1024, .resolve_every_ms = 3000                    \
	}

struct bus_conf {
	int64_t window, tenant_share, memory, resolve_ms;
	const char *peer_uids;
};

/* For processes that call, and besides for those that serve. */
extern const struct option bus_conf_options[];
extern const size_t bus_conf_options_n;

struct bus_serve_conf {
	int64_t queue, queue_memory, session_memory;
};
extern const struct option bus_serve_options[];
extern const size_t bus_serve_options_n;

/* `serve` may be NULL. */
void bus_conf_apply(
	const struct bus_conf *conf, const struct bus_serve_conf *serve, struct bus_options *out);

#endif
