/* Manifests of archives; see manifest.h. Reading refuses whatever is not the one way to write it.
 */
#include "libcommon/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "libcommon/uuid.h"

#define TIME_MAX 32 /* 2026-04-01T08:30:00.000Z is 24 */

/* The line at *at without its newline, and *at behind it; NULL without one, or if it is empty or
 * longer. */
static const char *next_line(struct arena *arena, const char **at, size_t most)
{
	size_t n = strcspn(*at, "\n");
	const char *line = *at;
	if (n == 0 || n > most || line[n] != '\n')
		return NULL;
	*at = line + n + 1;
	return arena_strndup(arena, line, n);
}

static enum err read_head(struct arena *arena, struct manifest *out)
{
	const char *text = out->note.text, *at = text + strlen(MANIFEST_HEAD);
	if (strncmp(text, MANIFEST_HEAD, strlen(MANIFEST_HEAD)) != 0)
		return ERR_INVALID;
	out->tenant_id = next_line(arena, &at, UUID_SIZE - 1);
	out->log = out->tenant_id ? next_line(arena, &at, NOTE_NAME_MAX) : NULL;
	out->at = out->log ? next_line(arena, &at, TIME_MAX) : NULL;
	if (!out->at || !is_uuid(out->tenant_id) || !note_is_name(out->log))
		return ERR_INVALID;
	out->entries = (size_t)(at - text);
	return OK;
}

bool manifest_is_other(const char *text, size_t n)
{
	const size_t format_n = strlen(MANIFEST_FORMAT), head_n = strlen(MANIFEST_HEAD);
	return n > format_n && memcmp(text, MANIFEST_FORMAT, format_n) == 0 &&
		(n < head_n || memcmp(text, MANIFEST_HEAD, head_n) != 0);
}

enum err manifest_read(struct arena *arena, const char *text, size_t n, struct manifest *out)
{
	*out = (struct manifest){ 0 };
	if (n > MANIFEST_SIZE_MAX || memchr(text, '\0', n))
		return ERR_INVALID;
	const char *gap = memmem(text, n, "\n\n", 2);
	if (!gap)
		return ERR_INVALID;
	size_t signed_n = (size_t)(gap - text) + 1;
	out->note.text = arena_strndup(arena, text, signed_n);
	enum err e = read_head(arena, out);
	return e ? e
		 : note_read_signatures(
			   arena, arena_strndup(arena, gap + 2, n - signed_n - 1), &out->note);
}

/* ---- lines of entries ---- */

static bool read_hash(const char *text, unsigned char *out)
{
	char hex[2 * HASH_SIZE + 1] = { 0 };
	memcpy(hex, text, 2 * HASH_SIZE);
	return text[2 * HASH_SIZE] == ' ' && !crypto_from_hex(hex, out, HASH_SIZE);
}

static bool read_name(const char *text, size_t n, char *out)
{
	if (n == 0 || n > TAR_NAME_MAX || memchr(text, '\0', n) || memchr(text, ' ', n))
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

enum err manifest_line_read(const char *text, size_t n, struct manifest_line *out, size_t *length)
{
	char line[MANIFEST_LINE_MAX + 1] = { 0 };
	const char *end = memchr(text, '\n', n), *name;
	uint64_t size;
	*out = (struct manifest_line){ 0 };
	*length = end ? (size_t)(end - text) : 0;
	if (*length <= 2 * HASH_SIZE + 1 || *length >= MANIFEST_LINE_MAX)
		return ERR_INVALID;
	memcpy(line, text, *length);
	if (!read_hash(line, out->hash) ||
		!note_number(line + 2 * HASH_SIZE + 1, ' ', &size, &name) || size > TAR_SIZE_MAX ||
		!read_name(name, *length - (size_t)(name - line), out->entry.name))
		return ERR_INVALID;
	out->entry.size = (int64_t)size;
	(*length)++;
	return OK;
}

void manifest_line_write(struct buf *out, const struct manifest_line *line)
{
	buf_printf(out, "%s %" PRId64 " %s\n", crypto_hex(out->arena, line->hash, HASH_SIZE),
		line->entry.size, line->entry.name);
}
