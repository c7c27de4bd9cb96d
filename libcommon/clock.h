/* Time, in one place so that tests can set it. Nothing else calls clock_gettime(2). */
#ifndef MANABIYA_CLOCK_H
#define MANABIYA_CLOCK_H

#include <stdint.h>

#include "libcommon/arena.h"

int64_t clock_unix_ms(void); /* wall clock, UTC, plus the test offset */
int64_t clock_steady_ms(void); /* never goes back; for deadlines and intervals */
int64_t clock_steady_us(void);

/* Move the wall clock of this process; tests only. */
void clock_shift_ms(int64_t offset_ms);

#define TIMESTAMP_SIZE 25 /* 2026-04-08T00:30:00.000Z and the NUL */
void clock_format(int64_t unix_ms, char out[TIMESTAMP_SIZE]);
const char *clock_now_text(struct arena *arena);

#endif
