/*
 * The event loop: epoll for descriptors, a binary heap of timers, an eventfd for other threads.
 *
 * Level-triggered, so that a callback may stop half way and be called again. Callbacks run one
 * after the other; loop_defer() is for work that must not run inside somebody else's callback.
 */
#include "services/gateway/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libcommon/clock.h"

enum {
	EVENTS_PER_ROUND = 128, /* taken from the kernel at once: enough to batch, few enough that
				   timers and posted work are not held up */
};

struct timer {
	int64_t due_ms;
	size_t place; /* in the heap */
	loop_on_time *fn;
	void *arg;
};

/* What is registered for one descriptor. `turn` tells a reused number from the one before. */
struct watch {
	loop_on_ready *fn;
	void *arg;
	uint32_t turn;
};

struct posted {
	loop_on_time *fn, *drop;
	void *arg;
	struct posted *next;
};

struct loop {
	int epoll_fd, wake_fd;
	struct watch *watches; /* by descriptor */
	size_t watches_n;
	struct timer **heap;
	size_t heap_n, heap_capacity;
	struct loop_task *deferred, **deferred_end;
	void (*begin_round)(void), (*end_round)(void);
	atomic_bool is_stopping;
	pthread_mutex_t lock; /* guards posted, the only thing that other threads change */
	struct posted *posted, **posted_end;
};

static void *sure(void *memory)
{
	if (!memory)
		abort(); /* out of memory is never handled by callers */
	return memory;
}

