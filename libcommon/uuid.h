/* UUIDs as text: 36 characters, lower case. */
#ifndef MANABIYA_UUID_H
#define MANABIYA_UUID_H

#include <stdbool.h>

#include "libcommon/arena.h"

#define UUID_SIZE 37 /* with the NUL */

/* A new UUIDv7 (RFC 9562): milliseconds since 1970, then random bits; rising within a process. */
void uuid_new(char out[UUID_SIZE]);
const char *uuid_make(struct arena *arena);

bool is_uuid(const char *text);

#endif
