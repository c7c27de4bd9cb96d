/*
 * The gateway's one event loop (epoll): descriptors, timers, and work posted by other threads.
 *
 * Everything but loop_post() and loop_stop() belongs to the loop's own thread. Callbacks must not
 * block.
 */
#ifndef MANABIYA_GATEWAY_LOOP_H
#define MANABIYA_GATEWAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop(), which also ends a run begun later, once */
void loop_stop(struct loop *loop); /* any thread, or a signal handler */

/* Call `begin` before the callbacks of every round and `end` after them; once, before loop_run().
 */
void loop_each_round(struct loop *loop, void (*begin)(void), void (*end)(void));

enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_HANGUP = 4, /* without reading: the peer closed its side, told as LOOP_READ */
};
typedef void loop_on_ready(void *arg, unsigned events);
void loop_add(struct loop *loop, int fd, unsigned events, loop_on_ready *fn, void *arg);
void loop_change(struct loop *loop, int fd, unsigned events);
void loop_remove(struct loop *loop, int fd);

/* Once, after `after_ms`. The timer frees itself when it has fired; loop_cancel(NULL) is allowed.
 */
typedef void loop_on_time(void *arg);
struct timer *loop_after(struct loop *loop, int64_t after_ms, loop_on_time *fn, void *arg);
void loop_cancel(struct loop *loop, struct timer *timer);

/* Run fn(arg) on the loop's thread soon. Any thread. What comes when the loop has ended is dropped:
 * loop_free() calls drop(arg) instead; NULL: nothing to do. */
void loop_post(struct loop *loop, loop_on_time *fn, loop_on_time *drop, void *arg);

/* The same from the loop's own thread, without a lock or memory: runs when the callbacks of this
 * round are through. Queued at most once; must not be freed while queued. */
struct loop_task {
	loop_on_time *fn;
	void *arg;
	struct loop_task *next;
	bool is_queued;
};
void loop_defer(struct loop *loop, struct loop_task *task);

#endif
