/* Signed notes and checkpoints; see note.h. Reading refuses every text that is not the one way to
 * write what it says. */
#include "libcommon/note.h"

#include <stdlib.h>
#include <string.h>

#define DASH "\xe2\x80\x94 " /* U+2014 and a space begin a signature line */
#define TIME_SIZE 8 /* of a cosignature, big-endian */

/* ---- who signs ---- */

struct note_verifier note_verifier_of(
	const char *name, enum note_kind kind, const unsigned char public_key[PUBLIC_KEY_SIZE])
{
	struct note_verifier verifier = { .name = name, .kind = kind };
	unsigned char hash[HASH_SIZE], text[NOTE_NAME_MAX + 2 + PUBLIC_KEY_SIZE];
	size_t n = strnlen(name, NOTE_NAME_MAX);
	memcpy(verifier.public_key, public_key, PUBLIC_KEY_SIZE);
	memcpy(text, name, n);
	text[n++] = '\n';
	text[n++] = (unsigned char)kind;
	memcpy(text + n, public_key, PUBLIC_KEY_SIZE);
	crypto_sha256(text, n + PUBLIC_KEY_SIZE, hash);
	memcpy(verifier.id, hash, NOTE_KEY_ID_SIZE);
	return verifier;
}

const char *note_verifier_text(struct arena *arena, const struct note_verifier *verifier)
{
	unsigned char key[1 + PUBLIC_KEY_SIZE] = { (unsigned char)verifier->kind };
	memcpy(key + 1, verifier->public_key, PUBLIC_KEY_SIZE);
	return arena_printf(arena, "%s+%s+%s", verifier->name,
		crypto_hex(arena, verifier->id, NOTE_KEY_ID_SIZE),
		crypto_base64(arena, key, sizeof(key)));
}

bool note_is_name(const char *name)
{
	size_t n = strlen(name);
	for (const char *at = name; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == '+' || *at == 0x7f)
			return false;
	return n > 0 && n <= NOTE_NAME_MAX;
}

static bool is_kind(unsigned char kind)
{
	return kind == NOTE_ED25519 || kind == NOTE_COSIGNATURE;
}

enum err note_verifier_read(struct arena *arena, const char *text, struct note_verifier *out)
{
	struct bytes key;
	unsigned char id[NOTE_KEY_ID_SIZE];
	size_t name_n = strcspn(text, "+");
	const char *name = arena_strndup(arena, text, name_n), *rest = text + name_n;
	size_t hex_n = *rest ? strcspn(rest + 1, "+") : 0;
	if (!note_is_name(name) || hex_n != 2 * sizeof(id) || rest[1 + hex_n] != '+')
		return ERR_INVALID;
	if (crypto_from_hex(arena_strndup(arena, rest + 1, hex_n), id, sizeof(id)) ||
		crypto_from_base64(arena, rest + hex_n + 2, &key) || key.n != 1 + PUBLIC_KEY_SIZE ||
		!is_kind(key.data[0]))
		return ERR_INVALID;
	*out = note_verifier_of(name, (enum note_kind)key.data[0], key.data + 1);
	return memcmp(out->id, id, sizeof(id)) == 0 ? OK : ERR_INVALID;
}

/* ---- signing ---- */

static const char *signature_line(struct arena *arena, const struct note_verifier *verifier,
	const unsigned char *signature, size_t n)
{
	unsigned char both[NOTE_KEY_ID_SIZE + TIME_SIZE + SIGNATURE_SIZE];
	memcpy(both, verifier->id, NOTE_KEY_ID_SIZE);
	memcpy(both + NOTE_KEY_ID_SIZE, signature, n);
	return arena_printf(arena, DASH "%s %s\n", verifier->name,
		crypto_base64(arena, both, NOTE_KEY_ID_SIZE + n));
}

const char *note_sign(struct arena *arena, const char *text, const struct note_verifier *verifier,
	const unsigned char signing_key[SIGNING_KEY_SIZE])
{
	unsigned char signature[SIGNATURE_SIZE];
	crypto_signature(signing_key, text, strlen(text), signature);
	return signature_line(arena, verifier, signature, sizeof(signature));
}

static const char *cosigned_text(struct arena *arena, const char *text, uint64_t unix_s)
{
	return arena_printf(
		arena, "cosignature/v1\ntime %llu\n%s", (unsigned long long)unix_s, text);
}

const char *note_cosign(struct arena *arena, const char *text, const struct note_verifier *verifier,
	const unsigned char signing_key[SIGNING_KEY_SIZE], uint64_t unix_s)
{
	unsigned char both[TIME_SIZE + SIGNATURE_SIZE];
	const char *signed_text = cosigned_text(arena, text, unix_s);
	for (int i = 0; i < TIME_SIZE; i++)
		both[i] = (unsigned char)(unix_s >> (8 * (TIME_SIZE - 1 - i)));
	crypto_signature(signing_key, signed_text, strlen(signed_text), both + TIME_SIZE);
	return signature_line(arena, verifier, both, sizeof(both));
}

/* ---- reading ---- */

