/*
 * HTTP/1.1 and 1.0: one request at a time, in order. A pipelined request waits in c->in until the
 * reply before it is complete; what cannot be read for certain ends the connection.
 */
#include "services/gateway/http1.h"

#include <stdlib.h>
#include <string.h>

#include "services/gateway/chunked.h"
#include "services/gateway/connection.h"
#include "services/gateway/head.h"
#include "services/gateway/headers.h"
#include "services/gateway/problem.h"
#include "services/gateway/server.h"

enum phase {
	IN_HEAD, /* of the next request, or idle */
	IN_BODY,
	IN_REPLY, /* the request is complete, the reply is not */
};

struct http1 {
	enum phase phase;
	struct head head;
	struct exchange *exchange; /* NULL in IN_BODY: the reply is out, the rest is dropped */
	struct chunked chunked;
	int64_t body_left; /* -1: chunked */
	bool is_last; /* the connection ends with this reply */
	bool expects_continue; /* the client waits for 100 before it sends the body */
	bool is_reply_chunked;
};

static void *http1_open(struct connection *c)
{
	struct http1 *http1 = calloc(1, sizeof *http1);
	if (!http1)
		abort();
	c->head_limits = connection_head_limits(c);
	connection_wait(c, WAIT_IDLE);
	return http1;
}

static void http1_close(struct connection *c)
{
	free(c->session);
}

/* ---- replies ---- */

static void add_header(struct queue *out, const char *name, const char *value)
{
	queue_text(out, name);
	queue_add(out, ": ", 2);
	queue_text(out, value);
	queue_add(out, "\r\n", 2);
}

static void add_number(struct queue *out, uint64_t number, unsigned base)
{
	char digits[24], *at = digits + sizeof digits;
	do
		*--at = "0123456789abcdef"[number % base];
	while (number /= base);
	queue_add(out, at, (size_t)(digits + sizeof digits - at));
}

static void add_status(struct queue *out, unsigned status)
{
	size_t n;
	const char *lines = headers_security_lines(&n);
	queue_add(out, "HTTP/1.1 ", 9);
	add_number(out, status, 10);
	queue_add(out, " ", 1);
	queue_text(out, headers_reason(status));
	queue_add(out, "\r\ndate: ", 8);
	queue_text(out, headers_date());
	queue_add(out, "\r\n", 2);
	queue_add(out, lines, n);
}

static void add_headers(struct queue *out, const struct header *headers, size_t headers_n)
{
	bool is_cache_told = false;
	for (size_t i = 0; i < headers_n; i++) {
		if (!headers_is_allowed(&headers[i]))
			continue;
		is_cache_told = is_cache_told || strcmp(headers[i].name, "cache-control") == 0;
		add_header(out, headers[i].name, headers[i].value);
	}
	if (!is_cache_told)
		queue_text(out, "cache-control: no-store\r\n");
}

/* Can the rest of the request be read and dropped, so that the connection goes on? */
static bool is_rest_short(const struct http1 *http1)
{
	return http1->phase != IN_BODY ||
		(http1->body_left >= 0 && http1->body_left <= DISCARD_MAX &&
			!http1->expects_continue);
}

static void http1_reply(struct exchange *exchange, unsigned status, const struct header *headers,
	size_t headers_n, int64_t content_length)
{
	struct connection *c = exchange->connection;
	struct http1 *http1 = c->session;
	bool is_empty = status == 204 || status == 304;
	add_status(&c->out, status);
	add_headers(&c->out, headers, headers_n);
	http1->is_reply_chunked = false;
	if (content_length >= 0 && !is_empty) {
		queue_text(&c->out, "content-length: ");
		add_number(&c->out, (uint64_t)content_length, 10);
		queue_add(&c->out, "\r\n", 2);
	} else if (!exchange->is_bodiless && exchange->request.version == 11) {
		http1->is_reply_chunked = true;
		queue_text(&c->out, "transfer-encoding: chunked\r\n");
	}
	http1->is_last = http1->is_last || !is_rest_short(http1);
	if (http1->is_last)
		queue_text(&c->out, "connection: close\r\n");
	queue_add(&c->out, "\r\n", 2);
}

