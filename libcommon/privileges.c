/* Privileges that are given up; see privileges.h. The only file that knows libseccomp. */
#include "libcommon/privileges.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#if defined(__has_feature)
#define HAS_FEATURE(name_) __has_feature(name_)
#else
#define HAS_FEATURE(name_) 0
#endif
/* The leak checker stops the other threads with ptrace, from a process that it clones. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
	HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

#define CALL(name_) SCMP_SYS(name_)

/* What glibc, nng, libpq, hiredis, libcurl, OpenSSL and our own loops use. */
static const int ALLOWED[] = {
	/* descriptors */
	CALL(read), CALL(readv), CALL(pread64), CALL(write), CALL(writev), CALL(pwrite64),
	CALL(close), CALL(lseek), CALL(fcntl), CALL(ioctl), CALL(dup), CALL(dup2), CALL(dup3),
	CALL(pipe2), CALL(eventfd2), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait),
	CALL(epoll_pwait), CALL(poll), CALL(ppoll), CALL(select), CALL(pselect6),
	CALL(timerfd_create), CALL(timerfd_settime), CALL(sendfile),
	/* files; which of them is view.h's business */
	CALL(open), CALL(openat), CALL(stat), CALL(fstat), CALL(lstat), CALL(newfstatat),
	CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(readlink),
	CALL(readlinkat), CALL(getdents64), CALL(getcwd), CALL(unlink), CALL(unlinkat),
	CALL(rename), CALL(renameat), CALL(renameat2), CALL(mkdir), CALL(mkdirat), CALL(rmdir),
	CALL(link), CALL(linkat), CALL(fsync), CALL(fdatasync), CALL(ftruncate), CALL(fallocate),
	CALL(fchmod), CALL(chmod), CALL(umask), CALL(flock), CALL(fstatfs), CALL(statfs),
	CALL(fadvise64), CALL(utimensat),
	/* connections; no bind and no listen: the listeners are open */
	CALL(connect), CALL(accept), CALL(accept4), CALL(shutdown), CALL(sendto), CALL(sendmsg),
	CALL(sendmmsg), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg), CALL(getsockname),
	CALL(getpeername), CALL(getsockopt), CALL(setsockopt), CALL(socketpair),
	/* memory and threads */
	CALL(munmap), CALL(mremap), CALL(brk), CALL(madvise), CALL(mlock), CALL(mlock2),
	CALL(munlock), CALL(membarrier), CALL(futex), CALL(set_robust_list), CALL(rseq),
	CALL(set_tid_address), CALL(sched_yield), CALL(sched_getaffinity), CALL(sched_getparam),
	CALL(sched_getscheduler), CALL(sched_setscheduler), CALL(setpriority), CALL(getpriority),
	CALL(getcpu), CALL(arch_prctl),
	/* time, signals, the process itself */
	CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep),
	CALL(gettimeofday), CALL(time), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(restart_syscall),
	CALL(tgkill), CALL(getrandom), CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid),
	CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getrlimit), CALL(prlimit64),
	CALL(getrusage), CALL(sysinfo), CALL(uname), CALL(prctl), CALL(exit), CALL(exit_group)
};

/* Nobody but an intruder has a use for these in a process of ours. */
static const int HOSTILE[] = { CALL(execve), CALL(execveat), CALL(fork), CALL(vfork), CALL(bpf),
	CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(setns), CALL(unshare),
	CALL(init_module), CALL(finit_module), CALL(kexec_load), CALL(kexec_file_load),
	CALL(process_vm_writev), CALL(userfaultfd), CALL(perf_event_open),
	CALL(open_by_handle_at) };

/* Names, PostgreSQL, Redis, mail and the bus need no other family. */
static const int FAMILIES[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

static void must(int result)
{
	if (result)
		abort();
}

static void rule_each(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must(seccomp_rule_add(filter, action, calls[i], 0));
}

#define RULE_EACH(filter_, action_, calls_)                                                        \
	rule_each((filter_), (action_), (calls_), sizeof(calls_) / sizeof((calls_)[0]))

/* Memory is never writable and executable: what is sent to us cannot become code. */
static void rule_memory(scmp_filter_ctx filter)
{
	const scmp_datum_t both = PROT_WRITE | PROT_EXEC;
	const int calls[] = { CALL(mmap), CALL(mprotect) };
	for (size_t i = 0; i < 2; i++) {
		must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)));
		must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, both, PROT_EXEC)));
	}
}

/* Threads only. The arguments of clone3 lie in memory where no filter can look: glibc goes back to
 * clone when it is told that there is none. */
static void rule_threads(scmp_filter_ctx filter)
{
	must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0));
	must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)));
}

static void rule_sockets(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++)
		must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)FAMILIES[i], 0)));
}

static void rule_sanitizers(scmp_filter_ctx filter)
{
	static const int leak_checker[] = { CALL(ptrace), CALL(wait4), CALL(kill),
		CALL(process_vm_readv), CALL(getdents), CALL(setrlimit) };
	RULE_EACH(filter, SCMP_ACT_ALLOW, leak_checker);
	must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_UNTRACED, CLONE_UNTRACED)));
}

static void filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		abort();
	must(seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1)); /* nng's threads run already */
	must(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2)); /* a tree, not a list */
	RULE_EACH(filter, SCMP_ACT_ALLOW, ALLOWED);
	RULE_EACH(filter, SCMP_ACT_KILL_PROCESS, HOSTILE);
	rule_memory(filter);
	rule_threads(filter);
	rule_sockets(filter);
	if (IS_SANITIZED)
		rule_sanitizers(filter);
	else
		must(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, CALL(ptrace), 0));
	must(seccomp_load(filter));
	seccomp_release(filter);
}

void privileges_drop(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		abort();
	filter_calls();
}
