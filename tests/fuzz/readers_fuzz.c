/*
 * Every generated reader: the first two bytes choose what is sent to which operation of which
 * service, the rest arrives as its body and as its parameters. Each is refused with a problem that
 * can be shown, or what was read is written and read back to the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/call.h"
#include "tests/fuzz/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef enum err read_fn(
	struct call *c, const struct shape *shape, const char *text, size_t n, void *out);
typedef void write_fn(const struct shape *shape, const void *in, struct buf *out);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void play(
	read_fn *read, write_fn *write, const struct shape *shape, const char *text, size_t n)
{
	struct call c = { .arena = arena_new(), .call_id = "fuzz" };
	struct buf first = { .arena = c.arena }, second = { .arena = c.arena };
	void *in = arena_alloc(c.arena, shape->size), *again = arena_alloc(c.arena, shape->size);
	if (read(&c, shape, text, n, in)) {
		must(c.failure.problem && failure_json(&c));
	} else {
		write(shape, in, &first);
		must(!read(&c, shape, first.n ? first.data : "", first.n, again));
		write(shape, again, &second);
		must(first.n == second.n &&
			(!first.n || !memcmp(first.data, second.data, first.n)));
	}
	arena_free(c.arena);
}

static bool has_json(const struct shape *shape)
{
	for (size_t i = 0; i < shape->fields_n; i++) {
		if (shape->fields[i].place == PLACE_BODY && shape->fields[i].kind != KIND_BYTES)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 2)
		return 0;
	const struct shape *shape = fuzz_shapes[(data[0] * 256u + data[1]) % fuzz_shapes_n];
	/* A copy without slack, so that reading past the end is seen. */
	char *copy = malloc(n - 2 ? n - 2 : 1);
	must(copy);
	memcpy(copy, data + 2, n - 2);
	if (has_json(shape))
		play(shape_read_json, shape_write_json, shape, copy, n - 2);
	play(shape_read_params, shape_write_params, shape, copy, n - 2);
	free(copy);
	return 0;
}
