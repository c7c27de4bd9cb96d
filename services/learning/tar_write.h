/* Entries of a POSIX ustar stream (IEEE 1003.1), as archives are made of: plain files with a short
 * name and nothing else. Pure. */
#ifndef MANABIYA_TAR_WRITE_H
#define MANABIYA_TAR_WRITE_H

#include <stdint.h>

#define TAR_BLOCK 512
#define TAR_END (2 * TAR_BLOCK) /* zeroes behind the last entry */
#define TAR_NAME_MAX 99
#define TAR_SIZE_MAX 8589934591 /* eleven octal digits: 8 GiB - 1 */

/* The block before an entry's bytes. Name and size within the limits above. */
void tar_header(const char *name, int64_t size, int64_t mtime_s, unsigned char out[TAR_BLOCK]);

/* How many zeroes follow the bytes, and what an entry takes as a whole. */
int64_t tar_padding(int64_t size);
int64_t tar_room(int64_t size);

#endif
