/* The witness as the protocol side of the gateway sees it (services/gateway/exchange.h): one thing
 * that can be asked. */
#include <string.h>

#include "libcommon/buf.h"
#include "services/gateway/exchange.h"
#include "witness/witness.h"

struct visit {
	struct exchange *exchange;
	struct buf body;
};

static void answer(struct exchange *exchange, const struct answer *answer)
{
	const struct header headers[] = { { "content-type", answer->content_type } };
	exchange_reply(exchange, answer->status, headers, 1, (int64_t)strlen(answer->body));
	exchange_write(exchange, answer->body, strlen(answer->body));
	exchange_finish(exchange);
}

static void on_body(void *arg, const void *data, size_t n)
{
	struct visit *visit = arg;
	buf_add(&visit->body, data, n);
}

static void on_end(void *arg)
{
	struct visit *visit = arg;
	const struct answer said = add_checkpoint(exchange_arena(visit->exchange),
		visit->body.data ? visit->body.data : "", visit->body.n);
	answer(visit->exchange, &said);
}

void app_begin(struct exchange *exchange)
{
	static const struct exchange_events events = { .on_body = on_body, .on_end = on_end };
	static const struct answer nothing = { 404, "text/plain; charset=utf-8", "nothing here\n" },
				   not_so = { 405, "text/plain; charset=utf-8", "POST only\n" };
	const struct request *request = exchange_request(exchange);
	if (strcmp(request->path, "/add-checkpoint") != 0) {
		answer(exchange, &nothing);
		return;
	}
	if (strcmp(request->method, "POST") != 0) {
		answer(exchange, &not_so);
		return;
	}
	struct visit *visit = arena_alloc(exchange_arena(exchange), sizeof(*visit));
	visit->exchange = exchange;
	visit->body.arena = exchange_arena(exchange);
	exchange_body_limit(exchange, REQUEST_SIZE_MAX);
	exchange_listen(exchange, &events, visit);
}
