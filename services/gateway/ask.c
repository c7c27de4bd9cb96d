/*
 * Between the bus and the loop: the bus answers on threads of its own, and everything in the
 * gateway belongs to the loop's thread, so a reply is copied once and posted.
 */
#include "services/gateway/ask.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "services/gateway/gateway.h"
#include "services/gateway/load.h"

struct ask {
	ask_on_answer *fn; /* NULL: cancelled */
	void *arg;
	const struct bus_request *again; /* NULL: not to be sent again */
	int64_t began_ms;
	struct bus_ticket ticket;
};

/* One reply on its way to the loop, its bytes behind it. */
struct posted {
	struct ask *ask;
	void *arg;
	struct bus_reply reply;
	unsigned char bytes[];
};

static void *checked(void *memory)
{
	if (!memory) {
		abort();
	}
	return memory;
}

static struct bytes put(unsigned char **at, struct bytes bytes)
{
	if (bytes.n) {
		memcpy(*at, bytes.data, bytes.n);
	}
	struct bytes copy = { .data = *at, .n = bytes.n };
	*at += bytes.n;
	return copy;
}

static struct posted *copy_reply(const struct bus_reply *reply)
{
	size_t n = reply->headers.n + reply->content_type.n + reply->body.n;
	struct posted *posted = checked(malloc(sizeof *posted + n));
	*posted = (struct posted){ .reply = *reply };
	unsigned char *at = posted->bytes;
	posted->reply.headers = put(&at, reply->headers);
	posted->reply.content_type = put(&at, reply->content_type);
	posted->reply.body = put(&at, reply->body);
	return posted;
}

static void on_reply(void *arg, const struct bus_reply *reply);

/* Once more, for the time that the first try has left; false when there is no reason or no time. */
static bool send_again(struct ask *ask, const struct bus_reply *reply)
{
	bool certainly_not_executed = reply->err == ERR_UNAVAILABLE && !reply->executed;
	if (!ask->fn || !ask->again || !certainly_not_executed) {
		return false;
	}
	struct bus_request request = *ask->again;
	request.timeout_ms -= clock_steady_ms() - ask->began_ms;
	if (request.timeout_ms <= 0) {
		return false;
	}
	ask->again = NULL;
	ask->ticket = bus_send(gateway.bus, &request, on_reply, ask);
	return true;
}

/* On the loop's thread. */
static void deliver(void *arg)
{
	struct posted *posted = arg;
	struct ask *ask = posted->ask;
	if (!send_again(ask, &posted->reply)) {
		load_wait_ends();
		if (ask->fn) {
			ask->fn(ask->arg, &posted->reply);
		}
		free(ask);
	}
	free(posted);
}

/* On a thread of the bus, or inside bus_send(). */
static void on_reply(void *arg, const struct bus_reply *reply)
{
	struct posted *posted = copy_reply(reply);
	posted->ask = arg;
	loop_post(gateway.loop, deliver, NULL, posted);
}

struct ask *ask_send(
	const struct bus_request *request, bool may_retry, ask_on_answer *fn, void *arg)
{
	struct ask *ask = checked(malloc(sizeof *ask));
	*ask = (struct ask){ .fn = fn,
		.arg = arg,
		.again = may_retry ? request : NULL,
		.began_ms = clock_steady_ms() };
	load_wait_begins();
	ask->ticket = bus_send(gateway.bus, request, on_reply, ask);
	return ask;
}

void ask_cancel(struct ask *ask)
{
	if (!ask) {
		return;
	}
	if (bus_cancel(ask->ticket)) {
		load_wait_ends();
		free(ask);
		return;
	}
	/* Its answer is on its way to the loop. */
	ask->fn = NULL;
	ask->again = NULL;
}

/* ---- every instance ---- */

struct each {
	ask_on_answer *fn;
	void *arg;
	unsigned waiting; /* set once bus_send_each() has returned; counts on the loop's thread */
};

static void deliver_each(void *arg)
{
	struct posted *posted = arg;
	struct each *each = posted->arg;
	each->fn(each->arg, &posted->reply);
	if (--each->waiting == 0) {
		free(each);
	}
	free(posted);
}

static void on_reply_each(void *arg, const struct bus_reply *reply)
{
	struct posted *posted = copy_reply(reply);
	posted->arg = arg;
	loop_post(gateway.loop, deliver_each, NULL, posted);
}

unsigned ask_each(const struct bus_request *request, ask_on_answer *fn, void *arg)
{
	struct each *each = checked(malloc(sizeof *each));
	*each = (struct each){ .fn = fn, .arg = arg };
	/* Answers are delivered by the loop, so none can come before this returns. */
	each->waiting = bus_send_each(gateway.bus, request, on_reply_each, each);
	unsigned n = each->waiting;
	if (n == 0) {
		free(each);
	}
	return n;
}