static enum err read_signature(
	struct arena *arena, const char *line, size_t n, struct note_signature *out)
{
	struct bytes both;
	const char *text = arena_strndup(arena, line, n);
	if (strncmp(text, DASH, strlen(DASH)) != 0)
		return ERR_INVALID;
	const char *name = text + strlen(DASH), *space = strchr(name, ' ');
	if (!space)
		return ERR_INVALID;
	out->name = arena_strndup(arena, name, (size_t)(space - name));
	out->line = arena_printf(arena, "%s\n", text);
	if (!note_is_name(out->name) || crypto_from_base64(arena, space + 1, &both) ||
		both.n <= NOTE_KEY_ID_SIZE)
		return ERR_INVALID;
	memcpy(out->id, both.data, NOTE_KEY_ID_SIZE);
	out->signature = (struct bytes){ both.data + NOTE_KEY_ID_SIZE, both.n - NOTE_KEY_ID_SIZE };
	return OK;
}

enum err note_read_signatures(struct arena *arena, const char *text, struct note *out)
{
	out->signatures_n = 0;
	while (*text) {
		const char *end = strchr(text, '\n');
		if (!end || out->signatures_n == NOTE_SIGNATURES_MAX)
			return ERR_INVALID;
		enum err e = read_signature(
			arena, text, (size_t)(end - text), &out->signatures[out->signatures_n++]);
		if (e)
			return e;
		text = end + 1;
	}
	return out->signatures_n ? OK : ERR_INVALID;
}

/* Where the signatures begin: behind the last empty line. */
static char *find_signatures(char *text)
{
	char *found = NULL;
	for (char *at = strstr(text, "\n\n"); at; at = strstr(at + 1, "\n\n"))
		found = at;
	return found;
}

enum err note_read(struct arena *arena, const char *text, size_t n, struct note *out)
{
	if (n > NOTE_SIZE_MAX || memchr(text, '\0', n))
		return ERR_INVALID;
	char *copy = arena_strndup(arena, text, n), *gap = find_signatures(copy);
	if (!gap)
		return ERR_INVALID;
	out->text = arena_strndup(arena, copy, (size_t)(gap - copy) + 1);
	return note_read_signatures(arena, gap + 2, out);
}

static uint64_t time_of(const unsigned char *signature)
{
	uint64_t unix_s = 0;
	for (int i = 0; i < TIME_SIZE; i++)
		unix_s = unix_s << 8 | signature[i];
	return unix_s;
}

static bool is_right(struct arena *arena, const struct note *note,
	const struct note_verifier *verifier, const struct bytes *signature, uint64_t *unix_s)
{
	bool is_cosignature = verifier->kind == NOTE_COSIGNATURE;
	const unsigned char *at = signature->data;
	const char *text = note->text;
	if (signature->n != SIGNATURE_SIZE + (is_cosignature ? TIME_SIZE : 0))
		return false;
	*unix_s = is_cosignature ? time_of(at) : 0;
	if (is_cosignature) {
		text = cosigned_text(arena, text, *unix_s);
		at += TIME_SIZE;
	}
	return crypto_verify(verifier->public_key, text, strlen(text), at);
}

bool note_is_signed(struct arena *arena, const struct note *note,
	const struct note_verifier *verifier, uint64_t *unix_s)
{
	bool is_signed = false;
	uint64_t time_s = 0;
	for (size_t i = 0; i < note->signatures_n; i++) {
		const struct note_signature *signature = &note->signatures[i];
		if (strcmp(signature->name, verifier->name) != 0 ||
			memcmp(signature->id, verifier->id, NOTE_KEY_ID_SIZE) != 0)
			continue;
		if (!is_right(arena, note, verifier, &signature->signature, &time_s))
			return false;
		is_signed = true;
	}
	if (is_signed && unix_s)
		*unix_s = time_s;
	return is_signed;
}

/* ---- checkpoints ---- */

const char *checkpoint_text(struct arena *arena, const struct checkpoint *checkpoint)
{
	return arena_printf(arena, "%s\n%llu\n%s\n", checkpoint->origin,
		(unsigned long long)checkpoint->size,
		crypto_base64(arena, checkpoint->root.bytes, HASH_SIZE));
}

bool note_number(const char *text, char end, uint64_t *out, const char **rest)
{
	size_t n = strspn(text, "0123456789");
	if (n == 0 || n > 16 || (text[0] == '0' && n > 1) || text[n] != end)
		return false;
	*out = strtoull(text, NULL, 10);
	*rest = text + n + (end != '\0');
	return *out <= MERKLE_SIZE_MAX;
}

bool note_hash(struct arena *arena, const char *text, struct merkle_hash *out, const char **rest)
{
	struct bytes hash;
	size_t n = strcspn(text, "\n");
	if (text[n] != '\n' || crypto_from_base64(arena, arena_strndup(arena, text, n), &hash) ||
		hash.n != HASH_SIZE)
		return false;
	memcpy(out->bytes, hash.data, HASH_SIZE);
	*rest = text + n + 1;
	return true;
}

bool note_proof(struct arena *arena, const char *text, struct merkle_proof *out, const char **rest)
{
	out->n = 0;
	while (*text != '\n') {
		if (out->n == MERKLE_PROOF_MAX ||
			!note_hash(arena, text, &out->hashes[out->n++], &text))
			return false;
	}
	*rest = text + 1;
	return true;
}

enum err checkpoint_read(struct arena *arena, const char *text, struct checkpoint *out)
{
	size_t n = strcspn(text, "\n");
	const char *rest = text + n;
	if (n == 0 || n > NOTE_NAME_MAX || *rest != '\n')
		return ERR_INVALID;
	out->origin = arena_strndup(arena, text, n);
	if (!note_number(rest + 1, '\n', &out->size, &rest) ||
		!note_hash(arena, rest, &out->root, &rest))
		return ERR_INVALID;
	return OK;
}
