/*
 * The one form of tar that an archive has: POSIX ustar, plain files alone, each with its whole name
 * in the name field. Links, directories, devices, sparse files, extended headers, and names that
 * could lead anywhere are refused, so that nobody has to think of them later.
 */
#ifndef MANABIYA_TAR_H
#define MANABIYA_TAR_H

#include <stdint.h>

#define TAR_BLOCK 512
#define TAR_NAME_MAX 100
#define TAR_SIZE_MAX ((INT64_C(1) << 33) - 1) /* eleven octal digits: 8 GiB less one byte */

struct tar_entry {
	char name[TAR_NAME_MAX + 1];
	int64_t size; /* of the file; it is followed by zeroes up to a whole block */
};

enum tar_block {
	TAR_ENTRY,
	TAR_ZEROES, /* two of them end the archive */
	TAR_DAMAGED, /* the checksum does not fit, or it is no header of this format */
	TAR_NOT_PLAIN, /* a link, a directory, an extended header… */
	TAR_BAD_NAME, /* absolute, with `..`, or with anything but A-Z a-z 0-9 . _ - / */
	TAR_BAD_SIZE, /* not eleven octal digits */
	TAR_BLOCKS
};

/* What a block of TAR_BLOCK bytes is where a header is due; `out` is filled for TAR_ENTRY only. */
enum tar_block tar_read(const unsigned char *block, struct tar_entry *out);

/* The header of a file, in the form that tar_read() takes. Name and size must be such as it takes.
 */
void tar_write(const struct tar_entry *entry, int64_t unix_s, unsigned char block[TAR_BLOCK]);

/* How many bytes a file takes behind its header. */
int64_t tar_padded(int64_t size);

#endif
