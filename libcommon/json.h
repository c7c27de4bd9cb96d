/*
 * JSON text without a shape: the one place that knows cJSON. Shapes (shape.h) are the usual way;
 * this is for documents whose form is not ours (capability payloads, OCSF records).
 */
#ifndef MANABIYA_JSON_H
#define MANABIYA_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/err.h"

struct json; /* a parsed value; read only, lives in the arena */

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };

/* Limits against hostile documents: nesting 16. ERR_INVALID for anything that RFC 8259 does not
 * allow, and for NUL within texts. Of members with the same name, json_member() gives the first. */
must_check enum err json_parse(
	struct arena *arena, const char *text, size_t n, const struct json **out);

/* Every function here takes NULL as a value that is absent. */
enum json_kind json_kind(const struct json *value); /* NULL is JSON_NULL */
const struct json *json_member(const struct json *object, const char *name); /* NULL if absent */
const struct json *json_item(const struct json *array, size_t i); /* NULL past the end */
size_t json_count(const struct json *container);
const char *json_text(const struct json *value); /* NULL unless a string */
int64_t json_integer(const struct json *value, int64_t fallback); /* unless a number within ±2^53 */
bool json_is_true(const struct json *value);

/* Walk the members of an object or the items of an array. */
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *value);
const char *json_name(const struct json *member);

/* Append a JSON string literal with its quotes. The text must be UTF-8; broken sequences become
 * U+FFFD. */
void json_quote(struct buf *out, const char *text);

#endif
