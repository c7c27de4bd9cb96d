/* Whatever arrives as parameters: refused, or written and read back to the same. The first byte
 * chooses a cursor instead. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit_proto.h"
#include "libcommon/call.h"
#include "libcommon/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_params(struct call *c, const char *text, size_t n)
{
	struct audit_audit_search_in in = { 0 }, again = { 0 };
	struct buf out = { .arena = c->arena };
	if (shape_read_params(c, &audit_audit_search_in_shape, text, n, &in)) {
		if (c->failure.problem == NULL || failure_json(c) == NULL)
			abort();
		return;
	}
	shape_write_params(&audit_audit_search_in_shape, &in, &out);
	if (shape_read_params(c, &audit_audit_search_in_shape, out.data, out.n, &again))
		abort();
	if (in.has_limit != again.has_limit || in.limit != again.limit)
		abort();
}

static void read_cursor(struct call *c, const char *text, size_t n)
{
	const char *parts[2];
	if (cursor_read(c, arena_strndup(c->arena, text, n), parts, 2))
		return;
	if (n <= 500 && cursor_make(c, parts, 2) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n == 0 ? 1 : n);
	if (copy == NULL)
		abort();
	memcpy(copy, data, n);
	struct call c = { .arena = arena_new(), .call_id = "fuzz" };
	if (n > 0 && copy[0] == '!')
		read_cursor(&c, copy + 1, n - 1);
	else
		read_params(&c, copy, n);
	arena_free(c.arena);
	free(copy);
	return 0;
}
