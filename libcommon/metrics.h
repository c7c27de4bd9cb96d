/*
 * Counters and latency histograms per operation, as Prometheus text (OpenMetrics names, seconds).
 * Lock-free to write.
 *
 * Every process has one table; the gateway collects the tables of all services over the bus.
 */
#ifndef MANABIYA_METRICS_H
#define MANABIYA_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/err.h"

struct metrics;

/* For the life of the process. `names` are the operations, sorted, and live as long. */
struct metrics *metrics_new(const char *service, const char *const *names, size_t names_n);

/* One call of operation number `index` took `us` and ended with `err`. Any thread. */
void metrics_observe(struct metrics *metrics, size_t index, enum err err, int64_t us);

/* Append the samples, without # TYPE lines: the gateway, which merges the tables, writes these once
 * (services/gateway/samples.c). */
void metrics_write(const struct metrics *metrics, struct buf *out);

/* One more sample: a gauge or counter of the process, e.g. "manabiya_bus_queue_length". */
void metrics_write_value(struct buf *out, const char *name, const char *service, uint64_t value);

/* Every figure of a process's bus (bus.h). */
struct bus;
void metrics_write_bus(struct buf *out, const char *service, const struct bus *bus);

#endif
