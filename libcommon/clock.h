/* Time, in one place so that tests can set it. */
#ifndef MANABIYA_CLOCK_H
#define MANABIYA_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "libcommon/arena.h"

int64_t clock_unix_ms(void); /* wall clock, UTC, plus the test offset */
int64_t clock_steady_ms(void); /* never goes back; for deadlines and intervals */
int64_t clock_steady_us(void);

/* When so much time will have passed, for pthread_cond_clockwait() by CLOCK_MONOTONIC: who waits by
 * the wall clock waits for hours when it is set back. */
struct timespec clock_steady_in(int64_t ms);

/* Move the wall clock of this process; tests only. */
void clock_shift_ms(int64_t offset_ms);

#define TIMESTAMP_SIZE 25 /* 2026-04-08T00:30:00.000Z and the NUL */
void clock_format(int64_t unix_ms, char out[TIMESTAMP_SIZE]);
const char *clock_now_text(struct arena *arena);

#endif
