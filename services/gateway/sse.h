/* Server-sent events: hints from the bus to the pages that are open. */
#ifndef MANABIYA_GATEWAY_SSE_H
#define MANABIYA_GATEWAY_SSE_H

#include <stddef.h>

/* Subscribe to the services' events. */
void sse_start(void);
void sse_stop(void);

/* End every stream; the pages come back, to another instance if there is one. */
void sse_drain(void);

/* How many streams are open, for metrics. */
size_t sse_count(void);

#endif
