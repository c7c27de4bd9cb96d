/* Facts about manifests of archives. */
#include "libcommon/manifest.h"

#include <string.h>

#include "libcommon/cmocka_call.h"

#define TENANT "01890000-0000-7000-8000-00000000000a"
#define LOG "audit.example.jp/log/" TENANT
#define HEAD MANIFEST_HEAD TENANT "\n" LOG "\n2026-04-01T00:00:00.000Z\n"
#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define LINE HASH " 3 data/org.jsonl\n"

static struct arena *arena;

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

static struct note_verifier signer(unsigned char signing_key[SIGNING_KEY_SIZE])
{
	const unsigned char seed[KEY_SIZE] = { 4, 5, 6 };
	unsigned char public_key[PUBLIC_KEY_SIZE];
	crypto_sign_keys(seed, public_key, signing_key);
	return note_verifier_of(LOG, NOTE_ED25519, public_key);
}

static const char *signed_note(const char *text)
{
	unsigned char key[SIGNING_KEY_SIZE];
	const struct note_verifier verifier = signer(key);
	return arena_printf(arena, "%s\n%s", text, note_sign(arena, text, &verifier, key));
}

static enum err read_text(const char *text)
{
	struct manifest manifest;
	return manifest_read(arena, text, strlen(text), &manifest);
}

static void a_signed_manifest_is_read(void **state)
{
	struct manifest manifest;
	unsigned char key[SIGNING_KEY_SIZE];
	const struct note_verifier verifier = signer(key);
	const char *text = signed_note(HEAD LINE LINE);
	assert_int_equal(manifest_read(arena, text, strlen(text), &manifest), OK);
	assert_string_equal(manifest.tenant_id, TENANT);
	assert_string_equal(manifest.log, LOG);
	assert_string_equal(manifest.at, "2026-04-01T00:00:00.000Z");
	assert_string_equal(manifest.note.text + manifest.entries, LINE LINE);
	assert_true(note_is_signed(arena, &manifest.note, &verifier, NULL));
}

static void a_changed_manifest_is_not_signed(void **state)
{
	struct manifest manifest;
	unsigned char key[SIGNING_KEY_SIZE];
	const struct note_verifier verifier = signer(key);
	char *text = arena_strdup(arena, signed_note(HEAD LINE));
	*strstr(text, " 3 ") = '\t';
	assert_int_equal(manifest_read(arena, text, strlen(text), &manifest), OK);
	assert_false(note_is_signed(arena, &manifest.note, &verifier, NULL));
}

static void what_is_no_manifest_is_refused(void **state)
{
	static const char *const heads[] = { "", "\n",
		"manabiya-archive/v1\n" TENANT "\n" LOG "\n2026\n", MANIFEST_HEAD,
		MANIFEST_HEAD "tenant\n" LOG "\n2026\n",
		MANIFEST_HEAD TENANT "\nlog of ours\n2026\n", MANIFEST_HEAD TENANT "\n" LOG "\n",
		MANIFEST_HEAD TENANT "\n" LOG "\n2026-04-01T00:00:00.000000000000000000Z\n" };
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		assert_int_equal(read_text(signed_note(heads[i])), ERR_INVALID);
	assert_int_equal(read_text(HEAD LINE), ERR_INVALID);
	assert_int_equal(read_text(HEAD LINE "\n"), ERR_INVALID);
	assert_int_equal(read_text(HEAD LINE "\nnobody\n"), ERR_INVALID);
}

static void another_format_is_told_from_what_is_none(void **state)
{
	static const struct {
		const char *text;
		bool is_other;
	} rows[] = { { MANIFEST_FORMAT "1\n", true }, { MANIFEST_FORMAT "20\n", true },
		{ MANIFEST_HEAD TENANT, false }, { MANIFEST_FORMAT, false }, { "", false },
		{ "manabiya-archiv/v1\n", false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(
			manifest_is_other(rows[i].text, strlen(rows[i].text)), rows[i].is_other);
}

static void a_line_of_an_entry_is_read(void **state)
{
	struct manifest_line line;
	size_t length;
	struct buf out = { .arena = arena };
	assert_int_equal(manifest_line_read(LINE "rest", strlen(LINE) + 4, &line, &length), OK);
	assert_int_equal(length, strlen(LINE));
	assert_string_equal(line.entry.name, "data/org.jsonl");
	assert_int_equal(line.entry.size, 3);
	manifest_line_write(&out, &line);
	assert_string_equal(out.data, LINE);
}

static void other_lines_are_refused(void **state)
{
	static const char *const lines[] = { "", "\n", HASH " 3 data/org.jsonl", HASH "\n",
		HASH " \n", HASH " 3\n", HASH " 3 \n", HASH " 03 a\n", HASH " -3 a\n",
		HASH " 8589934592 a\n", HASH " 99999999999999999999 a\n", HASH " 3 a b\n",
		HASH "  3 a\n", "BA" LINE,
		"xy7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3 a\n" };
	struct manifest_line line;
	size_t length;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_int_equal(manifest_line_read(lines[i], strlen(lines[i]), &line, &length),
			ERR_INVALID);
}

static void a_name_may_be_as_long_as_in_a_header(void **state)
{
	struct manifest_line line;
	size_t length;
	char name[TAR_NAME_MAX + 2] = { 0 };
	memset(name, 'n', TAR_NAME_MAX + 1);
	const char *text = arena_printf(arena, HASH " 8589934591 %.*s\n", TAR_NAME_MAX, name);
	assert_int_equal(manifest_line_read(text, strlen(text), &line, &length), OK);
	text = arena_printf(arena, HASH " 1 %s\n", name);
	assert_int_equal(manifest_line_read(text, strlen(text), &line, &length), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_manifest_is_read),
		cmocka_unit_test(a_changed_manifest_is_not_signed),
		cmocka_unit_test(what_is_no_manifest_is_refused),
		cmocka_unit_test(another_format_is_told_from_what_is_none),
		cmocka_unit_test(a_line_of_an_entry_is_read),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(a_name_may_be_as_long_as_in_a_header),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
