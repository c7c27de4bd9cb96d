/* From structs to JSON and to header lines. What is written was checked when it was read or is our
 * own, so a required text that is missing is a bug. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/json.h"
#include "libcommon/shape.h"

static void write_value(const struct field *field, const void *at, struct buf *out);

static void write_text(const void *at, struct buf *out)
{
	const char *text;
	memcpy(&text, at, sizeof(text));
	assert(text != NULL);
	json_quote(out, text);
}

static void write_array(const struct field *field, const void *at, struct buf *out)
{
	struct list list;
	memcpy(&list, at, sizeof(list));
	size_t size = field->shape != NULL ? field->shape->size : sizeof(int64_t);
	if (field->shape == NULL && field->item->kind == KIND_STRING)
		size = sizeof(const char *);
	const char *item = list.items;
	buf_char(out, '[');
	for (size_t i = 0; i < list.n; i++, item += size) {
		if (i > 0)
			buf_char(out, ',');
		if (field->shape != NULL)
			shape_write_json(field->shape, item, out);
		else
			write_value(field->item, item, out);
	}
	buf_char(out, ']');
}

/* A personal one is its digits already. */
static void write_integer(const struct field *field, const void *at, struct buf *out)
{
	int64_t number;
	struct personal digits;
	if (field->personal != NULL) {
		memcpy(&digits, at, sizeof(digits));
		assert(digits.text != NULL);
		buf_text(out, digits.text);
		return;
	}
	memcpy(&number, at, sizeof(number));
	buf_printf(out, "%lld", (long long)number);
}

static void write_value(const struct field *field, const void *at, struct buf *out)
{
	bool yes;
	const void *object;
	switch (field->kind) {
	case KIND_STRING:
		write_text(at, out);
		break;
	case KIND_INTEGER:
		write_integer(field, at, out);
		break;
	case KIND_BOOLEAN:
		memcpy(&yes, at, sizeof(yes));
		buf_text(out, yes ? "true" : "false");
		break;
	case KIND_OBJECT:
		memcpy(&object, at, sizeof(object));
		shape_write_json(field->shape, object, out);
		break;
	case KIND_ARRAY:
		write_array(field, at, out);
		break;
	case KIND_BYTES:
		abort(); /* shape_write_json() passes it over */
	}
}

/* Is there anything to write? Arrays that are optional are left out when they are empty. */
static bool is_present(const struct field *field, const char *in)
{
	if (field->required)
		return true;
	bool has = true;
	const void *pointer = in;
	struct list list = { .n = 1 };
	if (field->has != NO_PRESENCE)
		memcpy(&has, in + field->has, sizeof(has));
	else if (field->kind == KIND_ARRAY)
		memcpy(&list, in + field->offset, sizeof(list));
	else
		memcpy(&pointer, in + field->offset, sizeof(pointer));
	return has && pointer != NULL && list.n > 0;
}

void shape_write_json(const struct shape *shape, const void *in, struct buf *out)
{
	char before = '{';
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		if (field->place != PLACE_BODY || field->kind == KIND_BYTES ||
			!is_present(field, in))
			continue;
		buf_printf(out, "%c\"%s\":", before, field->name);
		write_value(field, (const char *)in + field->offset, out);
		before = ',';
	}
	if (before == '{')
		buf_char(out, before);
	buf_char(out, '}');
}

void shape_write_headers(const struct shape *shape, const void *in, struct buf *out)
{
	for (size_t i = 0; i < shape->fields_n; i++) {
		const struct field *field = &shape->fields[i];
		const char *text;
		if (field->place != PLACE_HEADER)
			continue;
		memcpy(&text, (const char *)in + field->offset, sizeof(text));
		if (text == NULL)
			continue;
		if (strpbrk(text, "\r\n") != NULL)
			abort(); /* a header that splits the answer in two */
		buf_printf(out, "%s: %s\r\n", field->name, text);
	}
}
