/* What the kernel's clocks say; see clock.h. */
#include "libcommon/clock.h"

#include <stdatomic.h>

static _Atomic int64_t shift_ms;

static int64_t now_us(clockid_t id)
{
	struct timespec now;
	/* Neither clock can fail with these arguments. */
	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_unix_ms(void)
{
	return now_us(CLOCK_REALTIME) / 1000 + atomic_load(&shift_ms);
}

int64_t clock_steady_ms(void)
{
	return now_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_steady_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

struct timespec clock_steady_in(int64_t ms)
{
	int64_t us = clock_steady_us() + ms * 1000;
	return (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
}

void clock_shift_ms(int64_t offset_ms)
{
	atomic_fetch_add(&shift_ms, offset_ms);
}

/* `width` decimal digits of a value that is not negative; higher digits are lost. */
static void digits(char *out, int width, int64_t value)
{
	while (width-- > 0) {
		out[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

void clock_format(int64_t unix_ms, char out[TIMESTAMP_SIZE])
{
	static const char pattern[TIMESTAMP_SIZE] = "0000-00-00T00:00:00.000Z";
	/* Times before 1970 are a mistake of ours; they read as 1970. */
	int64_t ms = unix_ms < 0 ? 0 : unix_ms;
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	(void)gmtime_r(&seconds, &tm);
	for (int i = 0; i < TIMESTAMP_SIZE; i++)
		out[i] = pattern[i];
	digits(out, 4, tm.tm_year + 1900);
	digits(out + 5, 2, tm.tm_mon + 1);
	digits(out + 8, 2, tm.tm_mday);
	digits(out + 11, 2, tm.tm_hour);
	digits(out + 14, 2, tm.tm_min);
	digits(out + 17, 2, tm.tm_sec);
	digits(out + 20, 3, ms % 1000);
}

const char *clock_now_text(struct arena *arena)
{
	char *out = arena_alloc(arena, TIMESTAMP_SIZE);
	clock_format(clock_unix_ms(), out);
	return out;
}
