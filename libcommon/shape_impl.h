/* What the parts of shape.c, shape_read.c, shape_params.c and shape_write.c share; nobody else
 * includes it. */
#ifndef MANABIYA_SHAPE_IMPL_H
#define MANABIYA_SHAPE_IMPL_H

#include "libcommon/json.h"
#include "libcommon/shape.h"

/* Where in the document the reader is; makes a JSON Pointer only when something is broken. */
struct path {
	const struct path *up;
	const char *name; /* NULL: an item of an array */
	size_t i;
	bool from_row; /* at the top: personal texts are sealed */
};

/* What is wrong with a value; the format may use one number. */
struct complaint {
	const char *ja, *en;
	int64_t number;
};

/* Note the complaint at a path; ERR_INVALID. */
enum err shape_refuse(struct call *c, const struct path *path, struct complaint complaint);

/* Is the value within the limits of the field? *out says what is wrong otherwise. The text must be
 * UTF-8. */
bool shape_fits_text(const struct field *field, const char *text, struct complaint *out);
bool shape_fits_integer(const struct field *field, int64_t value, struct complaint *out);
bool shape_fits_count(const struct field *field, size_t n, struct complaint *out);

/* Store a value that fits, with its presence. */
void shape_store_text(const struct field *field, const char *text, void *out);
void shape_store_integer(const struct field *field, int64_t value, void *out);
void shape_store_boolean(const struct field *field, bool value, void *out);

/* The bit of a field in target.seen: no struct has more than 64 members. */
#define SHAPE_FIELDS_MAX 64
uint64_t shape_bit(const struct shape *shape, const struct field *field);

/* A struct being read, and which of its fields have been seen. */
struct target {
	struct call *c;
	const struct path *path; /* of the struct; NULL at the top */
	const struct shape *shape;
	void *out;
	uint64_t seen;
};

/* Refuse every required field of a place that was not seen. */
enum err shape_require(const struct target *target, enum place place);

extern const struct complaint shape_unknown, shape_duplicate, shape_wants_integer,
	shape_wants_boolean;

/* Syntax errors: the request cannot be read at all, so no field is to blame. */
extern const struct problem shape_malformed;

#endif
