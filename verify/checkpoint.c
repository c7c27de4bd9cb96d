/* Checkpoints: signed by whom, and the one the beginning of the other. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

#define TEXT_MAX (64 * 1024) /* bytes of a file that is read whole: notes and proofs are small */

enum finding found(struct request *request, enum finding finding, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(request->detail, sizeof(request->detail), format, args);
	va_end(args);
	return finding;
}

const char *input_text(struct request *request, const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	char *text = arena_alloc(request->arena, TEXT_MAX + 1);
	size_t n = fread(text, 1, TEXT_MAX + 1, file);
	bool is_whole = !ferror(file) && n <= TEXT_MAX;
	(void)fclose(file);
	return is_whole && !memchr(text, '\0', n) ? text : NULL;
}

static bool is_signed(
	const struct request *request, const struct note *note, const struct checkpoint *checkpoint)
{
	for (size_t i = 0; i < request->keys_n; i++) {
		const struct note_verifier *key = &request->keys[i];
		/* A key speaks for the log of its name and for no other. */
		if (strcmp(key->name, checkpoint->origin) == 0 &&
			note_is_signed(request->arena, note, key, NULL))
			return true;
	}
	return false;
}

enum finding read_signed(
	struct request *request, const char *text, const char *path, struct checkpoint *out)
{
	struct note note;
	if (note_read(request->arena, text, strlen(text), &note) ||
		checkpoint_read(request->arena, note.text, out))
		return found(request, MALFORMED, "%s", path);
	if (!is_signed(request, &note, out))
		return found(request, UNSIGNED, "%s", path);
	for (size_t i = 0; i < request->witnesses_n; i++) {
		const struct note_verifier *witness = &request->witnesses[i];
		if (!note_is_signed(request->arena, &note, witness, NULL))
			return found(request, UNWITNESSED, "%s: %s", path, witness->name);
	}
	return found(request, GOOD, "%s, %llu", out->origin, (unsigned long long)out->size);
}

static enum finding read_file(struct request *request, const char *path, struct checkpoint *out)
{
	const char *text = input_text(request, path);
	return text ? read_signed(request, text, path, out)
		    : found(request, UNREADABLE, "%s", path);
}

enum finding check_checkpoint(struct request *request)
{
	struct checkpoint checkpoint = { 0 };
	return read_file(request, request->file, &checkpoint);
}

enum finding read_since(
	struct request *request, const struct checkpoint *now, struct checkpoint *out)
{
	/* The earlier one may be of a time before the witness. */
	size_t witnesses_n = request->witnesses_n;
	request->witnesses_n = 0;
	enum finding finding = read_file(request, request->since, out);
	request->witnesses_n = witnesses_n;
	if (finding != GOOD)
		return finding;
	if (!out->origin || strcmp(out->origin, now->origin) != 0)
		return found(request, OTHER_LOG, "%s, %s", out->origin, now->origin);
	if (out->size > now->size)
		return found(request, ROLLED_BACK, "%llu < %llu", (unsigned long long)now->size,
			(unsigned long long)out->size);
	return GOOD;
}

/* `{"hashes":["…","…"]}`, as the API answers it. */
static bool read_hashes(struct request *request, const char *text, struct merkle_proof *out)
{
	static const char head[] = "{\"hashes\":[";
	const char *rest;
	out->n = 0;
	if (strncmp(text, head, strlen(head)) != 0)
		return false;
	for (text += strlen(head); *text == '"' && out->n < MERKLE_PROOF_MAX;) {
		size_t n = strcspn(++text, "\"");
		const char *line = arena_printf(request->arena, "%.*s\n", (int)n, text);
		if (!note_hash(request->arena, line, &out->hashes[out->n++], &rest))
			return false;
		text += n + (text[n] == '"');
		text += *text == ',';
	}
	return strncmp(text, "]}", 2) == 0;
}

enum finding check_consistency(struct request *request)
{
	struct checkpoint now = { 0 }, before = { 0 };
	struct merkle_proof proof;
	enum finding finding = read_file(request, request->file, &now);
	if (finding == GOOD)
		finding = read_since(request, &now, &before);
	if (finding != GOOD)
		return finding;
	const char *text = input_text(request, request->proof);
	if (!text)
		return found(request, UNREADABLE, "%s", request->proof);
	if (!read_hashes(request, text, &proof))
		return found(request, MALFORMED, "%s", request->proof);
	if (!merkle_is_beginning(&before.root, before.size, &now.root, now.size, &proof))
		return found(request, FORKED, "%llu, %llu", (unsigned long long)before.size,
			(unsigned long long)now.size);
	return found(request, GOOD, "%s, %llu, %llu", now.origin, (unsigned long long)before.size,
		(unsigned long long)now.size);
}
