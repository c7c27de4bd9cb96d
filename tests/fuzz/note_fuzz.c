/* Whatever bytes arrive as a note: the reader refuses, or what it read says one thing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_note(struct arena *arena, const char *copy, size_t n)
{
	static const unsigned char key[PUBLIC_KEY_SIZE] = { 1 };
	struct note note;
	struct checkpoint checkpoint;
	if (note_read(arena, copy, n, &note))
		return;
	for (enum note_kind kind = NOTE_ED25519; kind <= NOTE_COSIGNATURE; kind += 3) {
		const struct note_verifier verifier =
			note_verifier_of(note.signatures[0].name, kind, key);
		if (note_is_signed(arena, &note, &verifier, NULL))
			abort(); /* nobody has that key */
	}
	if (checkpoint_read(arena, note.text, &checkpoint))
		return;
	const char *text = checkpoint_text(arena, &checkpoint);
	if (strncmp(text, note.text, strlen(text)) != 0)
		abort();
}

static void read_others(struct arena *arena, const char *text)
{
	struct note_verifier verifier;
	struct merkle_proof proof;
	const char *rest;
	if (!note_verifier_read(arena, text, &verifier) &&
		strcmp(note_verifier_text(arena, &verifier), text) != 0)
		abort();
	if (note_proof(arena, text, &proof, &rest) && rest > text + strlen(text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n + 1); /* without slack, so that reading past the end is seen */
	struct arena *arena = arena_new();
	if (!copy)
		abort();
	memcpy(copy, data, n);
	copy[n] = '\0';
	crypto_start();
	read_note(arena, copy, n);
	read_others(arena, copy);
	arena_free(arena);
	free(copy);
	return 0;
}
