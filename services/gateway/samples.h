/* Samples in Prometheus text, merged from several processes: equal series are added up, families
 * stand together, each under its type. */
#ifndef MANABIYA_GATEWAY_SAMPLES_H
#define MANABIYA_GATEWAY_SAMPLES_H

#include "libcommon/arena.h"
#include "libcommon/buf.h"

struct samples;

struct samples *samples_new(struct arena *arena);

/* Take the lines of a text; comments and lines that are no samples are left out. */
void samples_add(struct samples *samples, const char *text, size_t n);

void samples_write(const struct samples *samples, struct buf *out);

#endif
