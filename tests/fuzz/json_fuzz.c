/* Whatever bytes arrive as a body: the reader refuses or what it read can be written and read back.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common_proto.h"
#include "libcommon/call.h"
#include "libcommon/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* A copy without slack, so that reading past the end is seen. */
	char *copy = malloc(n == 0 ? 1 : n);
	if (copy == NULL)
		abort();
	memcpy(copy, data, n);
	struct call c = { .arena = arena_new(), .call_id = "fuzz" };
	struct common_event_batch batch = { 0 }, again = { 0 };
	struct buf first = { .arena = c.arena }, second = { .arena = c.arena };
	if (shape_read_json(&c, &common_event_batch_shape, copy, n, &batch)) {
		if (c.failure.problem == NULL || failure_json(&c) == NULL)
			abort();
	} else {
		shape_write_json(&common_event_batch_shape, &batch, &first);
		if (shape_read_json(&c, &common_event_batch_shape, first.data, first.n, &again))
			abort();
		shape_write_json(&common_event_batch_shape, &again, &second);
		if (first.n != second.n || memcmp(first.data, second.data, first.n) != 0)
			abort();
	}
	arena_free(c.arena);
	free(copy);
	return 0;
}
