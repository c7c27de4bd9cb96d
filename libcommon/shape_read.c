/* From JSON and from SQL text into structs. */
#include <assert.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/personal.h"
#include "libcommon/shape.h"
#include "libcommon/shape_impl.h"

static enum err read_object(struct call *c, const struct path *path, const struct shape *shape,
	const struct json *json, void *out);
static enum err read_value(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out);

static bool is_from_row(const struct path *path)
{
	while (path->up != NULL)
		path = path->up;
	return path->from_row;
}

/* Names the column and the broken rule, never the value: it is logged. */
static enum err is_our_bug(struct call *c, const struct field *field, const char *why)
{
	return fail(c, ERR_INTERNAL, "column %s does not fit its shape: %s", field->column, why);
}

/* Parts of a column come together, under its own name. */
static const char part_of_another[] = "a part of another column";

static enum err open_alone(
	struct call *c, const struct field *field, const char *row_and_sealed, const char **text)
{
	if (field->personal->part)
		return is_our_bug(c, field, part_of_another);
	return personal_open(c, field->personal, row_and_sealed, text);
}

/* json.c has made sure of UTF-8 and that no NUL ends a text early. */
static enum err read_text(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out)
{
	static const struct complaint wants_text = { "文字で入力してください。", "must be text",
		0 };
	const char *text = json_text(json);
	struct complaint complaint = wants_text;
	if (text != NULL && field->personal != NULL && is_from_row(path)) {
		enum err e = open_alone(c, field, text, &text);
		if (e)
			return e;
	}
	if (text == NULL || !shape_fits_text(field, text, &complaint))
		return shape_refuse(c, path, complaint);
	shape_store_text(field, text, out);
	return OK;
}

/* A personal number is kept as its digits, in the type that no statement takes. */
static void store_integer(struct call *c, const struct field *field, int64_t value, void *out)
{
	if (field->personal != NULL)
		shape_store_text(field, arena_printf(c->arena, "%lld", (long long)value), out);
	else
		shape_store_integer(field, value, out);
}

/* INT64_MIN is no value of any schema: the generator keeps to what a double can hold. */
static enum err read_integer(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out)
{
	if (field->personal != NULL && is_from_row(path))
		return is_our_bug(c, field, part_of_another);
	int64_t value = json_integer(json, INT64_MIN);
	struct complaint complaint = shape_wants_integer;
	if (value == INT64_MIN || !shape_fits_integer(field, value, &complaint))
		return shape_refuse(c, path, complaint);
	store_integer(c, field, value, out);
	return OK;
}

static enum err read_boolean(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out)
{
	if (json_kind(json) != JSON_BOOLEAN)
		return shape_refuse(c, path, shape_wants_boolean);
	shape_store_boolean(field, json_is_true(json), out);
	return OK;
}

/* Nesting is bounded by JSON_DEPTH_MAX, so this recursion is too. */
static enum err read_nested(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out)
{
	void *object = arena_alloc(c->arena, field->shape->size);
	enum err e = read_object(c, path, field->shape, json, object);
	memcpy((char *)out + field->offset, &object, sizeof(object));
	return e;
}

static size_t item_size(const struct field *field)
{
	if (field->shape != NULL)
		return field->shape->size;
	return field->item->kind == KIND_STRING ? sizeof(const char *) : sizeof(int64_t);
}

/* The number of items is checked first: memory is taken for allowed lists only. */
static enum err read_array(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out)
{
	static const struct complaint wants_array = { "リストが必要です。", "must be an array", 0 };
	struct list list = { .n = json_count(json) };
	struct complaint complaint = wants_array;
	if (json_kind(json) != JSON_ARRAY || !shape_fits_count(field, list.n, &complaint))
		return shape_refuse(c, path, complaint);
	size_t size = item_size(field);
	list.items = list.n == 0 ? NULL : arena_array(c->arena, list.n, size);
	struct path at = { .up = path };
	char *item = list.items;
	enum err e = OK;
	for (const struct json *json_at = json_first(json); json_at != NULL;
		json_at = json_next(json_at), at.i++, item += size) {
		enum err broken = field->shape != NULL
			? read_object(c, &at, field->shape, json_at, item)
			: read_value(c, &at, field->item, json_at, item);
		e = broken ? broken : e;
	}
	memcpy((char *)out + field->offset, &list, sizeof(list));
	return e;
}

