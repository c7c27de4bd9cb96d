/* Headers of tar; see tar.h. */
#include "libcommon/tar.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* POSIX.1-1988, ustar. */
struct header {
	char name[TAR_NAME_MAX];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* with the version */
	char user[32], group[32];
	char major[8], minor[8];
	char prefix[155];
	char unused[12];
};
static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

#define PLAIN_FILE '0'
static const char MAGIC[8] = { 'u', 's', 't', 'a', 'r', '\0', '0', '0' };
static const unsigned char ZEROES[TAR_BLOCK];

/* Eight digits less one are as many as fit; others write six digits, NUL, space. */
static bool read_octal(const char *field, size_t digits, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < digits; i++) {
		if (field[i] < '0' || field[i] > '7')
			return false;
		*out = *out * 8 + (field[i] - '0');
	}
	return field[digits] == '\0' || field[digits] == ' ';
}

static void write_octal(char *field, size_t digits, int64_t value)
{
	while (digits > 0) {
		field[--digits] = (char)('0' + value % 8);
		value /= 8;
	}
}

/* The sum of all bytes, with the field of the checksum as spaces. */
static int64_t checksum_of(const unsigned char *block)
{
	int64_t sum = 0;
	size_t first = offsetof(struct header, checksum);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= first && i < first + 8 ? ' ' : block[i];
	return sum;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-' || c == '.';
}

/* Parts of letters, divided by single slashes, none of which begins with a point. */
static bool is_name(const char *name)
{
	char before = '/';
	for (; *name; before = *name++) {
		bool begins = before == '/';
		if (begins ? *name == '.' || !is_letter(*name) : !is_letter(*name) && *name != '/')
			return false;
	}
	return before != '/';
}

static enum tar_block read_entry(const struct header *header, struct tar_entry *out)
{
	*out = (struct tar_entry){ 0 };
	memcpy(out->name, header->name, TAR_NAME_MAX);
	if (header->type != PLAIN_FILE || header->link[0] || header->prefix[0])
		return TAR_NOT_PLAIN;
	if (!is_name(out->name))
		return TAR_BAD_NAME;
	return read_octal(header->size, 11, &out->size) ? TAR_ENTRY : TAR_BAD_SIZE;
}

enum tar_block tar_read(const unsigned char *block, struct tar_entry *out)
{
	struct header header;
	int64_t checksum;
	if (memcmp(block, ZEROES, TAR_BLOCK) == 0)
		return TAR_ZEROES;
	memcpy(&header, block, TAR_BLOCK);
	if (memcmp(header.magic, MAGIC, sizeof(MAGIC)) != 0 ||
		!read_octal(header.checksum, 6, &checksum) || checksum != checksum_of(block))
		return TAR_DAMAGED;
	return read_entry(&header, out);
}

void tar_write(const struct tar_entry *entry, int64_t unix_s, unsigned char block[TAR_BLOCK])
{
	struct header header = { .mode = "0000600",
		.uid = "0000000",
		.gid = "0000000",
		.type = PLAIN_FILE,
		.major = "0000000",
		.minor = "0000000" };
	size_t n = strlen(entry->name);
	assert(n <= TAR_NAME_MAX && entry->size <= TAR_SIZE_MAX);
	memcpy(header.name, entry->name, n);
	memcpy(header.magic, MAGIC, sizeof(MAGIC));
	write_octal(header.size, 11, entry->size);
	write_octal(header.mtime, 11, unix_s);
	memcpy(block, &header, TAR_BLOCK);
	write_octal(header.checksum, 6, checksum_of(block));
	header.checksum[7] = ' ';
	memcpy(block, &header, TAR_BLOCK);
}

int64_t tar_padded(int64_t size)
{
	return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}