static void wake(struct loop *loop)
{
	/* Fails only when the counter is full, and then the loop is awake anyway. */
	ssize_t n = write(loop->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	(void)n;
}

static void on_wake(void *arg, unsigned events)
{
	struct loop *loop = arg;
	uint64_t count;
	ssize_t n = read(loop->wake_fd, &count, sizeof count);
	(void)n; /* EAGAIN: somebody stopped the loop from a signal handler twice */
}

static void do_nothing(void)
{
}

struct loop *loop_new(void)
{
	struct loop *loop = sure(calloc(1, sizeof *loop));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 || pthread_mutex_init(&loop->lock, NULL) != 0)
		abort(); /* no descriptors at start: nothing can run */
	loop->posted_end = &loop->posted;
	loop->deferred_end = &loop->deferred;
	loop->begin_round = loop->end_round = do_nothing;
	loop_add(loop, loop->wake_fd, LOOP_READ, on_wake, loop);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (struct posted *post = loop->posted, *next; post; post = next) {
		next = post->next;
		if (post->drop)
			post->drop(post->arg);
		free(post);
	}
	for (size_t i = 0; i < loop->heap_n; i++)
		free(loop->heap[i]);
	free(loop->heap);
	free(loop->watches);
	close(loop->wake_fd);
	close(loop->epoll_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void loop_each_round(struct loop *loop, void (*begin)(void), void (*end)(void))
{
	loop->begin_round = begin;
	loop->end_round = end;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->is_stopping, true);
	wake(loop);
}

/* ---- descriptors ---- */

static void control(struct loop *loop, int operation, int fd, unsigned events)
{
	struct epoll_event event = {
		.events = ((events & LOOP_READ) ? EPOLLIN : 0u) |
			((events & LOOP_WRITE) ? EPOLLOUT : 0u) |
			((events & LOOP_HANGUP) ? EPOLLRDHUP : 0u),
		.data.u64 = (uint64_t)loop->watches[fd].turn << 32 | (uint32_t)fd,
	};
	if (epoll_ctl(loop->epoll_fd, operation, fd, &event) != 0)
		abort(); /* a descriptor that is not open or not known: a bug, or no memory */
}

void loop_add(struct loop *loop, int fd, unsigned events, loop_on_ready *fn, void *arg)
{
	size_t at = (size_t)fd;
	if (at >= loop->watches_n) {
		size_t n = at * 2 + 64;
		loop->watches = sure(reallocarray(loop->watches, n, sizeof *loop->watches));
		for (size_t i = loop->watches_n; i < n; i++)
			loop->watches[i] = (struct watch){ 0 };
		loop->watches_n = n;
	}
	struct watch *watch = &loop->watches[at];
	*watch = (struct watch){ .fn = fn, .arg = arg, .turn = watch->turn + 1 };
	control(loop, EPOLL_CTL_ADD, fd, events);
}

void loop_change(struct loop *loop, int fd, unsigned events)
{
	control(loop, EPOLL_CTL_MOD, fd, events);
}

void loop_remove(struct loop *loop, int fd)
{
	control(loop, EPOLL_CTL_DEL, fd, 0);
	loop->watches[fd].fn = NULL;
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
	struct watch *watch = &loop->watches[(uint32_t)event->data.u64];
	if (!watch->fn || watch->turn != (uint32_t)(event->data.u64 >> 32))
		return; /* removed by a callback of the same round */
	unsigned ready = 0;
	if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		ready |= LOOP_READ; /* the read tells what is wrong */
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		ready |= LOOP_WRITE;
	watch->fn(watch->arg, ready);
}

/* ---- timers ---- */

static void place(struct loop *loop, struct timer *timer, size_t at)
{
	loop->heap[at] = timer;
	timer->place = at;
}

static void sift_up(struct loop *loop, struct timer *timer, size_t at)
{
	while (at > 0 && loop->heap[(at - 1) / 2]->due_ms > timer->due_ms) {
		place(loop, loop->heap[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	place(loop, timer, at);
}

static void sift_down(struct loop *loop, struct timer *timer, size_t at)
{
	for (;;) {
		size_t child = at * 2 + 1;
		if (child + 1 < loop->heap_n &&
			loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
			child++;
		if (child >= loop->heap_n || loop->heap[child]->due_ms >= timer->due_ms)
			break;
		place(loop, loop->heap[child], at);
		at = child;
	}
	place(loop, timer, at);
}

struct timer *loop_after(struct loop *loop, int64_t after_ms, loop_on_time *fn, void *arg)
{
	struct timer *timer = sure(malloc(sizeof *timer));
	*timer = (struct timer){ .due_ms = clock_steady_ms() + after_ms, .fn = fn, .arg = arg };
	if (loop->heap_n == loop->heap_capacity) {
		loop->heap_capacity = loop->heap_capacity * 2 + 64;
		loop->heap =
			sure(reallocarray(loop->heap, loop->heap_capacity, sizeof *loop->heap));
	}
	sift_up(loop, timer, loop->heap_n++);
	return timer;
}

void loop_cancel(struct loop *loop, struct timer *timer)
{
	if (!timer)
		return;
	size_t at = timer->place;
	struct timer *last = loop->heap[--loop->heap_n];
	if (last != timer) {
		if (last->due_ms < timer->due_ms)
			sift_up(loop, last, at);
		else
			sift_down(loop, last, at);
	}
	free(timer);
}

static void run_timers(struct loop *loop)
{
	int64_t now = clock_steady_ms();
	// The analyzer does not see that loop_cancel() moved the heap.
	while (loop->heap_n && loop->heap[0]->due_ms <= now) { // NOLINT(*-unix.Malloc)
		struct timer due = *loop->heap[0];
		loop_cancel(loop, loop->heap[0]);
		due.fn(due.arg);
	}
}

static int until_next_timer(const struct loop *loop)
{
	if (!loop->heap_n)
		return -1;
	int64_t left = loop->heap[0]->due_ms - clock_steady_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* ---- work from elsewhere ---- */

void loop_post(struct loop *loop, loop_on_time *fn, loop_on_time *drop, void *arg)
{
	struct posted *post = sure(malloc(sizeof *post));
	*post = (struct posted){ .fn = fn, .drop = drop, .arg = arg };
	pthread_mutex_lock(&loop->lock);
	bool was_empty = !loop->posted;
	*loop->posted_end = post;
	loop->posted_end = &post->next;
	pthread_mutex_unlock(&loop->lock);
	if (was_empty)
		wake(loop);
}

static void run_posted(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct posted *post = loop->posted;
	loop->posted = NULL;
	loop->posted_end = &loop->posted;
	pthread_mutex_unlock(&loop->lock);
	while (post) {
		struct posted *next = post->next;
		post->fn(post->arg);
		free(post);
		post = next;
	}
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	if (task->is_queued)
		return;
	task->is_queued = true;
	task->next = NULL;
	*loop->deferred_end = task;
	loop->deferred_end = &task->next;
}

static void run_deferred(struct loop *loop)
{
	while (loop->deferred) {
		struct loop_task *task = loop->deferred;
		loop->deferred = task->next;
		if (!loop->deferred)
			loop->deferred_end = &loop->deferred;
		task->is_queued = false;
		task->fn(task->arg); /* may free the task */
	}
}

void loop_run(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	while (!atomic_exchange(&loop->is_stopping, false)) {
		int timeout = loop->deferred ? 0 : until_next_timer(loop);
		int n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND, timeout);
		if (n < 0 && errno != EINTR)
			abort(); /* EBADF or EFAULT: memory is broken */
		loop->begin_round();
		for (int i = 0; i < n; i++)
			dispatch(loop, &events[i]);
		run_posted(loop);
		run_timers(loop);
		run_deferred(loop);
		loop->end_round();
	}
}
