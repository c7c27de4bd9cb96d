/* madvise(2) on the part of a block that no other block shares a page with. */
#include "libcommon/resident.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void resident_release(void *at, size_t n)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)at + size - 1) / size * size;
	uintptr_t end = ((uintptr_t)at + n) / size * size;
	/* Heap memory is private and anonymous, so this cannot fail but for locked pages. */
	if (end > first && madvise((void *)first, end - first, MADV_DONTNEED) != 0)
		memset((void *)first, 0, end - first);
}
