/* UUIDs as text: 36 characters, lower case. */
#ifndef MANABIYA_UUID_H
#define MANABIYA_UUID_H

#include <stdbool.h>

#include "libcommon/arena.h"

#define UUID_SIZE 37 /* with the NUL */
#define UUID_BYTES 16

/* A new UUIDv7 (RFC 9562): milliseconds since 1970, then random bits; rising within a process. */
void uuid_new(char out[UUID_SIZE]);
const char *uuid_make(struct arena *arena);

bool is_uuid(const char *text);

/* The 16 bytes of a text that is_uuid(), and back. */
void uuid_to_bytes(const char *text, unsigned char out[UUID_BYTES]);
void uuid_from_bytes(const unsigned char bytes[UUID_BYTES], char out[UUID_SIZE]);

#endif
