/* Percent-encoding, and which paths and queries are refused because two readers could take them
 * differently. */
#ifndef MANABIYA_GATEWAY_PATH_H
#define MANABIYA_GATEWAY_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/arena.h"

/*
 * A path that has one meaning: every `%` is followed by two hex digits, no segment is empty or a
 * dot segment (encoded or not), no encoded slash, backslash or control character, nothing outside
 * printable ASCII. "/" is sound.
 */
bool path_is_sound(const char *path);

/* The text behind percent-encoding, in the arena; NULL when the encoding is broken or hides a NUL.
 * `plus_is_space` for queries. */
char *path_decode(struct arena *arena, const char *text, size_t n, bool plus_is_space);

/*
 * A query that may travel beside the parameters in `taken` (`name=value&…`): its encoding is right
 * and none of its names is among them, so that nobody can say `?userId=` beside a path that names
 * the user.
 */
bool query_is_sound(struct arena *arena, const char *query, const char *taken);

#endif
