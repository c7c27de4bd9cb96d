/* Request figures as one histogram per route, method and status (OpenTelemetry's name for it). One
 * thread, the loop's. */
#include "services/gateway/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Upper bounds in µs: from a cached file to the slowest import. */
static const int64_t bounds_us[] = { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000 };
#define BOUNDS (sizeof bounds_us / sizeof *bounds_us)

struct figure {
	struct figure *next;
	const char *label, *method;
	unsigned status;
	uint64_t within[BOUNDS], n;
	int64_t sum_us;
};

/* A prime, above the number of routes times their usual answers. */
#define BUCKETS 509
static struct figure *buckets[BUCKETS];

const char *figures_method(const char *method)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
		"OPTIONS" };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!strcmp(method, known[i])) {
			return known[i];
		}
	}
	return "OTHER";
}

/* Labels are constants, so their addresses name them. */
static struct figure *find(const char *label, const char *method, unsigned status)
{
	size_t hash = (uintptr_t)label / 8 + (uintptr_t)method + status;
	struct figure **at = &buckets[hash % BUCKETS];
	while (*at &&
		((*at)->label != label || (*at)->method != method || (*at)->status != status)) {
		at = &(*at)->next;
	}
	if (!*at) {
		*at = calloc(1, sizeof **at);
		if (!*at) {
			abort();
		}
		**at = (struct figure){ .label = label, .method = method, .status = status };
	}
	return *at;
}

void figures_count(const char *label, const char *method, unsigned status, int64_t took_us)
{
	struct figure *figure = find(label, figures_method(method), status);
	figure->n++;
	figure->sum_us += took_us;
	for (size_t i = 0; i < BOUNDS; i++) {
		figure->within[i] += took_us <= bounds_us[i];
	}
}

#define NAME "http_server_request_duration_seconds"

static void write_one(const struct figure *figure, struct buf *out)
{
	char labels[256];
	(void)snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",status=\"%u\"",
		figure->label, figure->method, figure->status);
	for (size_t i = 0; i < BOUNDS; i++) {
		buf_printf(out, NAME "_bucket{%s,le=\"%g\"} %" PRIu64 "\n", labels,
			(double)bounds_us[i] / 1e6, figure->within[i]);
	}
	buf_printf(out, NAME "_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", labels, figure->n);
	buf_printf(out, NAME "_sum{%s} %.6f\n", labels, (double)figure->sum_us / 1e6);
	buf_printf(out, NAME "_count{%s} %" PRIu64 "\n", labels, figure->n);
}

void figures_write(struct buf *out)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct figure *figure = buckets[i]; figure; figure = figure->next) {
			write_one(figure, out);
		}
	}
}

void figures_stop(void)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (buckets[i]) {
			struct figure *figure = buckets[i];
			buckets[i] = figure->next;
			free(figure);
		}
	}
}
