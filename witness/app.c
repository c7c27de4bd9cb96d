/* The witness as the protocol side of the gateway sees it (services/gateway/exchange.h): one thing
 * that can be asked, and whether it is alive. */
#include <string.h>

#include "libcommon/buf.h"
#include "services/gateway/exchange.h"
#include "witness/witness.h"

static const char PLAIN[] = "text/plain; charset=utf-8";

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

static void begin_add_checkpoint(struct exchange *exchange)
{
	static const struct exchange_events events = { .on_body = on_body, .on_end = on_end };
	struct visit *visit = arena_alloc(exchange_arena(exchange), sizeof(*visit));
	visit->exchange = exchange;
	visit->body.arena = exchange_arena(exchange);
	exchange_body_limit(exchange, REQUEST_SIZE_MAX);
	exchange_listen(exchange, &events, visit);
}

static void begin_livez(struct exchange *exchange)
{
	answer(exchange, &(struct answer){ 200, PLAIN, "alive\n" });
}

void app_begin(struct exchange *exchange)
{
	static const struct {
		const char *path, *method;
		void (*begin)(struct exchange *exchange);
	} known[] = {
		{ "/add-checkpoint", "POST", begin_add_checkpoint },
		{ "/livez", "GET", begin_livez },
	};
	const struct request *request = exchange_request(exchange);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(request->path, known[i].path) != 0)
			continue;
		if (strcmp(request->method, known[i].method) == 0)
			known[i].begin(exchange);
		else
			answer(exchange, &(struct answer){ 405, PLAIN, "not so\n" });
		return;
	}
	answer(exchange, &(struct answer){ 404, PLAIN, "nothing here\n" });
}
