/* From and to `name=value&…` (application/x-www-form-urlencoded). */
#include <assert.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/shape.h"
#include "libcommon/shape_impl.h"
#include "libcommon/utf8.h"

/* -1 for what is none; both cases are allowed by RFC 3986. */
static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
	return found == NULL ? -1 : (int)(found - digits);
}

/* The decoded text in the arena, or NULL: a broken escape, NUL, or no UTF-8. */
static const char *decoded(struct arena *arena, const char *at, size_t n)
{
	char *out = arena_alloc(arena, n + 1), *to = out;
	for (size_t i = 0; i < n; i++) {
		int c = at[i] == '+' ? ' ' : (unsigned char)at[i];
		if (c == '%') {
			int high = n - i > 2 ? hex_digit(at[i + 1]) : -1;
			int low = n - i > 2 ? hex_digit(at[i + 2]) : -1;
			c = high < 0 || low < 0 ? 0 : high * 16 + low;
			i += 2;
		}
		if (c == 0)
			return NULL;
		*to++ = (char)c;
	}
	return utf8_count(out, (size_t)(to - out)) < 0 ? NULL : out;
}

/* Plain decimal, as we would write it ourselves: no sign but minus, no leading zeros. */
static bool read_decimal(const char *text, int64_t *out)
{
	const char *digits = *text == '-' ? text + 1 : text;
	size_t n = strspn(digits, "0123456789");
	/* 18 digits cannot overflow; no limit in a schema is longer than 16. */
	if (n < 1 || n > 18 || digits[n] != '\0' || (digits[0] == '0' && n > 1))
		return false;
	int64_t value = 0;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (digits[i] - '0');
	*out = *text == '-' ? -value : value;
	return true;
}

static enum err read_param(struct call *c, const struct path *path, const struct field *field,
	const char *text, void *out)
{
	struct complaint complaint = shape_wants_integer;
	int64_t number;
	if (field->kind == KIND_STRING) {
		if (!shape_fits_text(field, text, &complaint))
			return shape_refuse(c, path, complaint);
		shape_store_text(field, text, out);
	} else if (field->kind == KIND_INTEGER) {
		if (!read_decimal(text, &number) || !shape_fits_integer(field, number, &complaint))
			return shape_refuse(c, path, complaint);
		shape_store_integer(field, number, out);
	} else {
		assert(field->kind == KIND_BOOLEAN);
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return shape_refuse(c, path, shape_wants_boolean);
		shape_store_boolean(field, *text == 't', out);
	}
	return OK;
}

/* `name=value`; a name without `=` has an empty value. */
static enum err read_pair(struct target *target, const char *pair, size_t n)
{
	struct call *c = target->c;
	const char *equals = memchr(pair, '=', n);
	size_t name_n = equals == NULL ? n : (size_t)(equals - pair);
	const char *value_at = equals == NULL ? pair + n : equals + 1;
	const char *name = decoded(c->arena, pair, name_n);
	const char *value = decoded(c->arena, value_at, (size_t)(pair + n - value_at));
	if (name == NULL || value == NULL)
		return fail_with(c, &shape_malformed, "A parameter is not percent-encoded UTF-8.");
	struct path path = { .name = name };
	const struct field *field = shape_find(target->shape, PLACE_PARAM, name);
	if (field == NULL)
		return shape_refuse(c, &path, shape_unknown);
	uint64_t bit = shape_bit(target->shape, field);
	if (target->seen & bit)
		return shape_refuse(c, &path, shape_duplicate);
	target->seen |= bit;
	return read_param(c, &path, field, value, target->out);
}

enum err shape_read_params(
	struct call *c, const struct shape *shape, const char *params, size_t n, void *out)
{
	struct target target = { .c = c, .shape = shape, .out = out };
	const char *at = n ? params : "", *end = at + n;
	enum err e = OK;
	while (at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		size_t pair_n = (size_t)((next == NULL ? end : next) - at);
		enum err broken = pair_n == 0 ? OK : read_pair(&target, at, pair_n);
		if (c->failure.problem == &shape_malformed)
			return ERR_INVALID;
		e = broken ? broken : e;
		at += pair_n + 1;
	}
	enum err missing = shape_require(&target, PLACE_PARAM);
	return missing ? missing : e;
}

/* ---- writing ---- */

/* Everything but the unreserved characters of RFC 3986. */
static void write_encoded(struct buf *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	for (; *text != '\0'; text++)
		if (strchr(plain, *text) != NULL)
			buf_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
}

/* Parameters are texts, integers and booleans: the generator allows no others. */
static bool is_present(const struct field *field, const void *in)
{
	const char *at = in;
	bool has = true;
	if (field->has != NO_PRESENCE)
		memcpy(&has, at + field->has, sizeof(has));
	const char *text = "";
	if (field->kind == KIND_STRING)
		memcpy(&text, at + field->offset, sizeof(text));
	return has && text != NULL;
}

static void write_value(const struct field *field, const void *in, struct buf *out)
{
	const char *at = (const char *)in + field->offset, *text;
	int64_t number;
	bool yes;
	if (field->kind == KIND_STRING) {
		memcpy(&text, at, sizeof(text));
		write_encoded(out, text);
	} else if (field->kind == KIND_INTEGER) {
		memcpy(&number, at, sizeof(number));
		buf_printf(out, "%lld", (long long)number);
	} else {
		memcpy(&yes, at, sizeof(yes));
		buf_text(out, yes ? "true" : "false");
	}
}

static void write_params(
	const struct shape *shape, const void *in, bool query_only, struct buf *out)
{
	const char *between = "";
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		if (field->place != PLACE_PARAM || !is_present(field, in) ||
			(query_only && !field->in_query))
			continue;
		buf_printf(out, "%s%s=", between, field->name);
		write_value(field, in, out);
		between = "&";
	}
}

void shape_write_params(const struct shape *shape, const void *in, struct buf *out)
{
	write_params(shape, in, false, out);
}

void shape_write_query(const struct shape *shape, const void *in, struct buf *out)
{
	write_params(shape, in, true, out);
}
