/* The usual way: collect the body, ask one service, pass its answer on. */
#include <string.h>

#include "services/gateway/ask.h"
#include "services/gateway/call.h"

/* What must live until the answer, because ask.c may send it again. */
struct forward {
	struct buf body;
	struct bus_request request;
};

static struct forward *state_of(struct visit *v)
{
	if (!v->state) {
		struct forward *forward = arena_alloc(v->arena, sizeof *forward);
		forward->body.arena = v->arena;
		v->state = forward;
	}
	return v->state;
}

/* The protocol side has counted: no more than the route's body_max comes here. */
static void forward_body(struct visit *v, const void *data, size_t n)
{
	buf_add(&state_of(v)->body, data, n);
}

static void on_answer(void *arg, const struct bus_reply *reply)
{
	struct visit *v = arg;
	v->ask = NULL;
	call_label(v, reply);
	call_answer(v, reply);
}

static void forward_end(struct visit *v)
{
	struct forward *forward = state_of(v);
	forward->request = call_request(v);
	forward->request.body =
		(struct bytes){ .data = (unsigned char *)forward->body.data, .n = forward->body.n };
	forward->request.flags |= FRAME_LAST_WINDOW;
	if (!forward->body.n) {
		forward->request.content_type = "";
	}
	struct ask_terms terms = { .may_retry = call_may_retry(v), .exchange = v->exchange };
	v->ask = ask_send(&forward->request, terms, on_answer, v);
}

static void forward_start(struct visit *v)
{
	if (v->ended) {
		forward_end(v);
	}
}

const struct way forward_way = {
	.label = "forward", .start = forward_start, .body = forward_body, .end = forward_end
};
