/* Lines of an archive on their way in; see arrival.h. */
#include "libcommon/arrival.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/arena.h"
#include "libcommon/call.h"
#include "libcommon/db.h"
#include "libcommon/personal.h"

const void *arrival_at(const struct arrivals *arrivals, size_t i)
{
	return arrivals->rows + i * arrivals->shape->size;
}

static void refuse(struct arrivals *arrivals, size_t line, const char *pointer,
	const struct arrival_reason *reason)
{
	if (arrivals->faults_n < ARRIVALS_MAX)
		arrivals->faults[arrivals->faults_n++] =
			(struct arrival_fault){ line, pointer, *reason };
}

/* ---- reading ---- */

static const struct arrival_reason NOT_JSON = { "not_json",
	"この行はJSONのオブジェクトではありません。", "The line is not a JSON object." };

/* Failures of a line are noted there, not in the call. */
static void read_line(struct arrivals *arrivals, size_t i, const char *line)
{
	struct call *scratch = arena_alloc(arrivals->c->arena, sizeof(*scratch));
	*scratch = (struct call){ .arena = arrivals->c->arena };
	char *row = arrivals->rows + i * arrivals->shape->size;
	if (!shape_read_json(scratch, arrivals->shape, line, strlen(line), row))
		return;
	const struct failure *failure = &scratch->failure;
	for (unsigned f = 0; f < failure->fields_n; f++) {
		const struct field_error *field = &failure->fields[f];
		refuse(arrivals, i, field->pointer,
			&(struct arrival_reason){ "invalid", field->ja, field->en });
	}
	if (failure->fields_n == 0)
		refuse(arrivals, i, "", &NOT_JSON);
}

/* ---- checking ---- */

struct clashing {
	struct arrivals *arrivals;
	const struct arrival_clash *clash;
};

static enum err on_clash(struct call *c, void *arg, const char *const *columns, size_t n)
{
	const struct clashing *clashing = arg;
	refuse(clashing->arrivals, strtoul(columns[0], NULL, 10),
		arena_printf(c->arena, "/%s", clashing->clash->member), &clashing->clash->reason);
	return OK;
}

/* NULL of a line that could not be read. */
static enum err value_of(
	struct call *c, const struct field *field, const void *row, const char **value)
{
	const char *at = (const char *)row + field->offset;
	struct personal text = { .text = NULL };
	struct blind_index index;
	if (!field->personal) {
		memcpy(value, at, sizeof(*value));
		return OK;
	}
	memcpy(&text, at, sizeof(text));
	*value = NULL;
	enum err e = text.text ? personal_index(c, text, &index) : OK;
	if (!e && text.text)
		*value = index.value;
	return e;
}

static enum err find_clashes(struct arrivals *arrivals, const struct arrival_clash *clash)
{
	struct call *c = arrivals->c;
	const struct field *field = shape_find(arrivals->shape, PLACE_BODY, clash->member);
	const char **values = arena_array(c->arena, arrivals->n, sizeof(*values));
	struct clashing clashing = { arrivals, clash };
	for (size_t i = 0; i < arrivals->n; i++) {
		enum err e = value_of(c, field, arrival_at(arrivals, i), &values[i]);
		if (e)
			return e;
	}
	return db_each(
		c, clash->sql, DB_ARGS(db_text_array(c, values, arrivals->n)), on_clash, &clashing);
}

/* ---- all of it ---- */

static const struct arrival_type *type_find(
	const struct arrival_type *types, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

static void find_faults(struct arrivals *arrivals, const struct arrival_type *type)
{
	for (size_t i = 0; type->fault && i < arrivals->n; i++) {
		const struct arrival_reason *reason = type->fault(arrival_at(arrivals, i));
		if (reason)
			refuse(arrivals, i, "", reason);
	}
}

static enum err check(struct arrivals *arrivals, const struct arrival_type *type)
{
	enum err e = OK;
	find_faults(arrivals, type);
	for (const struct arrival_clash *clash = type->clashes; clash && clash->member && !e;
		clash++)
		e = find_clashes(arrivals, clash);
	return e;
}

enum err arrivals_take(struct call *c, const struct arrival_type *types, size_t types_n,
	const struct arrival_lines *lines, struct arrivals *out)
{
	const struct arrival_type *type = type_find(types, types_n, lines->type);
	if (!type || lines->n > ARRIVALS_MAX)
		return fail(c, ERR_INVALID, "no such type, or too many lines");
	*out = (struct arrivals){ .c = c, .shape = type->shape, .n = lines->n };
	out->rows = arena_array(c->arena, lines->n, type->shape->size);
	out->faults = arena_array(c->arena, ARRIVALS_MAX, sizeof(*out->faults));
	for (size_t i = 0; i < lines->n; i++)
		read_line(out, i, lines->items[i]);
	if (out->faults_n > 0 || lines->n == 0)
		return OK;
	return lines->check ? check(out, type) : type->put(c, out);
}

/* ---- telling ---- */

static void set_text(const struct shape *shape, const char *member, const char *text, char *row)
{
	memcpy(row + shape_find(shape, PLACE_BODY, member)->offset, &text, sizeof(text));
}

enum err arrivals_tell(const struct arrivals *arrivals, const struct shape *shape, void *list)
{
	char *row = arena_array(arrivals->c->arena, arrivals->faults_n, shape->size);
	*(struct list *)list = (struct list){ row, arrivals->faults_n };
	for (size_t i = 0; i < arrivals->faults_n; i++, row += shape->size) {
		const struct arrival_fault *fault = &arrivals->faults[i];
		const int64_t line = (int64_t)fault->line;
		memcpy(row + shape_find(shape, PLACE_BODY, "line")->offset, &line, sizeof(line));
		set_text(shape, "pointer", fault->pointer, row);
		set_text(shape, "code", fault->reason.code, row);
		set_text(shape, "ja", fault->reason.ja, row);
		set_text(shape, "en", fault->reason.en, row);
	}
	return OK;
}
