/*
 * Shapes describe C structs, so that one piece of code reads them from JSON, from request
 * parameters and from SQL rows, checks every limit, and writes them as JSON.
 *
 * Shapes are generated from proto/ (OpenAPI 3.1); nobody writes them by hand. How a field lies in
 * its struct:
 *
 * - string: `const char *`, NULL when absent
 * - integer: `int64_t`, with a `bool has_<name>` when optional
 * - boolean: `bool`, with a `bool has_<name>` when optional
 * - string or integer that is personal: `struct personal`, whose text is NULL when absent
 * - object: `struct x *`, NULL when absent
 * - array: `struct { T *items; size_t n; }`, where T is `const char *`, `int64_t` or `struct x`
 * - bytes: `struct bytes`, a body that is not JSON
 */
#ifndef MANABIYA_SHAPE_H
#define MANABIYA_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/buf.h"
#include "libcommon/err.h"

struct call;
struct shape;

enum kind { KIND_STRING, KIND_INTEGER, KIND_BOOLEAN, KIND_OBJECT, KIND_ARRAY, KIND_BYTES };

enum format {
	FORMAT_NONE, /* any text without control characters but \n and \t */
	FORMAT_UUID, /* RFC 9562, lower case */
	FORMAT_DATE_TIME, /* RFC 3339 */
	FORMAT_DATE,
	FORMAT_USERNAME, /* [A-Za-z0-9][A-Za-z0-9._@-]* */
	FORMAT_CODE, /* [A-Za-z0-9]+ */
};

/*
 * What x-personal says: a key of this domain, and the column for which a value is sealed. A column
 * may hold several values that are read together, each a part, counted from 1: then this value is
 * the parts from `part` to `last`, with a space in between; part 0: the column is this text alone.
 * A number is its digits.
 */
struct personal_kind {
	const char *domain; /* "text" */
	const char *column; /* "comment.text" */
	unsigned part, last;
	bool of_user; /* under the key of the user whom it is about, not the tenant's */
	const char *index; /* "person.login_index", by which it is found: x-blind-index, or NULL */
};

/* Something about a person; personal.h says how it gets into the database. `text` is NULL when it
 * is absent, the digits of a number. */
struct personal {
	const char *text;
	const struct personal_kind *kind;
};

enum place {
	PLACE_BODY, /* a member of the JSON body */
	PLACE_PARAM, /* path, query or request header: comes as a parameter named `name` */
	PLACE_HEADER, /* of a reply: written as the HTTP header `name` */
};

/* How much harm comes of it when something is told to the wrong ones: x-label. I is the gravest. */
enum label { LABEL_NONE, LABEL_I, LABEL_II, LABEL_III, LABEL_IV };

#define NO_PRESENCE SIZE_MAX

struct field {
	const char
		*name; /* in JSON (camelCase), of the parameter (camelCase), or the HTTP header */
	const char *column; /* in SQL rows: the same in snake_case */
	enum kind kind;
	enum format format;
	enum place place;
	bool in_query; /* PLACE_PARAM: of the query, not of the path or a header */
	bool required;
	bool raised; /* the class of the very object that it is a member of (x-raised) */
	bool recorded; /* a code that the record of the call repeats (x-recorded) */
	size_t offset; /* in the struct */
	size_t has; /* offset of has_<name>, or NO_PRESENCE */
	int64_t min, max; /* code points of a string, value of an integer, items of an array */
	const struct personal_kind *personal; /* it is a struct personal; NULL: is not */
	const char *const *values; /* of an enum, NULL-terminated; NULL for any */
	const struct shape *shape; /* KIND_OBJECT, or KIND_ARRAY of objects */
	const struct field *item; /* KIND_ARRAY of strings or integers: limits of one item */
};

struct shape {
	const char *name;
	size_t size; /* of the struct */
	const struct field *fields;
	size_t fields_n;
	enum label label; /* of what it describes; LABEL_NONE: not said */
};

/* What lies at a KIND_ARRAY field, whatever the item is. */
struct list {
	void *items;
	size_t n;
};

/*
 * Read a JSON object into `out`, a zeroed struct of the shape, from `c`'s arena. Refuses with
 * ERR_INVALID and one entry per broken field (JSON Pointer): unknown or duplicate members, missing
 * ones, wrong types, broken limits, nesting over 16, invalid UTF-8, NUL. JSON null reads as absent.
 * Only PLACE_BODY fields are looked at; a shape without any accepts no bytes at all.
 */
must_check enum err shape_read_json(
	struct call *c, const struct shape *shape, const char *json, size_t n, void *out);

/* The same for PLACE_PARAM fields from `name=value&…` (application/x-www-form-urlencoded). */
must_check enum err shape_read_params(
	struct call *c, const struct shape *shape, const char *params, size_t n, void *out);

/*
 * Set one field from text, as SQL gives it, personal ones as SEALED() gives them (PostgreSQL's text
 * format; arrays of strings and objects come as JSON text, `t`/`f` for booleans, NULL for absent).
 * Text that does not fit the shape is our own bug: ERR_INTERNAL.
 */
must_check enum err shape_set_text(
	struct call *c, const struct field *field, const char *text, void *out);

/* The same for a column of several personal values: each member that is a part of it. `column` is
 * the part of personal_kind.column behind the dot. NOT_FOUND when they were of a user who was
 * erased and a member is required for which nothing can stand. */
must_check enum err shape_set_parts(
	struct call *c, const struct shape *shape, const char *column, const char *text, void *out);

/* The first member that is a part of the column, or NULL. */
const struct field *shape_find_part(
	const struct shape *shape, const struct field *after, const char *column);

/* Write the PLACE_BODY fields as JSON; absent optional members are left out. */
void shape_write_json(const struct shape *shape, const void *in, struct buf *out);

/* Write the PLACE_PARAM fields as `name=value&…`. */
void shape_write_params(const struct shape *shape, const void *in, struct buf *out);
/* Those of the query only. */
void shape_write_query(const struct shape *shape, const void *in, struct buf *out);

/* The field of a name among those of a place, or NULL. */
const struct field *shape_find(const struct shape *shape, enum place place, const char *name);

/* Write the PLACE_HEADER fields as `Name: value\r\n` lines; values with CR, LF or NUL are a bug and
 * abort. */
void shape_write_headers(const struct shape *shape, const void *in, struct buf *out);

/* The KIND_BYTES field of a shape, or NULL. */
const struct field *shape_bytes_field(const struct shape *shape);

#endif
