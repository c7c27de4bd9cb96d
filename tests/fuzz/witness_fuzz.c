/* Whatever bytes arrive as `add-checkpoint`, from a log that is believed: it is refused, or the
 * tree that is signed has the one before as its beginning. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "witness/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define SIZE_BEFORE 5

static struct checkpoint before;

enum trust logs_trust(struct arena *arena, const struct note *note, const char *origin)
{
	return TRUST_SIGNED;
}

enum err state_read(struct arena *arena, const char *origin, struct signed_before *out)
{
	*out = (struct signed_before){ before, 1 };
	return OK;
}

enum err state_sign(struct arena *arena, const char *text, const struct checkpoint *checkpoint,
	uint64_t unix_s, const char **line)
{
	if (checkpoint->size < before.size ||
		(checkpoint->size == before.size && !merkle_equal(&checkpoint->root, &before.root)))
		abort();
	*line = "";
	return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	char *copy = malloc(n); /* without slack, so that reading past the end is seen */
	struct arena *arena = arena_new();
	if (!copy)
		abort();
	memcpy(copy, data + 1, n - 1);
	copy[n - 1] = '\0';
	crypto_start();
	before = (struct checkpoint){ "log", data[0] % SIZE_BEFORE, { { 1 } } };
	const struct answer answer = add_checkpoint(arena, copy, n - 1);
	if (!answer.body || answer.status < 200 || answer.status > 499)
		abort();
	arena_free(arena);
	free(copy);
	return 0;
}
