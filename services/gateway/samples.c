/*
 * Merging of Prometheus text. Instances of one service count the same series, so counters and
 * gauges add up; which instance had how many is not told here.
 */
#include "services/gateway/samples.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* More series than all services have, so that probing stays short; further ones are left out. */
#define SLOTS 16384
#define SERIES_MAX 12288

struct series {
	const char *key; /* name and labels */
	size_t family_n; /* length of the family's name within the key */
	double value;
};

struct samples {
	struct arena *arena;
	struct series *series; /* in the order in which they came */
	size_t n;
	uint16_t *slots; /* 1 + place in `series`; 0: free */
};

struct samples *samples_new(struct arena *arena)
{
	struct samples *samples = arena_alloc(arena, sizeof *samples);
	samples->arena = arena;
	samples->series = arena_array(arena, SERIES_MAX, sizeof *samples->series);
	samples->slots = arena_array(arena, SLOTS, sizeof *samples->slots);
	return samples;
}

static bool ends_with(const char *text, size_t n, const char *end)
{
	size_t end_n = strlen(end);
	return n > end_n && !memcmp(text + n - end_n, end, end_n);
}

/* A histogram's name is that of its parts without the ending. */
static size_t family_length(const char *key)
{
	static const char *const parts[] = { "_bucket", "_sum", "_count" };
	size_t n = strcspn(key, "{ ");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (ends_with(key, n, parts[i])) {
			return n - strlen(parts[i]);
		}
	}
	return n;
}

static struct series *series_of(struct samples *samples, const char *key, size_t n)
{
	uint32_t slot = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < n; i++) {
		slot = (slot ^ (unsigned char)key[i]) * 16777619u;
	}
	for (slot %= SLOTS; samples->slots[slot]; slot = (slot + 1) % SLOTS) {
		struct series *series = &samples->series[samples->slots[slot] - 1];
		if (!strncmp(series->key, key, n) && !series->key[n]) {
			return series;
		}
	}
	if (samples->n == SERIES_MAX) {
		return NULL;
	}
	struct series *series = &samples->series[samples->n++];
	samples->slots[slot] = (uint16_t)samples->n;
	series->key = arena_strndup(samples->arena, key, n);
	series->family_n = family_length(series->key);
	return series;
}

static void add_line(struct samples *samples, const char *line, size_t n)
{
	const char *space = memrchr(line, ' ', n);
	if (line[0] == '#' || !space || space == line || memchr(line, 0, n)) {
		return; /* a NUL would end the name before its length does */
	}
	char number[64], *end;
	size_t number_n = n - (size_t)(space + 1 - line);
	if (number_n == 0 || number_n >= sizeof number) {
		return;
	}
	memcpy(number, space + 1, number_n);
	number[number_n] = 0;
	double value = strtod(number, &end);
	struct series *series = *end ? NULL : series_of(samples, line, (size_t)(space - line));
	if (series) {
		series->value += value;
	}
}

void samples_add(struct samples *samples, const char *text, size_t n)
{
	while (n) {
		const char *end = memchr(text, '\n', n);
		size_t line_n = end ? (size_t)(end - text) : n;
		if (line_n) {
			add_line(samples, text, line_n);
		}
		size_t used = line_n + (end != NULL);
		text += used;
		n -= used;
	}
}

static bool is_of(const struct series *series, const struct series *first)
{
	return series->family_n == first->family_n &&
		!memcmp(series->key, first->key, first->family_n);
}

static const char *type_of(const struct series *series)
{
	if (series->key[series->family_n] == '_') {
		return "histogram";
	}
	return ends_with(series->key, series->family_n, "_total") ? "counter" : "gauge";
}

static bool is_first(const struct samples *samples, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (is_of(&samples->series[i], &samples->series[at])) {
			return false;
		}
	}
	return true;
}

void samples_write(const struct samples *samples, struct buf *out)
{
	for (size_t i = 0; i < samples->n; i++) {
		const struct series *first = &samples->series[i];
		if (!is_first(samples, i)) {
			continue;
		}
		buf_printf(
			out, "# TYPE %.*s %s\n", (int)first->family_n, first->key, type_of(first));
		for (size_t j = i; j < samples->n; j++) {
			if (is_of(&samples->series[j], first)) {
				buf_printf(out, "%s %.15g\n", samples->series[j].key,
					samples->series[j].value);
			}
		}
	}
}
