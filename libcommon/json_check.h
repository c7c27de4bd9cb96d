/*
 * Is this JSON text exactly as RFC 8259 says? cJSON is more lenient than that (control characters,
 * leading zeros, NUL, any white space), so json.c asks here first. Pure code, fuzzed.
 */
#ifndef MANABIYA_JSON_CHECK_H
#define MANABIYA_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Containers within containers; deeper documents are attacks on the stack, not requests. */
#define JSON_DEPTH_MAX 16

/* One value, nothing else but white space, valid UTF-8, no NUL (not even \u0000), no lone
 * surrogate. */
bool is_strict_json(const char *text, size_t n);

#endif
