/*
 * HTTP/1 from the first byte to the application and back, without a socket (null_transport.c). The
 * first byte of the input says how the rest is cut into reads; whatever the cut, the application
 * must be told the same, and every exchange must end exactly once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "services/gateway/connection.h"

/* What the application was told, as a sum: the same for every cut of the same input. */
static struct {
	uint64_t sum;
	unsigned begun, gone;
} told;

/* ---- the application ---- */

static void tell(const void *data, size_t n)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < n; i++)
		told.sum = (told.sum ^ bytes[i]) * 1099511628211u;
}

static void tell_text(const char *text)
{
	assert(text);
	tell(text, strlen(text) + 1);
}

static void on_body(void *arg, const void *data, size_t n)
{
	assert(n > 0 && n <= READ_SIZE);
	tell(data, n);
}

static void on_end(void *arg)
{
	struct exchange *exchange = arg;
	tell_text("end");
	exchange_reply(exchange, 200, NULL, 0, -1);
	exchange_write(exchange, "x", 1);
	exchange_finish(exchange);
}

static void on_gone(void *arg)
{
	told.gone++;
}

void app_begin(struct exchange *exchange)
{
	const struct request *request = exchange_request(exchange);
	told.begun++;
	tell_text(request->method);
	tell_text(request->path);
	tell_text(request->query);
	tell_text(request->authority);
	assert(request->path[0] == '/' && request->content_length >= -1);
	for (size_t i = 0; i < request->headers_n; i++) {
		assert(!strpbrk(request->headers[i].name, "\r\n: \t"));
		assert(!strpbrk(request->headers[i].value, "\r\n"));
		tell_text(request->headers[i].name);
		tell_text(request->headers[i].value);
	}
	exchange_body_limit(exchange, 1 << 20);
	exchange_listen(exchange,
		&(struct exchange_events){
			.on_body = on_body, .on_end = on_end, .on_gone = on_gone },
		exchange);
}

/* ---- the play ---- */

static void pump(struct connection *c)
{
	bool is_changed = true;
	while (is_changed && c->state == CONNECTION_OPEN) {
		is_changed = http1_protocol.pump(c);
		queue_free(&c->out);
		if (c->state == CONNECTION_OPEN && queue_n(&c->in)) {
			size_t taken = http1_protocol.input(c, queue_data(&c->in), queue_n(&c->in));
			queue_take(&c->in, taken);
			is_changed = is_changed || taken > 0;
		}
	}
	queue_free(&c->out);
}

static uint64_t play(const char *data, size_t n, size_t step)
{
	struct connection c = {
		.state = CONNECTION_OPEN, .protocol = &http1_protocol, .source = "192.0.2.1"
	};
	told.sum = 14695981039346656037u;
	told.begun = told.gone = 0;
	c.session = http1_protocol.open(&c);
	for (size_t at = 0; at < n && c.state == CONNECTION_OPEN; at += step) {
		queue_add(&c.in, data + at, n - at < step ? n - at : step);
		pump(&c);
	}
	while (c.exchanges)
		exchange_gone(c.exchanges);
	http1_protocol.close(&c);
	queue_free(&c.in);
	queue_free(&c.out);
	assert(told.begun == told.gone);
	return told.sum;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	if (n < 2)
		return 0;
	const char *bytes = (const char *)data + 1;
	size_t step = data[0] ? data[0] : 256;
	uint64_t whole = play(bytes, n - 1, READ_SIZE), cut = play(bytes, n - 1, step);
	assert(whole == cut);
	return 0;
}
