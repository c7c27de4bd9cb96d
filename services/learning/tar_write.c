/* See tar_write.h. */
#include "services/learning/tar_write.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Where the fields of a header lie, and the length of each. */
enum {
	NAME_AT = 0,
	MODE_AT = 100,
	USER_AT = 108,
	GROUP_AT = 116,
	SIZE_AT = 124,
	TIME_AT = 136,
	SUM_AT = 148,
	SUM_SIZE = 8,
	TYPE_AT = 156,
	MAGIC_AT = 257,
};

static void put(unsigned char *header, int at, const char *text)
{
	memcpy(header + at, text, strlen(text));
}

static void put_octal(unsigned char *header, int at, int digits, int64_t value)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "%0*llo", digits, (unsigned long long)value);
	put(header, at, text);
}

/* The sum is made with spaces in its own place. */
static void put_sum(unsigned char *header)
{
	unsigned sum = 0;
	memset(header + SUM_AT, ' ', SUM_SIZE);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += header[i];
	put_octal(header, SUM_AT, 6, sum);
	header[SUM_AT + 6] = '\0';
}

void tar_header(const char *name, int64_t size, int64_t mtime_s, unsigned char out[TAR_BLOCK])
{
	assert(strlen(name) <= TAR_NAME_MAX && size >= 0 && size <= TAR_SIZE_MAX);
	memset(out, 0, TAR_BLOCK);
	put(out, NAME_AT, name);
	put_octal(out, MODE_AT, 7, 0600);
	put_octal(out, USER_AT, 7, 0);
	put_octal(out, GROUP_AT, 7, 0);
	put_octal(out, SIZE_AT, 11, size);
	put_octal(out, TIME_AT, 11, mtime_s);
	put(out, TYPE_AT, "0");
	memcpy(out + MAGIC_AT,
		"ustar\0"
		"00",
		8);
	put_sum(out);
}

int64_t tar_padding(int64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

int64_t tar_room(int64_t size)
{
	return TAR_BLOCK + size + tar_padding(size);
}