static enum err read_value(struct call *c, const struct path *path, const struct field *field,
	const struct json *json, void *out)
{
	static enum err (*const readers[])(struct call *, const struct path *, const struct field *,
		const struct json *, void *) = {
		[KIND_STRING] = read_text,
		[KIND_INTEGER] = read_integer,
		[KIND_BOOLEAN] = read_boolean,
		[KIND_OBJECT] = read_nested,
		[KIND_ARRAY] = read_array,
	};
	assert(field->kind < KIND_BYTES);
	return readers[field->kind](c, path, field, json, out);
}

/* ---- personal values that share a column ---- */

static enum err set_integer(struct call *c, const struct field *field, const char *text, void *out)
{
	const struct json *json;
	int64_t value = INT64_MIN;
	struct complaint complaint = shape_wants_integer;
	if (!json_parse(c->arena, text, strlen(text), &json))
		value = json_integer(json, INT64_MIN);
	if (value == INT64_MIN || !shape_fits_integer(field, value, &complaint))
		return is_our_bug(c, field, complaint.en);
	store_integer(c, field, value, out);
	return OK;
}

static bool is_part(const struct field *field, const char *column)
{
	if (field->personal == NULL || field->personal->part == 0)
		return false;
	const char *dot = strchr(field->personal->column, '.');
	return dot != NULL && strcmp(dot + 1, column) == 0;
}

const struct field *shape_find_part(
	const struct shape *shape, const struct field *after, const char *column)
{
	const struct field *end = shape->fields + shape->fields_n;
	for (const struct field *field = after ? after + 1 : shape->fields; field < end; field++)
		if (is_part(field, column))
			return field;
	return NULL;
}

/* For a text that nobody can open any more another stands; for a mark or a number nothing does. */
static bool is_lost(const struct field *field, const char *const parts[])
{
	return personal_is_lost(parts[0]) && (field->kind != KIND_STRING || field->values);
}

static enum err set_part(
	struct call *c, const struct field *field, const char *const parts[], void *out)
{
	struct buf text = { .arena = c->arena };
	struct complaint complaint = { "", "missing", 0 };
	if (is_lost(field, parts))
		return OK; /* an object that must have it is left out (personal_leave_out()) */
	for (unsigned i = field->personal->part; i <= field->personal->last; i++) {
		if (parts[i - 1] == NULL)
			return field->required || text.n > 0 ? is_our_bug(c, field, complaint.en)
							     : OK;
		buf_printf(&text, "%s%s", text.n > 0 ? " " : "", parts[i - 1]);
	}
	const char *whole = text.data != NULL ? text.data : "";
	if (field->kind == KIND_INTEGER)
		return set_integer(c, field, whole, out);
	if (!shape_fits_text(field, whole, &complaint))
		return is_our_bug(c, field, complaint.en);
	shape_store_text(field, whole, out);
	return OK;
}

enum err shape_set_parts(
	struct call *c, const struct shape *shape, const char *column, const char *text, void *out)
{
	const struct field *field = shape_find_part(shape, NULL, column);
	const char *parts[PERSONAL_PARTS_MAX];
	enum err e = OK;
	if (text != NULL)
		e = personal_open_parts(c, field->personal, text, parts);
	for (; field != NULL && !e; field = shape_find_part(shape, field, column))
		if (text != NULL)
			e = set_part(c, field, parts, out);
		else if (field->required)
			e = is_our_bug(c, field, "NULL");
	return e;
}

/* A member of an object in a row that is no member of the shape: perhaps several of them. */
static enum err read_parts(struct target *target, const struct path *path, const struct json *json)
{
	const struct shape *shape = target->shape;
	const struct field *field = shape_find_part(shape, NULL, path->name);
	if (field == NULL || !is_from_row(path))
		return shape_refuse(target->c, path, shape_unknown);
	if (json_kind(json) == JSON_NULL)
		return OK;
	for (; field != NULL; field = shape_find_part(shape, field, path->name))
		target->seen |= shape_bit(shape, field);
	const char *text = json_text(json);
	return shape_set_parts(target->c, shape, path->name, text != NULL ? text : "", target->out);
}

