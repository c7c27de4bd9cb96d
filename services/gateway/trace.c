/* W3C Trace Context, level 1. Versions above 00 are taken as absent. */
#include "services/gateway/trace.h"

#include <stdint.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/uuid.h"

#define TRACE_AT 3
#define TRACE_LENGTH 32
#define SPAN_AT 36
#define SPAN_LENGTH 16
#define FLAGS_AT 53
#define LENGTH 55

static bool is_hex(const char *text, size_t n)
{
	return strspn(text, "0123456789abcdef") >= n;
}

bool trace_is_valid(const char *traceparent)
{
	return strlen(traceparent) == LENGTH && !strncmp(traceparent, "00-", 3) &&
		is_hex(traceparent + TRACE_AT, TRACE_LENGTH) && traceparent[SPAN_AT - 1] == '-' &&
		is_hex(traceparent + SPAN_AT, SPAN_LENGTH) && traceparent[FLAGS_AT - 1] == '-' &&
		is_hex(traceparent + FLAGS_AT, 2) &&
		strspn(traceparent + TRACE_AT, "0") < TRACE_LENGTH &&
		strspn(traceparent + SPAN_AT, "0") < SPAN_LENGTH;
}

/* A UUID without its dashes. */
static const char *trace_of_call(struct arena *arena, const char *call_id)
{
	char *trace = arena_alloc(arena, TRACE_LENGTH + 1);
	size_t n = 0;
	for (; *call_id && n < TRACE_LENGTH; call_id++) {
		if (*call_id != '-') {
			trace[n++] = *call_id;
		}
	}
	return trace;
}

const char *trace_call_id(struct arena *arena, const char *traceparent)
{
	const char *trace = traceparent + TRACE_AT;
	return arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", trace, trace + 8, trace + 12,
		trace + 16, trace + 20);
}

static bool is_wanted(const char *call_id)
{
	return call_id && is_uuid(call_id) && strspn(call_id, "0-") < UUID_SIZE - 1;
}

const char *trace_parent(struct arena *arena, const char *received, const char *wanted)
{
	unsigned char span[SPAN_LENGTH / 2];
	crypto_random_id(span, sizeof span);
	span[0] |= 1; /* never all zero */
	bool is_given = received && trace_is_valid(received);
	const char *trace = is_given
		? arena_strndup(arena, received + TRACE_AT, TRACE_LENGTH)
		: trace_of_call(arena, is_wanted(wanted) ? wanted : uuid_make(arena));
	return arena_printf(arena, "00-%s-%s-%s", trace, crypto_hex(arena, span, sizeof span),
		is_given ? received + FLAGS_AT : "00");
}
