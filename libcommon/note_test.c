/* Facts about signed notes, against a note that Go's golang.org/x/mod/sumdb/note has verified. */
#include "libcommon/note.h"

#include <string.h>

#include "libcommon/cmocka_call.h"

static struct arena *arena;

#define NAME "audit.example.jp/log1"
#define VERIFIER NAME "+27b926df+ASIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja"
#define TEXT NAME "\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n"
#define LINE                                                                                       \
	"\xe2\x80\x94 " NAME                                                                       \
	" J7km3+gf+qzsALWqsY918qbC/WnsDrOBrOmTUBeuh0AyVvs4YptKQVeW1YBO1zd7h0ebM0fEbVH9zWRgGXnv3Z"  \
	"xPyA4=\n"

static struct note_verifier own(enum note_kind kind, unsigned char signing_key[SIGNING_KEY_SIZE])
{
	const unsigned char seed[KEY_SIZE] = { 1, 2, 3 };
	unsigned char public_key[PUBLIC_KEY_SIZE];
	crypto_sign_keys(seed, public_key, signing_key);
	return note_verifier_of(NAME, kind, public_key);
}

static void a_known_checkpoint_is_written_byte_for_byte(void **state)
{
	unsigned char key[SIGNING_KEY_SIZE];
	const struct note_verifier verifier = own(NOTE_ED25519, key);
	static const char *const leaves[] = { "one", "two", "three" };
	struct merkle_peaks peaks = { 0 };
	struct checkpoint checkpoint = { .origin = NAME, .size = 3 };
	for (int i = 0; i < 3; i++) {
		struct merkle_hash leaf;
		merkle_leaf(leaves[i], strlen(leaves[i]), &leaf);
		merkle_append(&peaks, &leaf);
	}
	merkle_root(&peaks, &checkpoint.root);
	assert_string_equal(note_verifier_text(arena, &verifier), VERIFIER);
	assert_string_equal(checkpoint_text(arena, &checkpoint), TEXT);
	assert_string_equal(note_sign(arena, TEXT, &verifier, key), LINE);
}

static void a_known_note_is_read(void **state)
{
	struct note_verifier verifier;
	struct note note;
	struct checkpoint checkpoint;
	static const char text[] = TEXT "\n" LINE;
	assert_int_equal(note_verifier_read(arena, VERIFIER, &verifier), OK);
	assert_int_equal(note_read(arena, text, sizeof(text) - 1, &note), OK);
	assert_true(note_is_signed(arena, &note, &verifier, NULL));
	assert_int_equal(checkpoint_read(arena, note.text, &checkpoint), OK);
	assert_string_equal(checkpoint.origin, NAME);
	assert_int_equal(checkpoint.size, 3);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct note_verifier verifier;
	static const char text[] = TEXT "\n" LINE;
	assert_int_equal(note_verifier_read(arena, VERIFIER, &verifier), OK);
	for (size_t i = 0; i < 8 * (sizeof(text) - 1); i++) {
		char *changed = arena_strndup(arena, text, sizeof(text) - 1);
		struct note note;
		changed[i / 8] = (char)(changed[i / 8] ^ 1 << i % 8);
		assert_false(note_read(arena, changed, sizeof(text) - 1, &note) == OK &&
			note_is_signed(arena, &note, &verifier, NULL));
	}
}

static void a_cosignature_tells_its_time(void **state)
{
	unsigned char key[SIGNING_KEY_SIZE];
	const struct note_verifier witness = own(NOTE_COSIGNATURE, key);
	const struct note_verifier log = own(NOTE_ED25519, key);
	const char *line = note_cosign(arena, TEXT, &witness, key, 1775608200);
	const char *text = arena_printf(arena, "%s\n%s%s", TEXT, LINE, line);
	struct note note;
	uint64_t unix_s = 0;
	assert_int_equal(note_read(arena, text, strlen(text), &note), OK);
	assert_int_equal(note.signatures_n, 2);
	assert_true(note_is_signed(arena, &note, &witness, &unix_s));
	assert_int_equal(unix_s, 1775608200);
	assert_true(note_is_signed(arena, &note, &log, &unix_s));
	assert_int_equal(unix_s, 0);
	/* The same key as another kind of signer is another signer. */
	assert_memory_not_equal(witness.id, log.id, NOTE_KEY_ID_SIZE);
}

static void only_one_text_names_a_verifier(void **state)
{
	static const char *const broken[] = { "", NAME, NAME "+27b926df", NAME "+27b926df+",
		NAME "+27b926de+ASIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja",
		NAME "+27B926DF+ASIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja",
		NAME "+27b926df+ASIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja\n",
		NAME "+27b926df+AiIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja",
		"two words+27b926df+ASIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja",
		"+27b926df+ASIf5faFmhpP7HkFfJ0yyNP8NW4USx2jsPkBbvbymIja" };
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct note_verifier verifier;
		assert_int_equal(note_verifier_read(arena, broken[i], &verifier), ERR_INVALID);
	}
}

static void what_is_no_note_is_refused(void **state)
{
	static const char *const broken[] = { "", "\n", TEXT, TEXT "\n", TEXT LINE, "\n\n",
		TEXT "\n" LINE "more", TEXT "\n- " NAME " J7km3w==\n",
		TEXT "\n\xe2\x80\x94 " NAME " J7km\n", TEXT "\n\xe2\x80\x94 " NAME "\n" };
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct note note;
		assert_int_equal(
			note_read(arena, broken[i], strlen(broken[i]), &note), ERR_INVALID);
	}
	static const char *const checkpoints[] = { "", "a\n", "a\n03\n", "a\n-1\n",
		"a\n3\nshort=\n", "\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n",
		"a\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=",
		"a\n99999999999999999\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n" };
	for (size_t i = 0; i < sizeof(checkpoints) / sizeof(checkpoints[0]); i++) {
		struct checkpoint checkpoint;
		assert_int_equal(checkpoint_read(arena, checkpoints[i], &checkpoint), ERR_INVALID);
	}
}

static int open_arena(void **state)
{
	crypto_start();
	arena = arena_new();
	return 0;
}

static int close_arena(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_checkpoint_is_written_byte_for_byte),
		cmocka_unit_test(a_known_note_is_read),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(a_cosignature_tells_its_time),
		cmocka_unit_test(only_one_text_names_a_verifier),
		cmocka_unit_test(what_is_no_note_is_refused),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
