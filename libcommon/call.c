/* How a call refuses, and how that reads. */
#include "libcommon/call.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/json.h"
#include "libcommon/utf8.h"

/* The last failure counts: whoever passes one on may say it better. */
enum err fail_here(struct call *c, const struct problem *problem, const char *file, int line,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct failure *failure = &c->failure;
	failure->problem = problem;
	failure->detail = arena_vprintf(c->arena, format, args);
	failure->place = arena_printf(c->arena, "%s:%d", file, line);
	failure->fields_n = 0;
	va_end(args);
	return problem->err;
}

/* Any failure before it that was not about fields is forgotten. */
enum err fail_field(struct call *c, const char *pointer, const char *ja, const char *en)
{
	struct failure *failure = &c->failure;
	const struct problem *invalid = problem_of(ERR_INVALID);
	if (failure->problem != invalid) {
		*failure = (struct failure){ .problem = invalid, .place = pointer };
	}
	if (failure->fields_n < FIELD_ERRORS_MAX)
		failure->fields[failure->fields_n++] = (struct field_error){ pointer, ja, en };
	return ERR_INVALID;
}

/* ---- problem+json ---- */

static const char *in_language(const struct call *c, const char *ja, const char *en)
{
	return c->language == LANGUAGE_EN ? en : ja;
}

/* Never the first member: `type` is. */
static void member(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	json_quote(out, text);
}

static void write_fields(const struct call *c, struct buf *out)
{
	buf_text(out, ",\"errors\":[");
	for (unsigned i = 0; i < c->failure.fields_n; i++) {
		const struct field_error *field = &c->failure.fields[i];
		buf_text(out, i == 0 ? "{\"pointer\":" : ",{\"pointer\":");
		json_quote(out, field->pointer);
		member(out, "detail", in_language(c, field->ja, field->en));
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

const char *failure_json(const struct call *c)
{
	const struct failure *failure = &c->failure;
	const struct problem *problem =
		failure->problem == NULL ? problem_of(ERR_INTERNAL) : failure->problem;
	bool is_ours = problem->err == ERR_INTERNAL || problem->err == ERR_UNAVAILABLE;
	struct buf out = { .arena = c->arena };
	buf_printf(&out, "{\"type\":\"urn:manabiya:problem:%s\"", problem->code);
	member(&out, "title", in_language(c, problem->ja, problem->en));
	buf_printf(&out, ",\"status\":%u,\"code\":\"%s\"", problem->status, problem->code);
	if (!is_ours && failure->detail != NULL && *failure->detail != '\0')
		member(&out, "detail", failure->detail);
	if (c->call_id != NULL)
		member(&out, "traceId", c->call_id);
	if (failure->fields_n > 0)
		write_fields(c, &out);
	buf_char(&out, '}');
	return out.data;
}

/* ---- cursors: a version, then per part a 16-bit length and its bytes ---- */

#define CURSOR_VERSION 1
#define CURSOR_NULL 0xffff
#define CURSOR_TEXT_MAX 2048 /* common.yaml, Cursor */

/* A cursor is not secret and not signed: readers check what is in it like any other input. */
const char *cursor_make(struct call *c, const char *const parts[], size_t n)
{
	assert(n <= CURSOR_PARTS);
	struct buf out = { .arena = c->arena };
	buf_char(&out, CURSOR_VERSION);
	for (size_t i = 0; i < n; i++) {
		size_t length = parts[i] == NULL ? CURSOR_NULL : strlen(parts[i]);
		buf_char(&out, (char)(length >> 8));
		buf_char(&out, (char)(length & 0xff));
		if (parts[i] != NULL)
			buf_text(&out, parts[i]);
	}
	const char *text = crypto_base64url(c->arena, out.data, out.n);
	assert(strlen(text) <= CURSOR_TEXT_MAX);
	return text;
}

/* The part at *at, which moves past it. */
static bool read_part(struct arena *arena, struct bytes in, size_t *at, const char **out)
{
	*out = NULL;
	if (in.n - *at < 2)
		return false;
	size_t length = (size_t)in.data[*at] << 8 | in.data[*at + 1];
	*at += 2;
	if (length == CURSOR_NULL)
		return true;
	const char *text = (const char *)in.data + *at;
	if (length > in.n - *at || memchr(text, '\0', length) != NULL ||
		utf8_count(text, length) < 0)
		return false;
	*out = arena_strndup(arena, text, length);
	*at += length;
	return true;
}

enum err cursor_read(struct call *c, const char *cursor, const char *parts[], size_t n)
{
	assert(n <= CURSOR_PARTS);
	for (size_t i = 0; i < n; i++)
		parts[i] = NULL;
	if (cursor == NULL)
		return OK;
	struct bytes in = { 0 };
	bool fits = !crypto_from_base64url(c->arena, cursor, &in) && in.n > 0 &&
		in.data[0] == CURSOR_VERSION;
	size_t at = 1;
	for (size_t i = 0; fits && i < n; i++)
		fits = read_part(c->arena, in, &at, &parts[i]);
	if (fits && at == in.n)
		return OK;
	return fail_field(c, "/cursor", "続きの位置が正しくありません。",
		"is not the nextCursor of a page before");
}
