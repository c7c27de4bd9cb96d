/* madvise(2) on the part of a block that no other block shares a page with. */
#include "libcommon/resident.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEPT_BYTES (4 * 1024 * 1024)

void resident_release(void *at, size_t n)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)at + size - 1) / size * size;
	uintptr_t end = ((uintptr_t)at + n) / size * size;
	/* Heap memory is private and anonymous, so this cannot fail but for locked pages. */
	if (end > first && madvise((void *)first, end - first, MADV_DONTNEED) != 0)
		memset((void *)first, 0, end - first);
}

/* A sanitizer's allocator takes neither: it keeps what is freed anyway. */
void resident_keep(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}
