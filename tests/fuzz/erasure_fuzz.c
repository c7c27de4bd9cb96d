/* A ledger of erasures: as it comes, and with the hashes made right, so that what stands behind
 * them is read too. What is read has ids. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/crypto.h"
#include "libcommon/erasure.h"
#include "libcommon/uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum err on_line(void *arg, const struct erasure *erasure)
{
	bool is_all = strcmp(erasure->user_id, ERASURE_ALL) == 0;
	if (!is_uuid(erasure->tenant_id) || (!is_all && !is_uuid(erasure->user_id)))
		abort();
	return OK;
}

static void chain(struct buf *out, char *text)
{
	const char *before = "0000000000000000000000000000000000000000000000000000000000000000";
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned char hash[HASH_SIZE];
		const char *hashed = arena_printf(out->arena, "%s %s", before, line);
		crypto_sha256(hashed, strlen(hashed), hash);
		before = crypto_hex(out->arena, hash, sizeof(hash));
		buf_printf(out, "%s %s\n", before, line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	crypto_start();
	struct arena *arena = arena_new();
	struct buf chained = { .arena = arena };
	enum err ignored = erasure_read(arena, (const char *)data, n, on_line, NULL);
	buf_text(&chained, "");
	chain(&chained, arena_strndup(arena, (const char *)data, n));
	ignored = erasure_read(arena, chained.data, chained.n, on_line, NULL);
	(void)ignored;
	arena_free(arena);
	return 0;
}
