/*
 * Preloaded into the processes of a test: their wall clock differs from the machine's by as many
 * seconds as the file CLOCK_SHIFT says, which the test changes while they run. What the kernel
 * waits for goes by its own clock.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_s;

/* By system calls: a sanitizer that has these functions may not have begun. */
__attribute__((constructor)) static void open_shift(void)
{
	const char *path = getenv("CLOCK_SHIFT");
	long file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		abort();
	long at = syscall(SYS_mmap, NULL, sizeof(*shift_s), PROT_READ, MAP_SHARED, file, 0L);
	if (at < 0)
		abort();
	syscall(SYS_close, file);
	shift_s = (const volatile int64_t *)at; // NOLINT(performance-no-int-to-ptr)
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	long result = syscall(SYS_clock_gettime, id, out);
	if (!result && shift_s && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		out->tv_sec += *shift_s;
	return (int)result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
