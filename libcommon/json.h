/*
 * JSON text without a shape: the one place that knows cJSON. Shapes (shape.h) are the usual way;
 * this is for documents whose form is not ours (capability payloads, OCSF records).
 */
#ifndef MANABIYA_JSON_H
#define MANABIYA_JSON_H

#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/err.h"

struct json; /* a parsed value; read only */

/* Limits against hostile documents: nesting 16. ERR_INVALID for anything that RFC 8259 does not
 * allow. */
must_check enum err json_parse(
	struct arena *arena, const char *text, size_t n, const struct json **out);

const struct json *json_member(const struct json *object, const char *name); /* NULL if absent */
const struct json *json_item(const struct json *array, size_t i); /* NULL past the end */
size_t json_count(const struct json *array);
const char *json_text(const struct json *value); /* NULL unless a string */
int64_t json_integer(const struct json *value, int64_t fallback); /* unless a number within ±2^53 */

/* Append a JSON string literal with its quotes. The text must be UTF-8; broken sequences become
 * U+FFFD. */
void json_quote(struct buf *out, const char *text);

#endif
