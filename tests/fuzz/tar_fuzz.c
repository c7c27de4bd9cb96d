/* A header of an archive: as it comes, and with its checksum made right, so that what stands behind
 * that is read too. What is taken as a file leads nowhere, and is written as it was read. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHECKSUM 148

static void check(const unsigned char *block)
{
	struct tar_entry entry, again;
	unsigned char written[TAR_BLOCK];
	if (tar_read(block, &entry) != TAR_ENTRY)
		return;
	if (entry.size < 0 || entry.size > TAR_SIZE_MAX || !*entry.name || *entry.name == '/' ||
		strstr(entry.name, "..") == entry.name || strstr(entry.name, "/.") ||
		strlen(entry.name) > TAR_NAME_MAX)
		abort();
	tar_write(&entry, 0, written);
	if (tar_read(written, &again) != TAR_ENTRY || strcmp(entry.name, again.name) != 0 ||
		entry.size != again.size)
		abort();
}

static void sign(unsigned char *block)
{
	char text[8];
	unsigned sum = 0;
	memset(block + CHECKSUM, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	(void)snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + CHECKSUM, text, 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned char block[TAR_BLOCK] = { 0 };
	memcpy(block, data, n < TAR_BLOCK ? n : TAR_BLOCK);
	check(block);
	memcpy(block + 257, "ustar\00000", 8);
	sign(block);
	check(block);
	return 0;
}
