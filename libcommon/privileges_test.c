/* What a process can still do after it gave its privileges up: each attempt in a child. */
#include "libcommon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcommon/cmocka_call.h"

/* An attempt answers 0, or the errno with which it was refused. */
typedef int attempt(void);

/* How the child ended: its exit status, or minus the signal. */
static int after_drop(attempt *try)
{
	pid_t child = fork();
	if (child == 0) {
		privileges_drop();
		_exit(try());
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int error_of(long result)
{
	return result < 0 ? errno : 0;
}

static int run_a_program(void)
{
	return error_of(execl("/bin/true", "true", (char *)NULL));
}

static int load_bpf(void)
{
	return error_of(syscall(SYS_bpf, 0, NULL, 0));
}

static int make_a_process(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	return error_of(child);
}

static int open_a_listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? errno : error_of(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int open_a_raw_socket(void)
{
	return error_of(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int map_writable_code(void)
{
	void *map = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return map == MAP_FAILED ? errno : 0;
}

static int make_memory_executable(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return map == MAP_FAILED
		? ENOMEM
		: error_of(mprotect(map, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
}

static int change_the_owner(void)
{
	return error_of(chown("/tmp", 0, 0));
}

static void *nothing(void *arg)
{
	return arg;
}

static int start_a_thread(void)
{
	pthread_t thread;
	int result = pthread_create(&thread, NULL, nothing, NULL);
	return result ? result : pthread_join(thread, NULL);
}

static int connect_somewhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(9), /* discard: nobody has to be there */
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = error_of(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return error == ECONNREFUSED ? 0 : error;
}

static void what_a_service_needs_goes_on(void **state)
{
	assert_int_equal(after_drop(start_a_thread), 0);
	assert_int_equal(after_drop(connect_somewhere), 0);
}

static void what_it_does_not_need_is_refused(void **state)
{
	assert_int_equal(after_drop(make_a_process), EPERM);
	assert_int_equal(after_drop(open_a_listener), EPERM);
	assert_int_equal(after_drop(open_a_raw_socket), EPERM);
	assert_int_equal(after_drop(map_writable_code), EPERM);
	assert_int_equal(after_drop(make_memory_executable), EPERM);
	assert_int_equal(after_drop(change_the_owner), EPERM);
}

static void what_only_an_intruder_wants_ends_the_process(void **state)
{
	assert_int_equal(after_drop(run_a_program), -SIGSYS);
	assert_int_equal(after_drop(load_bpf), -SIGSYS);
}

/* ---- a thread that ran before ---- */

static int pipe_ends[2];

static void *run_when_told(void *arg)
{
	char byte;
	if (read(pipe_ends[0], &byte, 1) != 1)
		return NULL;
	*(int *)arg = open_a_listener();
	return NULL;
}

static int error_in_an_older_thread(void)
{
	pthread_t thread;
	int error = 0;
	if (pipe2(pipe_ends, O_CLOEXEC) || pthread_create(&thread, NULL, run_when_told, &error))
		return 1;
	privileges_drop();
	if (write(pipe_ends[1], "x", 1) != 1)
		return 1;
	pthread_join(thread, NULL);
	return error;
}

static void threads_that_ran_before_are_bound_too(void **state)
{
	pid_t child = fork();
	if (child == 0)
		_exit(error_in_an_older_thread());
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

static int dumpable(void)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static void no_core_is_made_of_it(void **state)
{
	assert_int_equal(after_drop(dumpable), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_service_needs_goes_on),
		cmocka_unit_test(what_it_does_not_need_is_refused),
		cmocka_unit_test(what_only_an_intruder_wants_ends_the_process),
		cmocka_unit_test(threads_that_ran_before_are_bound_too),
		cmocka_unit_test(no_core_is_made_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
