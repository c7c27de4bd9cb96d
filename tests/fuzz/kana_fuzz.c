/* Whatever somebody gives as a reading: its key is no longer, is UTF-8, and is its own key. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/kana.h"
#include "libcommon/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_new();
	const char *text = arena_strndup(arena, (const char *)data, n);
	const char *key = kana_key(arena, text);
	if (strlen(key) > strlen(text) || utf8_count(key, strlen(key)) < 0 ||
		strcmp(kana_key(arena, key), key) != 0)
		abort();
	arena_free(arena);
	return 0;
}
