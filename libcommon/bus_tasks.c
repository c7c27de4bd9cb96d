/*
 * Runs nng's tasks where they arise, instead of on nng's own task threads.
 *
 * Inside libnng every completion is a task: some six for each message sent and as many for each one
 * received. libnng hands each to a pool of threads and wakes one for it, so that a request and its
 * reply cost 26 context switches. The pool is called through one function, nni_task_dispatch(),
 * which the linker redirects here (--wrap, meson.build): while a thread of the bus is inside
 * bus_tasks_begin() and bus_tasks_end(), and in libnng's polling thread, a task is kept and run by
 * the same thread as soon as it holds no lock. 26 switches become 5.
 *
 * What makes that sound: libnng's callbacks may run on any thread and at the same time as any
 * other; a callback never waits for another task or for the polling thread (what has to wait, such
 * as freeing a connection, goes to libnng's reaper); a task that is kept counts as busy, so whoever
 * waits for it or frees it waits for us. The last does not hold for a task whose operation was
 * refused because its owner is closing: from there until this thread's next task, all go to the
 * pool, as those do that arise elsewhere.
 *
 * Mended here besides, because these are redirections too: an operation that libnng does not even
 * begin, since its owner is closing, forgets the message that it was given; and a dialer whose peer
 * dies while they greet never dials again.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include "libcommon/bus_impl.h"

#define KEPT_MAX 64 /* a message makes six; what does not fit goes to the pool */
#define LATER_MAX 16 /* instances that one thread sends to in one gathering */
#define RUN_MAX 512 /* at once: one busy link must not hold up all others */

struct nni_task;
struct nni_aio;
typedef void nni_cancel(struct nni_aio *, void *, int);

void nni_task_exec(struct nni_task *task);
void __real_nni_task_dispatch(struct nni_task *task);
void __wrap_nni_task_dispatch(struct nni_task *task);
int __real_nni_aio_begin(struct nni_aio *aio);
int __wrap_nni_aio_begin(struct nni_aio *aio);
int __real_nni_aio_schedule(struct nni_aio *aio, nni_cancel *cancel, void *data);
int __wrap_nni_aio_schedule(struct nni_aio *aio, nni_cancel *cancel, void *data);
int __real_epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms);
int __wrap_nni_plat_ncpu(void);
int __real_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __real_nni_plat_errno(int error);
int __wrap_nni_plat_errno(int error);

static _Thread_local struct {
	struct nni_task *kept[KEPT_MAX];
	unsigned first, end; /* a ring */
	struct {
		void (*fn)(void *);
		void *arg;
	} later[LATER_MAX];
	unsigned later_n;
	unsigned depth; /* of bus_tasks_begin() */
	bool has_refused; /* since the last task: the next ones may belong to what was refused */
} here;

/* How many threads the pool has: two for each processor. It has little left to do. */
int __wrap_nni_plat_ncpu(void)
{
	return 1;
}

/* libnng calls a broken pipe NNG_ECLOSED, which its dialer takes for its own end. */
int __wrap_nni_plat_errno(int error)
{
	return __real_nni_plat_errno(error == EPIPE ? ECONNRESET : error);
}

int __wrap_nni_aio_schedule(struct nni_aio *aio, nni_cancel *cancel, void *data)
{
	int result = __real_nni_aio_schedule(aio, cancel, data);
	if (result)
		here.has_refused = true;
	return result;
}

/* Refused: nobody is called back, and the message is nobody's. It holds none but to send one, for
 * whoever receives takes the message out (message_take()). */
int __wrap_nni_aio_begin(struct nni_aio *aio)
{
	int result = __real_nni_aio_begin(aio);
	nng_msg *message = result ? nng_aio_get_msg((nng_aio *)aio) : NULL;
	if (message) {
		nng_aio_set_msg((nng_aio *)aio, NULL);
		nng_msg_free(message);
	}
	return result;
}

void __wrap_nni_task_dispatch(struct nni_task *task)
{
	if (!here.depth || here.has_refused || here.end - here.first == KEPT_MAX) {
		__real_nni_task_dispatch(task);
		return;
	}
	here.kept[here.end++ % KEPT_MAX] = task;
}

static struct nni_task *take_task(void)
{
	here.has_refused = false;
	return here.kept[here.first++ % KEPT_MAX];
}

static void run_later(void)
{
	here.later_n--;
	here.later[here.later_n].fn(here.later[here.later_n].arg);
}

/* What there is to do, at most so many tasks of it. True: some are left. */
static bool run_kept(void)
{
	for (unsigned n = 0; n < RUN_MAX && (here.first != here.end || here.later_n); n++) {
		if (here.first != here.end)
			nni_task_exec(take_task());
		else
			run_later();
	}
	while (here.later_n)
		run_later();
	here.has_refused = false;
	return here.first != here.end;
}

void bus_tasks_begin(void)
{
	here.depth++;
}

void bus_tasks_end(void)
{
	if (here.depth == 1 && run_kept()) {
		while (here.first != here.end)
			__real_nni_task_dispatch(take_task());
	}
	here.depth--;
}

bool bus_tasks_later(void (*fn)(void *), void *arg, unsigned *kept)
{
	if (here.depth < 2)
		return false;
	for (unsigned i = 0; i < here.later_n; i++) {
		if (here.later[i].arg == arg)
			return true;
	}
	if (here.later_n == LATER_MAX)
		return false;
	here.later[here.later_n].fn = fn;
	here.later[here.later_n++].arg = arg;
	++*kept;
	return true;
}

/* libnng's polling thread, named before it runs. */
static struct {
	pthread_t thread;
	bool is_known;
} polling;

/* The name itself would not do: the kernel is told of another thread's by a file in /proc, which a
 * fenced process (view.h) does not see. */
int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
	if (strcmp(name, "nng:poll:epoll") == 0) {
		polling.thread = thread;
		polling.is_known = true;
	}
	return __real_pthread_setname_np(thread, name);
}

static bool is_polling_thread(void)
{
	return polling.is_known && pthread_equal(pthread_self(), polling.thread);
}

/* Called by everybody who polls; only libnng's thread, between two rounds and without locks, has
 * anything to do here. What it leaves it does after a look at the other links, rather than leave it
 * to the pool: on a busy link one message follows the other, and with the first one all of them
 * would go there, each with its switches. */
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms)
{
	static _Thread_local bool is_known, is_polling;
	if (!is_known) {
		is_known = true;
		is_polling = is_polling_thread();
		here.depth += is_polling ? 2 : 0; /* always inside, and never the outermost */
	}
	if (is_polling && run_kept())
		timeout_ms = 0;
	return __real_epoll_wait(fd, events, n, timeout_ms);
}
