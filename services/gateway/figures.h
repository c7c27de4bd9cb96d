/* The gateway's own figures: how many requests, how long they took, by route, method and status. */
#ifndef MANABIYA_GATEWAY_FIGURES_H
#define MANABIYA_GATEWAY_FIGURES_H

#include <stdint.h>

#include "libcommon/buf.h"

/* `label` is a route template or a constant: it must outlive the process's figures. */
void figures_count(const char *label, const char *method, unsigned status, int64_t took_us);

/* The method, or "OTHER" for one that nobody serves: labels must not grow with what clients send.
 */
const char *figures_method(const char *method);

/* Samples of everything counted, as Prometheus text without # lines. */
void figures_write(struct buf *out);

void figures_stop(void);

#endif
