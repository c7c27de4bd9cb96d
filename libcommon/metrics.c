/* Counters and histograms per operation; see metrics.h. */
#include "libcommon/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "libcommon/bus.h"

/* Upper bounds in microseconds: from a cached read to the slowest import. */
static const int64_t BOUNDS_US[] = { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 10000000 };
#define BOUNDS_N (sizeof(BOUNDS_US) / sizeof(BOUNDS_US[0]))

struct row {
	atomic_uint_fast64_t errors[ERR_COUNT];
	atomic_uint_fast64_t buckets[BOUNDS_N + 1];
	atomic_uint_fast64_t sum_us;
};

struct metrics {
	const char *service;
	const char *const *names;
	size_t n;
	struct row rows[];
};

struct metrics *metrics_new(const char *service, const char *const *names, size_t names_n)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics) + names_n * sizeof(struct row));
	if (!metrics)
		abort();
	metrics->service = service;
	metrics->names = names;
	metrics->n = names_n;
	return metrics;
}

void metrics_observe(struct metrics *metrics, size_t index, enum err err, int64_t us)
{
	struct row *row = &metrics->rows[index];
	size_t bucket = 0;
	while (bucket < BOUNDS_N && us > BOUNDS_US[bucket])
		bucket++;
	atomic_fetch_add_explicit(&row->errors[err], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&row->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&row->sum_us, (uint64_t)us, memory_order_relaxed);
}

static void write_row(const struct metrics *metrics, size_t index, struct buf *out)
{
	const struct row *row = &metrics->rows[index];
	const char *name = metrics->names[index];
	uint64_t total = 0;
	for (size_t i = 0; i < ERR_COUNT; i++) {
		uint64_t n = atomic_load(&row->errors[i]);
		if (n)
			buf_printf(out,
				"manabiya_calls_total{service=\"%s\",operation=\"%s\",err=\"%s\"} "
				"%" PRIu64 "\n",
				metrics->service, name, err_name((enum err)i), n);
	}
	for (size_t i = 0; i <= BOUNDS_N; i++) {
		total += atomic_load(&row->buckets[i]);
		buf_printf(out,
			"manabiya_call_duration_seconds_bucket{service=\"%s\",operation=\"%s\","
			"le=\"",
			metrics->service, name);
		if (i < BOUNDS_N)
			buf_printf(out, "%g", (double)BOUNDS_US[i] / 1e6);
		else
			buf_text(out, "+Inf");
		buf_printf(out, "\"} %" PRIu64 "\n", total);
	}
	buf_printf(out,
		"manabiya_call_duration_seconds_sum{service=\"%s\",operation=\"%s\"} %g\n"
		"manabiya_call_duration_seconds_count{service=\"%s\",operation=\"%s\"} %" PRIu64
		"\n",
		metrics->service, name, (double)atomic_load(&row->sum_us) / 1e6, metrics->service,
		name, total);
}

static bool is_used(const struct row *row)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ERR_COUNT; i++)
		n += atomic_load(&row->errors[i]);
	return n > 0;
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
	for (size_t i = 0; i < metrics->n; i++) {
		if (is_used(&metrics->rows[i]))
			write_row(metrics, i, out);
	}
}

void metrics_write_value(struct buf *out, const char *name, const char *service, uint64_t value)
{
	buf_printf(out, "%s{service=\"%s\"} %" PRIu64 "\n", name, service, value);
}

void metrics_write_bus(struct buf *out, const char *service, const struct bus *bus)
{
	struct bus_figures figures;
	bus_figures(bus, &figures);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "manabiya_bus_requests_total", figures.requests_sent },
		{ "manabiya_bus_expired_total", figures.expired },
		{ "manabiya_bus_cancelled_total", figures.cancelled },
		{ "manabiya_bus_refused_total", figures.refused_full },
		{ "manabiya_bus_refused_tenant_total", figures.refused_tenant },
		{ "manabiya_bus_breaker_opened_total", figures.breaker_opened },
		{ "manabiya_bus_messages_total", figures.messages_sent },
		{ "manabiya_bus_bytes_total", figures.bytes_sent },
		{ "manabiya_bus_instances_up", figures.instances_up },
		{ "manabiya_bus_outstanding", figures.outstanding },
		{ "manabiya_bus_outstanding_bytes", figures.outstanding_bytes },
		{ "manabiya_bus_queue_length", figures.queue_length },
		{ "manabiya_bus_queue_bytes", figures.queue_bytes },
		{ "manabiya_bus_unread_bytes", figures.unread_bytes },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		metrics_write_value(out, rows[i].name, service, rows[i].value);
}