static void http1_write(struct exchange *exchange, const void *data, size_t n)
{
	struct connection *c = exchange->connection;
	struct http1 *http1 = c->session;
	if (http1->is_reply_chunked) {
		add_number(&c->out, n, 16);
		queue_add(&c->out, "\r\n", 2);
	}
	queue_add(&c->out, data, n);
	if (http1->is_reply_chunked)
		queue_add(&c->out, "\r\n", 2);
}

static void http1_finish(struct exchange *exchange)
{
	struct http1 *http1 = exchange->connection->session;
	if (http1->is_reply_chunked)
		queue_text(&exchange->connection->out, "0\r\n\r\n");
}

/* The pump sees the mark. */
static void http1_abort(struct exchange *exchange)
{
}

/* A request that the application never sees. */
static void refuse(struct connection *c, unsigned status, enum language language)
{
	struct arena *arena = server_arena(c->server);
	const char *body = problem_json(arena, problem_of_refusal(status), NULL, language);
	add_status(&c->out, status);
	queue_text(
		&c->out, "content-type: application/problem+json\r\ncache-control: no-store\r\n");
	queue_text(&c->out,
		language == LANGUAGE_EN ? "content-language: en\r\n" : "content-language: ja\r\n");
	queue_text(&c->out, "connection: close\r\ncontent-length: ");
	add_number(&c->out, strlen(body), 10);
	queue_text(&c->out, "\r\n\r\n");
	queue_text(&c->out, body);
	server_arena_return(c->server, arena);
	connection_end(c);
}

/* ---- requests ---- */

static void begin(struct connection *c, const char *data, size_t n)
{
	struct http1 *http1 = c->session;
	struct exchange *exchange = exchange_new(c, 11);
	struct http1_head head;
	http1_read_head(&exchange->request, exchange->arena, data, n, &head);
	if (head.refusal) {
		const char *accepted = request_header(&exchange->request, "accept-language");
		enum language language = language_of(accepted);
		exchange_gone(exchange);
		refuse(c, head.refusal, language);
		return;
	}
	*http1 = (struct http1){
		.exchange = exchange,
		.is_last = head.is_last || server_is_draining(c->server),
		.expects_continue = head.expects_continue && exchange->request.content_length != 0,
		.body_left = exchange->request.content_length,
		.phase = exchange->request.content_length == 0 ? IN_REPLY : IN_BODY,
	};
	connection_wait(c, WAIT_NONE);
	exchange_begin(exchange);
	if (http1->phase == IN_REPLY)
		exchange_body_end(exchange);
}

static size_t read_head(struct connection *c, const char *data, size_t n)
{
	struct http1 *http1 = c->session;
	if (queue_n(&c->out) > EXCHANGE_HIGH_WATER)
		return 0; /* the client reads no replies: no more requests */
	enum head_result result = head_scan(&http1->head, &c->head_limits, data, n);
	if (result == HEAD_MALFORMED)
		refuse(c, 400, LANGUAGE_JA);
	if (result != HEAD_COMPLETE)
		return 0;
	size_t taken = http1->head.n;
	begin(c, data, taken);
	return taken;
}

static void body_complete(struct connection *c)
{
	struct http1 *http1 = c->session;
	http1->phase = http1->exchange ? IN_REPLY : IN_HEAD;
	if (http1->exchange)
		exchange_body_end(http1->exchange);
}

static void malformed_body(struct connection *c)
{
	struct http1 *http1 = c->session;
	http1->is_last = true;
	if (http1->exchange)
		exchange_refuse(http1->exchange, 400);
	else
		connection_end(c);
}

static size_t read_chunks(struct connection *c, const char *data, size_t n)
{
	struct http1 *http1 = c->session;
	size_t taken, piece_n;
	const char *piece;
	switch (chunked_read(&http1->chunked, data, n, &taken, &piece, &piece_n)) {
	case CHUNKED_DATA:
		if (http1->exchange)
			exchange_deliver(http1->exchange, piece, piece_n);
		break;
	case CHUNKED_END:
		body_complete(c);
		break;
	case CHUNKED_MALFORMED:
		malformed_body(c);
		return 0;
	case CHUNKED_MORE:
		break;
	}
	return taken;
}

