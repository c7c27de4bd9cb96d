/* W3C Trace Context: which trace a request belongs to. */
#ifndef MANABIYA_GATEWAY_TRACE_H
#define MANABIYA_GATEWAY_TRACE_H

#include <stdbool.h>

#include "libcommon/arena.h"

/* A traceparent with a span of our own: in the trace of `received` if that is a valid traceparent
 * (NULL: none), else in a new one named after the call id `wanted`, a UUID (NULL: one of ours). */
const char *trace_parent(struct arena *arena, const char *received, const char *wanted);

/* The trace of a valid traceparent in the form of a UUID: what the logs call the call id. */
const char *trace_call_id(struct arena *arena, const char *traceparent);

/* `00-<32 hex>-<16 hex>-<2 hex>` in lower case, neither id all zero. */
bool trace_is_valid(const char *traceparent);

#endif
