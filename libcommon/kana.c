/* Readings as lists compare them; see kana.h. */
#include "libcommon/kana.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libcommon/utf8.h"

#define VOICED 0x3099 /* the marks that NFKC joins with the kana in front of them */
#define HALF_VOICED 0x309a

/* U+FF61 to U+FF9D as hiragana, or what NFKC makes of them. */
static const uint16_t half_width[] = { 0x3002, 0x300c, 0x300d, 0x3001, 0x30fb, /* ｡ ｢ ｣ ､ ･ */
	0x3092, 0x3041, 0x3043, 0x3045, 0x3047, 0x3049, 0x3083, 0x3085, 0x3087,
	0x3063, /* ｦ ｧ … ｯ */
	0x30fc, 0x3042, 0x3044, 0x3046, 0x3048, 0x304a, /* ｰ ｱ … ｵ */
	0x304b, 0x304d, 0x304f, 0x3051, 0x3053, 0x3055, 0x3057, 0x3059, 0x305b, 0x305d, /* ｶ … ｿ */
	0x305f, 0x3061, 0x3064, 0x3066, 0x3068, 0x306a, 0x306b, 0x306c, 0x306d, 0x306e, /* ﾀ … ﾉ */
	0x306f, 0x3072, 0x3075, 0x3078, 0x307b, 0x307e, 0x307f, 0x3080, 0x3081, 0x3082, /* ﾊ … ﾓ */
	0x3084, 0x3086, 0x3088, 0x3089, 0x308a, 0x308b, 0x308c, 0x308d, 0x308f,
	0x3093 }; /* ﾔ … ﾝ */

static uint32_t folded(uint32_t code)
{
	if (code == 0x3000)
		return ' ';
	if (code >= 0xff01 && code <= 0xff5e)
		return code - 0xfee0;
	if (code >= 0xff61 && code <= 0xff9d)
		return half_width[code - 0xff61];
	if (code == 0xff9e || code == 0x309b)
		return VOICED;
	if (code == 0xff9f || code == 0x309c)
		return HALF_VOICED;
	return code >= 0x30a1 && code <= 0x30f6 ? code - 0x60 : code;
}

/* か to と: every one is followed by its voiced form, with っ in between. */
static bool has_voiced_next(uint32_t code)
{
	if (code >= 0x304b && code <= 0x3062)
		return code % 2 == 1;
	return code >= 0x3064 && code <= 0x3069 && code % 2 == 0;
}

static bool is_ha(uint32_t code)
{
	return code >= 0x306f && code <= 0x307d && code % 3 == 0;
}

/* The kana with its mark as one code, 0 if there is none. */
static uint32_t joined(uint32_t code, uint32_t mark)
{
	if (is_ha(code))
		return code + (mark == VOICED ? 1 : 2);
	if (mark != VOICED)
		return 0;
	if (has_voiced_next(code) || code == 0x309d || code == 0x30fd)
		return code + 1;
	if (code == 0x3046) /* う */
		return 0x3094;
	return code >= 0x308f && code <= 0x3092 ? code - 0x308f + 0x30f7 : 0; /* わ to を */
}

static char *put(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const unsigned char first[] = { 0, 0xc0, 0xe0, 0xf0 };
	*out++ = (char)(first[more] | code >> (6 * more));
	while (more-- > 0)
		*out++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
	return out;
}

const char *kana_key(struct arena *arena, const char *text)
{
	size_t n = strlen(text), length;
	char *key = arena_alloc(arena, n + 1), *end = key, *last = key; /* no code grows */
	uint32_t code, before = 0;
	for (const char *at = text; (length = utf8_next(at, n, &code)) > 0;
		at += length, n -= length) {
		uint32_t next = folded(code), both = 0;
		if (next == VOICED || next == HALF_VOICED)
			both = joined(before, next);
		if (both)
			end = last;
		before = both ? both : next;
		last = end;
		end = put(end, before);
	}
	*end = '\0';
	return key;
}