static enum err read_member(struct target *target, const struct json *json)
{
	struct path at = { .up = target->path, .name = json_name(json) };
	const struct field *field = shape_find(target->shape, PLACE_BODY, at.name);
	if (field == NULL)
		return read_parts(target, &at, json);
	uint64_t bit = shape_bit(target->shape, field);
	if (target->seen & bit)
		return shape_refuse(target->c, &at, shape_duplicate);
	/* null is absence said aloud; for a required member it is still missing. */
	if (json_kind(json) == JSON_NULL)
		return OK;
	target->seen |= bit;
	return read_value(target->c, &at, field, json, target->out);
}

static enum err read_object(struct call *c, const struct path *path, const struct shape *shape,
	const struct json *json, void *out)
{
	static const struct complaint wants_object = { "項目のまとまりが必要です。",
		"must be an object", 0 };
	if (json_kind(json) != JSON_OBJECT)
		return shape_refuse(c, path, wants_object);
	struct target target = { .c = c, .path = path, .shape = shape, .out = out };
	enum err e = OK;
	/* Every mistake is told at once: a form is mended in one go. */
	for (const struct json *at = json_first(json); at != NULL; at = json_next(at)) {
		enum err broken = read_member(&target, at);
		e = broken ? broken : e;
	}
	enum err missing = shape_require(&target, PLACE_BODY);
	return missing ? missing : e;
}

static bool has_body(const struct shape *shape)
{
	for (size_t i = 0; i < shape->fields_n; i++)
		if (shape->fields[i].place == PLACE_BODY)
			return true;
	return false;
}

enum err shape_read_json(
	struct call *c, const struct shape *shape, const char *json, size_t n, void *out)
{
	const struct json *document;
	if (n == 0 && !has_body(shape))
		return OK; /* parameters are all there is to say */
	if (json_parse(c->arena, json, n, &document))
		return fail_with(c, &shape_malformed,
			"The body is not JSON as RFC 8259 defines it, or nested over 16 levels.");
	return read_object(c, NULL, shape, document, out);
}

/* ---- SQL ---- */

static enum err set_text(struct call *c, const struct field *field, const char *text, void *out)
{
	struct complaint complaint;
	if (field->personal != NULL) {
		enum err e = open_alone(c, field, text, &text);
		if (e)
			return e;
	}
	if (!shape_fits_text(field, text, &complaint))
		return is_our_bug(c, field, complaint.en);
	shape_store_text(field, arena_strdup(c->arena, text), out);
	return OK;
}

/* Lists and objects come from json_agg() and json_build_object(). */
static enum err set_json(struct call *c, const struct field *field, const char *text, void *out)
{
	const struct json *json;
	if (json_parse(c->arena, text, strlen(text), &json))
		return is_our_bug(c, field, "not JSON");
	struct path path = { .name = field->name, .from_row = true };
	enum err e = read_value(c, &path, field, json, out);
	if (e != ERR_INVALID)
		return e; /* OK, or a sealed text did not open */
	const struct field_error first = c->failure.fields[0];
	return is_our_bug(c, field, arena_printf(c->arena, "%s %s", first.pointer, first.en));
}

enum err shape_set_text(struct call *c, const struct field *field, const char *text, void *out)
{
	if (text == NULL)
		return field->required ? is_our_bug(c, field, "NULL") : OK;
	if (field->kind == KIND_STRING)
		return set_text(c, field, text, out);
	if (field->kind == KIND_INTEGER)
		return field->personal ? is_our_bug(c, field, part_of_another)
				       : set_integer(c, field, text, out);
	if (field->kind != KIND_BOOLEAN)
		return set_json(c, field, text, out);
	if (strcmp(text, "t") != 0 && strcmp(text, "f") != 0)
		return is_our_bug(c, field, shape_wants_boolean.en);
	shape_store_boolean(field, *text == 't', out);
	return OK;
}
