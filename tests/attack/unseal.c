/*
 * Opens what is sealed, with the keys of a keyring: for whoever has a backup. Each line of stdin is
 *
 *     text <tenant> <domain> <table.column> <row> <sealed>
 *     media <tenant> <id> <size> <sealed key>
 *
 * and is answered by `opens <hex of the beginning>` or `fails <why>`.
 *
 *     unseal KEYRING ROOT-KEY-FILE MEDIA-DIRECTORY <lines
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/call.h"
#include "libcommon/keyring.h"
#include "libcommon/personal.h"
#include "services/learning/media_key.h"
#include "services/learning/media_store.h"

#define FIELDS 6
#define SHOWN 200 /* bytes of what opened */

struct world {
	struct arena *arena;
	struct keyring *keyring;
	struct media_store *media;
};

static enum err open_text(struct call *c, const char *const *fields, struct bytes *out)
{
	const char *text = NULL;
	const struct personal_kind kind = { .domain = fields[2], .column = fields[3] };
	const char *sealed = arena_printf(c->arena, "%s:%s", fields[4], fields[5]);
	enum err e = personal_open_of(c, fields[1], &kind, sealed, &text);
	if (e)
		return e;
	*out = (struct bytes){ (const unsigned char *)text, strlen(text) };
	return text == personal_erased[0] ? ERR_NOT_FOUND : OK;
}

static enum err open_media(
	const struct world *world, struct call *c, const char *const *fields, struct bytes *out)
{
	const char *hex = NULL;
	unsigned char *key = arena_alloc(c->arena, KEY_SIZE);
	const char *sealed = arena_printf(c->arena, "%s:%s", fields[2], fields[4]);
	enum err e = personal_open_of(c, fields[1], &media_key_kind, sealed, &hex);
	if (e || crypto_from_hex(hex, key, KEY_SIZE))
		return e ? e : ERR_NOT_FOUND; /* of a user who was erased */
	const struct media_name name = {
		.tenant_id = fields[1], .media_id = fields[2], .key = key
	};
	const int64_t size = strtoll(fields[3], NULL, 10);
	const struct media_range range = { .size = size, .length = size };
	return media_store_read(c, world->media, &name, &range, out);
}

static void answer(const struct world *world, char *line)
{
	const char *fields[FIELDS] = { "", "", "", "", "", "" };
	struct call c = { .arena = world->arena, .keyring = world->keyring };
	struct bytes out = { 0 };
	size_t n = 0;
	line[strcspn(line, "\n")] = '\0';
	for (char *rest = NULL, *at = strtok_r(line, " ", &rest); at && n < FIELDS;
		at = strtok_r(NULL, " ", &rest))
		fields[n++] = at;
	bool is_text = strcmp(fields[0], "text") == 0;
	enum err e = is_text ? open_text(&c, fields, &out) : open_media(world, &c, fields, &out);
	if (e)
		printf("fails %s\n", err_name(e));
	else
		printf("opens %s\n",
			crypto_hex(world->arena, out.data, out.n < SHOWN ? out.n : SHOWN));
}

int main(int argc, char **argv)
{
	char root[2 * KEY_SIZE + 2] = "", *line = NULL;
	size_t room = 0;
	crypto_start();
	FILE *file = argc == 4 ? fopen(argv[2], "re") : NULL;
	if (!file || !fgets(root, sizeof(root), file) || fclose(file))
		return EXIT_FAILURE;
	root[strcspn(root, "\n")] = '\0';
	struct world world = { .arena = arena_new(), .keyring = keyring_open(argv[1], root) };
	world.media = world.keyring ? media_store_open(argv[3]) : NULL;
	if (!world.media)
		return EXIT_FAILURE;
	while (getline(&line, &room, stdin) > 0) {
		answer(&world, line);
		arena_reset(world.arena);
	}
	free(line);
	media_store_close(world.media);
	keyring_close(world.keyring);
	arena_free(world.arena);
	return EXIT_SUCCESS;
}
