/* A manifest of an archive: refused, or read with every line of an entry; a line that is read is
 * written as it was. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_lines(struct arena *arena, const char *text, size_t n)
{
	struct manifest_line line;
	size_t length;
	while (manifest_line_read(text, n, &line, &length) == OK) {
		struct buf again = { .arena = arena };
		manifest_line_write(&again, &line);
		if (length == 0 || length > n || again.n != length ||
			memcmp(again.data, text, length) != 0)
			abort();
		text += length;
		n -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	crypto_start();
	struct arena *arena = arena_new();
	struct manifest manifest;
	/* A copy without slack, so that reading past the end is seen. */
	char *copy = malloc(n == 0 ? 1 : n);
	if (!copy)
		abort();
	if (n)
		memcpy(copy, data, n);
	if (manifest_read(arena, copy, n, &manifest) == OK) {
		if (manifest.entries > strlen(manifest.note.text))
			abort();
		read_lines(arena, manifest.note.text + manifest.entries,
			strlen(manifest.note.text) - manifest.entries);
	}
	read_lines(arena, copy, n);
	arena_free(arena);
	free(copy);
	return 0;
}
