/* Facts about jobs: that they run at their intervals, whatever happens to the wall clock. */
#include "libcommon/worker.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/testing.h"

#define AN_HOUR_S 3600
#define WAIT_MS 20000 /* for what must come; a busy machine may need it */

static atomic_int runs;

/* In this program the wall clock is an hour ahead of the kernel's, which is what waiting goes by:
 * as for somebody who has looked at it before it was set back. */
int clock_gettime(clockid_t id, struct timespec *out)
{
	long result = syscall(SYS_clock_gettime, id, out);
	if (id == CLOCK_REALTIME)
		out->tv_sec += AN_HOUR_S;
	return (int)result;
}

static enum err count(struct call *c, bool *more)
{
	runs++;
	return OK;
}

static void a_clock_that_is_set_back_holds_up_no_job(void **state)
{
	static const struct service learning = { .name = "learning" };
	static const struct job job = { .name = "count", .every_ms = 10, .run = count };
	const struct process process = {
		.service = &learning, .database = "", .cache = "", .cache_password = ""
	};
	pthread_t thread;
	assert_int_equal(job_start(&process, &job, &thread), OK);
	for (int i = 0; i < WAIT_MS && runs < 3; i++)
		usleep(1000);
	jobs_stop();
	pthread_join(thread, NULL);
	assert_true(runs >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_is_set_back_holds_up_no_job),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
