/*
 * The key of one video: random, and kept in the video's row, sealed (personal.h) under the key of
 * the pupil who made it, or under the tenant's for what the staff uploads. Who erases a child makes
 * its videos unreadable wherever copies of the files lie; a new version of a key asks for a row to
 * be sealed anew, never a file.
 */
#ifndef MANABIYA_MEDIA_KEY_H
#define MANABIYA_MEDIA_KEY_H

#include "libcommon/crypto.h"
#include "libcommon/err.h"
#include "libcommon/personal.h"

struct call;

extern const struct personal_kind media_key_kind; /* column media.sealed_key */

/* A new key for what lies in the media store, as its row keeps it. */
must_check enum err media_key_make(struct call *c, const struct personal_kind *kind,
	const struct personal_place *place, const char **sealed);

/* KEY_SIZE bytes in the call's arena from what SEALED() gave. NOT_FOUND when the key of that is
 * destroyed (personal_gone).
 */
must_check enum err media_key_open(struct call *c, const struct personal_kind *kind,
	const char *row_and_sealed, const unsigned char **key);

#endif
