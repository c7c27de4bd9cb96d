/*
 * HTTP/2 from the first byte to the application and back, without a socket (null_transport.c): what
 * http2.c does with whatever nghttp2 makes of the bytes. The first byte says how the rest is cut
 * into reads. Every exchange must end exactly once, and the replies' bytes must add up.
 */
#include <assert.h>
#include <string.h>

#include "services/gateway/connection.h"

static unsigned begun, gone;

static void on_body(void *arg, const void *data, size_t n)
{
	assert(n > 0 && n <= READ_SIZE);
	if (!exchange_write(arg, data, n) || ((const char *)data)[0] == 'p')
		exchange_pause(arg);
}

static void on_drain(void *arg)
{
	exchange_resume(arg);
}

static void on_end(void *arg)
{
	exchange_finish(arg);
}

static void on_gone(void *arg)
{
	gone++;
}

/* An echo, with a path for each other way to end. */
void app_begin(struct exchange *exchange)
{
	const struct request *request = exchange_request(exchange);
	begun++;
	assert(request->path[0] == '/' && request->authority && request->content_length >= -1);
	for (size_t i = 0; i < request->headers_n; i++)
		assert(request->headers[i].name && request->headers[i].value);
	exchange_listen(exchange,
		&(struct exchange_events){ .on_body = on_body,
			.on_end = on_end,
			.on_drain = on_drain,
			.on_gone = on_gone },
		exchange);
	exchange_body_limit(exchange, 1 << 16);
	if (request->path[1] == 'w')
		return; /* never answers */
	exchange_reply(exchange, 200, NULL, 0, request->path[1] == 'l' ? 5 : -1);
	exchange_write(exchange, "hello", 5);
	if (request->path[1] == 'a')
		exchange_abort(exchange);
	if (request->path[1] == 'f')
		exchange_finish(exchange);
}

static void resume_all(struct connection *c)
{
	for (struct exchange *at = c->exchanges; at; at = at->next)
		exchange_resume(at);
}

static void pump(struct connection *c)
{
	while (c->state == CONNECTION_OPEN && http2_protocol.pump(c))
		queue_free(&c->out);
	queue_free(&c->out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct connection c = {
		.state = CONNECTION_OPEN, .protocol = &http2_protocol, .source = "192.0.2.1"
	};
	size_t step = n && data[0] ? data[0] : READ_SIZE;
	begun = gone = 0;
	c.session = http2_protocol.open(&c);
	for (size_t at = 1; at < n && c.state == CONNECTION_OPEN; at += step) {
		size_t piece = n - at < step ? n - at : step;
		assert(http2_protocol.input(&c, (const char *)data + at, piece) == piece);
		pump(&c);
		if (at % 3 == 0)
			resume_all(&c);
	}
	while (c.exchanges)
		exchange_gone(c.exchanges);
	assert(begun == gone && c.exchanges_n == 0 && c.replies_n == 0);
	http2_protocol.close(&c);
	return 0;
}