static size_t read_body(struct connection *c, const char *data, size_t n)
{
	struct http1 *http1 = c->session;
	if (n > READ_SIZE)
		n = READ_SIZE;
	if (http1->body_left < 0)
		return read_chunks(c, data, n);
	if (n > (size_t)http1->body_left)
		n = (size_t)http1->body_left;
	http1->body_left -= (int64_t)n;
	if (http1->exchange)
		exchange_deliver(http1->exchange, data, n);
	if (http1->body_left == 0)
		body_complete(c);
	return n;
}

/* A malformed body stays unread, and so does everything after the last request. */
static bool can_read_body(const struct http1 *http1)
{
	const struct exchange *exchange = http1->exchange;
	if (!exchange)
		return true;
	return !exchange->is_paused && !exchange->is_aborted &&
		!(exchange->is_finished && http1->is_last);
}

static void send_continue(struct connection *c)
{
	struct http1 *http1 = c->session;
	if (http1->phase != IN_BODY || !http1->expects_continue || !http1->exchange ||
		http1->exchange->is_replied || http1->exchange->is_paused)
		return;
	http1->expects_continue = false;
	queue_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

static size_t http1_input(struct connection *c, const char *data, size_t n)
{
	struct http1 *http1 = c->session;
	size_t taken = 0;
	while (taken < n && c->state == CONNECTION_OPEN) {
		size_t step = 0;
		if (http1->phase == IN_HEAD)
			step = read_head(c, data + taken, n - taken);
		else if (http1->phase == IN_BODY && can_read_body(http1))
			step = read_body(c, data + taken, n - taken);
		if (step == 0)
			break;
		taken += step;
	}
	return taken;
}

static bool http1_wants_input(const struct connection *c)
{
	const struct http1 *http1 = c->session;
	if (http1->phase == IN_HEAD)
		return queue_n(&c->out) <= EXCHANGE_HIGH_WATER;
	if (http1->phase == IN_BODY)
		return can_read_body(http1);
	return !queue_n(&c->in); /* one read ahead, to hear when the client leaves */
}

/* The reply is complete in c->out. */
static void retire(struct connection *c)
{
	struct http1 *http1 = c->session;
	struct exchange *exchange = http1->exchange;
	http1->exchange = NULL;
	if (http1->is_last)
		connection_end(c);
	else if (http1->phase == IN_REPLY)
		http1->phase = IN_HEAD;
	http1->head = (struct head){ 0 };
	exchange_gone(exchange);
}

static void set_wait(struct connection *c)
{
	const struct http1 *http1 = c->session;
	if (http1->exchange)
		connection_wait(c, WAIT_NONE);
	else if (http1->phase == IN_BODY || queue_n(&c->in))
		connection_wait(c, WAIT_HEAD);
	else
		connection_wait(c, WAIT_IDLE);
}

static bool http1_pump(struct connection *c)
{
	struct http1 *http1 = c->session;
	struct exchange *exchange = http1->exchange;
	bool is_changed = false;
	if (exchange && exchange->is_aborted) {
		connection_kill(c); /* the reply is cut short: the client must see that */
		return false;
	}
	if (exchange)
		is_changed = exchange_catch_up(exchange);
	send_continue(c);
	if (exchange && exchange->is_finished) {
		retire(c);
		is_changed = true;
	}
	if (c->state == CONNECTION_OPEN)
		set_wait(c);
	return is_changed;
}

static void http1_on_wait(struct connection *c)
{
	const struct http1 *http1 = c->session;
	if (c->wait == WAIT_HEAD && http1->phase == IN_HEAD)
		refuse(c, 408, LANGUAGE_JA);
	else
		connection_end(c); /* idle, or a body that nobody reads any more */
}

static void http1_drain(struct connection *c)
{
	struct http1 *http1 = c->session;
	http1->is_last = true;
	if (!http1->exchange && http1->phase == IN_HEAD && !queue_n(&c->in))
		connection_end(c);
}

const struct protocol http1_protocol = {
	.open = http1_open,
	.input = http1_input,
	.wants_input = http1_wants_input,
	.pump = http1_pump,
	.reply = http1_reply,
	.write = http1_write,
	.finish = http1_finish,
	.abort = http1_abort,
	.on_wait = http1_on_wait,
	.drain = http1_drain,
	.close = http1_close,
};
