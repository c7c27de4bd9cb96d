/* Memory that is allocated but will not be touched for long costs nothing once its pages are given
 * back. */
#ifndef MANABIYA_RESIDENT_H
#define MANABIYA_RESIDENT_H

#include <stddef.h>

/* Give back the whole pages within `n` bytes of heap memory. They stay allocated and read as zero
 * from now on; what lies on the first and last page beside them stays as it is. */
void resident_release(void *at, size_t n);

#endif
