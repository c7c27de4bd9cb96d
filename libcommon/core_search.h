/*
 * For tests: whether bytes are anywhere in what a core dump of this process would hold.
 */
#ifndef MANABIYA_CORE_SEARCH_H
#define MANABIYA_CORE_SEARCH_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/crypto.h"

#define CORE_PIECE 65536
#define CORE_WANTED_MAX 64
#define CORE_LARGE ((uintptr_t)1 << 30) /* a sanitizer's shadow, which holds no data */

/* How often the bytes stand within the mapping. Pieces overlap by the longest that is looked for.
 */
static inline unsigned core_search_mapping(int memory, uintptr_t begin, uintptr_t end,
	struct bytes wanted, unsigned char piece[CORE_PIECE])
{
	unsigned n = 0;
	for (uintptr_t at = begin; at < end; at += CORE_PIECE - CORE_WANTED_MAX) {
		ssize_t size = pread(memory, piece, CORE_PIECE, (off_t)at);
		const unsigned char *from = piece, *found;
		if (size <= 0)
			continue;
		size_t left = (size_t)size < end - at ? (size_t)size : end - at;
		while ((found = memmem(from, left, wanted.data, wanted.n))) {
			left -= (size_t)(found + 1 - from);
			from = found + 1;
			n++;
		}
	}
	return n;
}

/* How often they stand in mappings without the flag dd (proc(5)), of which one is told behind its
 * addresses. `wanted`, CORE_WANTED_MAX at most, must itself lie in memory that is left out. */
static inline unsigned core_search(struct bytes wanted)
{
	char line[512];
	unsigned n = 0;
	uintptr_t begin = 0, end = 0;
	FILE *maps = fopen("/proc/self/smaps", "re");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned char *piece = crypto_secret_alloc(CORE_PIECE);
	if (!maps || memory < 0 || wanted.n > CORE_WANTED_MAX)
		abort();
	while (fgets(line, sizeof(line), maps)) {
		char *rest;
		uintptr_t first = strtoull(line, &rest, 16);
		if (*rest == '-') {
			begin = first;
			end = strtoull(rest + 1, NULL, 16);
		} else if (strncmp(line, "VmFlags:", 8) == 0 && !strstr(line, " dd") &&
			end - begin < CORE_LARGE) {
			n += core_search_mapping(memory, begin, end, wanted, piece);
		}
	}
	crypto_secret_free(piece);
	(void)close(memory);
	(void)fclose(maps);
	return n;
}

#endif
