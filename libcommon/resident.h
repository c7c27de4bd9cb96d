/* Memory that is allocated but will not be touched for long costs nothing once its pages are given
 * back. */
#ifndef MANABIYA_RESIDENT_H
#define MANABIYA_RESIDENT_H

#include <stddef.h>

/* Give back the whole pages within `n` bytes of heap memory. They stay allocated and read as zero
 * from now on; what lies on the first and last page beside them stays as it is. */
void resident_release(void *at, size_t n);

/* The opposite, for the whole process: what is freed stays with it, up to 4 MiB for each of
 * malloc's heaps (threads share a few). Left alone, glibc gives the end of a heap back as soon as a
 * buffer of 128 KiB is free there, and each request that needs one pays for its pages anew. Called
 * once, before the first thread. */
void resident_keep(void);

#endif
