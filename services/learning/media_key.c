/* Keys of videos; see media_key.h. Their text is hex. */
#include "services/learning/media_key.h"

#include "libcommon/call.h"
#include "libcommon/personal.h"

const struct personal_kind media_key_kind = { .domain = "media", .column = "media.sealed_key" };

enum err media_key_make(struct call *c, const struct personal_kind *kind,
	const struct personal_place *place, const char **sealed)
{
	unsigned char *key = arena_alloc(c->arena, KEY_SIZE);
	crypto_random(key, KEY_SIZE);
	const struct personal value = { .text = crypto_hex(c->arena, key, KEY_SIZE), .kind = kind };
	return personal_seal_for(c, place, value, sealed);
}

enum err media_key_open(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const unsigned char **key)
{
	const char *hex;
	enum err e = personal_open(c, kind, row_and_sealed, &hex);
	if (e)
		return e;
	if (personal_is_lost(hex))
		return fail_with(c, &personal_gone, "the video's key is destroyed");
	unsigned char *out = arena_alloc(c->arena, KEY_SIZE);
	*key = out;
	return crypto_from_hex(hex, out, KEY_SIZE)
		? fail(c, ERR_INTERNAL, "what was sealed as a video's key is none")
		: OK;
}
