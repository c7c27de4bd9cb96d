/*
 * Capabilities that this thread has verified already: checking a signature costs 60 µs, three times
 * a point query. Entries end with the capability itself.
 */
#ifndef MANABIYA_CAPABILITY_CACHE_H
#define MANABIYA_CAPABILITY_CACHE_H

#include "libcommon/capability.h"

/* As capability_verify(). *out is valid until the next call on the same thread. */
must_check enum err capability_check(const unsigned char key[PUBLIC_KEY_SIZE], const char *text,
	int64_t now_unix_ms, const struct actor **out);

/* Free what this thread holds; before it ends. */
void capability_cache_free(void);

#endif
