/* The logs that this witness signs for, from a file; see witness.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/log.h"
#include "witness/witness.h"

#define KEYS_MAX 1024 /* a witness of a thousand installations is one too many */
#define LINE_MAX_BYTES 512 /* a name, a key id and a key are less */

static struct {
	struct arena *arena;
	size_t n;
	struct note_verifier keys[KEYS_MAX];
} logs;

static enum err complain(const char *path, unsigned line, const char *reason)
{
	log_event(LOG_LEVEL_ERROR, "cannot read the logs", LOG_TEXT("file", path),
		LOG_INT("line", line), LOG_TEXT("reason", reason));
	return ERR_INVALID;
}

static enum err read_line(const char *path, unsigned number, char *line)
{
	struct note_verifier *key = &logs.keys[logs.n];
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return OK;
	if (logs.n == KEYS_MAX)
		return complain(path, number, "too many keys");
	if (note_verifier_read(logs.arena, line, key) || key->kind != NOTE_ED25519)
		return complain(path, number, "not a verifier key of a log");
	logs.n++;
	return OK;
}

enum err logs_load(const char *path)
{
	char line[LINE_MAX_BYTES];
	enum err e = OK;
	logs_free();
	logs.arena = arena_new();
	FILE *file = fopen(path, "re");
	if (!file)
		return complain(path, 0, strerrordesc_np(errno));
	for (unsigned number = 1; !e && fgets(line, sizeof(line), file); number++)
		e = read_line(path, number, line);
	(void)fclose(file);
	return e || logs.n ? e : complain(path, 0, "no key in it");
}

void logs_free(void)
{
	if (logs.arena)
		arena_free(logs.arena);
	logs.arena = NULL;
	logs.n = 0;
}

static bool speaks_for(const struct note_verifier *key, const char *origin)
{
	size_t n = strlen(key->name);
	if (key->name[n - 1] == '*')
		return strncmp(key->name, origin, n - 1) == 0;
	return strcmp(key->name, origin) == 0;
}

enum trust logs_trust(struct arena *arena, const struct note *note, const char *origin)
{
	enum trust trust = TRUST_NONE;
	for (size_t i = 0; i < logs.n && trust != TRUST_SIGNED; i++) {
		if (!speaks_for(&logs.keys[i], origin))
			continue;
		/* The key id depends on the name. */
		const struct note_verifier key =
			note_verifier_of(origin, NOTE_ED25519, logs.keys[i].public_key);
		trust = note_is_signed(arena, note, &key, NULL) ? TRUST_SIGNED : TRUST_UNSIGNED;
	}
	return trust;
}
