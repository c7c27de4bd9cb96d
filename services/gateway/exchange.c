/*
 * The application's side of a request, the same for both versions: limits on the body, pauses,
 * high and low water, and on_gone exactly once.
 *
 * The functions that the application calls only note what it wants and ask for a pump.
 */
#include <assert.h>
#include <string.h>

#include "services/gateway/connection.h"
#include "services/gateway/problem.h"
#include "services/gateway/server.h"

const struct request *exchange_request(const struct exchange *exchange)
{
	return &exchange->request;
}

struct arena *exchange_arena(const struct exchange *exchange)
{
	return exchange->arena;
}

void exchange_listen(struct exchange *exchange, const struct exchange_events *events, void *arg)
{
	exchange->events = *events;
	exchange->arg = arg;
}

void exchange_body_limit(struct exchange *exchange, int64_t max_bytes)
{
	exchange->body_limit = max_bytes;
}

void exchange_pause(struct exchange *exchange)
{
	exchange->is_paused = true;
}

void exchange_resume(struct exchange *exchange)
{
	if (!exchange->is_paused)
		return;
	exchange->is_paused = false;
	/* The client was held back by us: its time starts anew. */
	exchange->body_pace = (struct pace){ .since_ms = connection_now(exchange->connection) };
	connection_touch(exchange->connection);
}

void exchange_hold(struct exchange *exchange)
{
	exchange->holds++;
	exchange->connection->holds++;
}

void exchange_release(struct exchange *exchange)
{
	exchange->holds--;
	if (--exchange->connection->holds == 0)
		connection_touch(exchange->connection);
}

void exchange_hold_for(struct exchange *exchange, int64_t ms)
{
	struct connection *c = exchange->connection;
	int64_t until_ms = connection_now(c) + ms;
	if (ms > 0 && until_ms > c->held_until_ms)
		c->held_until_ms = until_ms;
	connection_touch(c);
}

/* Can the application still say something? */
static bool is_answering(const struct exchange *exchange)
{
	return !exchange->is_finished && !exchange->is_aborted &&
		exchange->connection->state == CONNECTION_OPEN;
}

void exchange_reply(struct exchange *exchange, unsigned status, const struct header *headers,
	size_t headers_n, int64_t content_length)
{
	if (!is_answering(exchange))
		return;
	assert(!exchange->is_replied);
	exchange->is_replied = true;
	exchange->is_bodiless = exchange->is_head || status == 204 || status == 304;
	exchange->reply_left = content_length;
	exchange->connection->protocol->reply(exchange, status, headers, headers_n, content_length);
	connection_touch(exchange->connection);
}

bool exchange_write(struct exchange *exchange, const void *data, size_t n)
{
	struct connection *c = exchange->connection;
	if (!is_answering(exchange) || !exchange->is_replied || exchange->is_bodiless)
		return true;
	/* More than was announced would be read as the next reply. */
	if (exchange->reply_left >= 0 && n > (size_t)exchange->reply_left)
		n = (size_t)exchange->reply_left;
	if (exchange->reply_left >= 0)
		exchange->reply_left -= (int64_t)n;
	if (n > 0) {
		if (!queue_n(exchange->out))
			exchange->reply_pace = (struct pace){ .since_ms = connection_now(c) };
		c->protocol->write(exchange, data, n);
		connection_touch(c);
	}
	exchange->is_held_back = queue_n(exchange->out) > EXCHANGE_HIGH_WATER ||
		(c->replies_n > CONNECTION_HIGH_WATER &&
			queue_n(exchange->out) > EXCHANGE_LOW_WATER);
	return !exchange->is_held_back;
}

void exchange_rest(struct exchange *exchange)
{
	exchange->is_resting = true;
	arena_trim(exchange->arena);
}

void exchange_finish(struct exchange *exchange)
{
	if (!is_answering(exchange))
		return;
	if (!exchange->is_replied || (!exchange->is_bodiless && exchange->reply_left > 0)) {
		exchange_abort(exchange); /* less than was announced cannot be mended */
		return;
	}
	exchange->is_finished = true;
	exchange->connection->protocol->finish(exchange);
	connection_touch(exchange->connection);
}

void exchange_abort(struct exchange *exchange)
{
	if (!is_answering(exchange))
		return;
	exchange->is_aborted = true;
	exchange->connection->protocol->abort(exchange);
	connection_touch(exchange->connection);
}

/* ---- for the protocols ---- */

struct exchange *exchange_new(struct connection *c, unsigned version)
{
	struct arena *arena = server_arena(c->server);
	struct exchange *exchange = arena_alloc(arena, sizeof *exchange);
	exchange->connection = c;
	exchange->arena = arena;
	exchange->request.version = version;
	exchange->request.source = c->source;
	exchange->request.is_admin = c->is_admin;
	exchange->request.query = "";
	exchange->out = version == 20 ? &exchange->reply : &c->out;
	exchange->next = c->exchanges;
	exchange->link = &c->exchanges;
	if (exchange->next)
		exchange->next->link = &exchange->next;
	c->exchanges = exchange;
	c->exchanges_n++;
	return exchange;
}

void exchange_begin(struct exchange *exchange)
{
	const struct request *request = &exchange->request;
	exchange->body_pace = (struct pace){ .since_ms = connection_now(exchange->connection) };
	exchange->is_open = true;
	exchange->is_head = strcmp(request->method, "HEAD") == 0;
	app_begin(exchange);
	if (!exchange->is_replied && request->content_length > exchange->body_limit)
		exchange_refuse(exchange, 413);
}

void exchange_deliver(struct exchange *exchange, const char *data, size_t n)
{
	exchange->body_seen += (int64_t)n;
	exchange->body_pace.moved += n;
	if (is_answering(exchange) && exchange->body_seen > exchange->body_limit)
		exchange_refuse(exchange, 413);
	if (!is_answering(exchange)) {
		if (exchange->connection->protocol->consumed)
			exchange->connection->protocol->consumed(exchange, n);
		return;
	}
	if (exchange->is_paused || queue_n(&exchange->held)) {
		queue_add(&exchange->held, data, n);
		return;
	}
	if (exchange->connection->protocol->consumed)
		exchange->connection->protocol->consumed(exchange, n);
	if (exchange->events.on_body)
		exchange->events.on_body(exchange->arg, data, n);
}

void exchange_body_end(struct exchange *exchange)
{
	exchange->is_body_complete = true;
	connection_touch(exchange->connection); /* exchange_catch_up() tells the application */
}

static void deliver_held(struct exchange *exchange)
{
	struct queue held = exchange->held;
	exchange->held = (struct queue){ 0 };
	while (queue_n(&held) && (!exchange->is_paused || !is_answering(exchange))) {
		size_t n = queue_n(&held) < READ_SIZE ? queue_n(&held) : READ_SIZE;
		if (exchange->connection->protocol->consumed)
			exchange->connection->protocol->consumed(exchange, n);
		if (is_answering(exchange) && exchange->events.on_body)
			exchange->events.on_body(exchange->arg, queue_data(&held), n);
		queue_take(&held, n);
	}
	exchange->held = held; /* nothing comes in while the application is called */
}

bool exchange_tell_end(struct exchange *exchange)
{
	if (!exchange->is_body_complete || exchange->is_body_told || exchange->is_paused ||
		queue_n(&exchange->held))
		return false;
	exchange->is_body_told = true;
	if (is_answering(exchange) && exchange->events.on_end)
		exchange->events.on_end(exchange->arg);
	return true;
}

bool exchange_catch_up(struct exchange *exchange)
{
	bool is_changed = false;
	if (queue_n(&exchange->held) && (!exchange->is_paused || !is_answering(exchange))) {
		deliver_held(exchange);
		is_changed = true;
	}
	is_changed = exchange_tell_end(exchange) || is_changed;
	if (exchange->is_held_back && is_answering(exchange) &&
		queue_n(exchange->out) < EXCHANGE_LOW_WATER) {
		exchange->is_held_back = false;
		is_changed = true;
		if (exchange->events.on_drain)
			exchange->events.on_drain(exchange->arg);
	}
	return is_changed;
}

void exchange_refuse(struct exchange *exchange, unsigned status)
{
	const char *accepted = request_header(&exchange->request, "accept-language");
	enum language language = language_of(accepted);
	const struct header headers[] = {
		{ "content-type", "application/problem+json" },
		{ "content-language", language == LANGUAGE_EN ? "en" : "ja" },
		{ "cache-control", "no-store" },
	};
	void (*on_refused)(void *, unsigned) = exchange->events.on_refused;
	/* The application hears of nothing more but the end. */
	exchange->events = (struct exchange_events){ .on_gone = exchange->events.on_gone };
	exchange->is_paused = false;
	if (exchange->is_replied) {
		exchange_abort(exchange);
		return;
	}
	const char *body =
		problem_json(exchange->arena, problem_of_refusal(status), NULL, language);
	exchange_reply(
		exchange, status, headers, sizeof headers / sizeof *headers, (int64_t)strlen(body));
	exchange_write(exchange, body, strlen(body));
	exchange_finish(exchange);
	if (on_refused)
		on_refused(exchange->arg, status);
}

void exchange_tell_gone(struct exchange *exchange)
{
	exchange->is_aborted = true; /* calls from on_gone do nothing */
	if (exchange->is_open && exchange->events.on_gone)
		exchange->events.on_gone(exchange->arg);
	exchange->is_open = false;
}

void exchange_gone(struct exchange *exchange)
{
	struct connection *c = exchange->connection;
	exchange_tell_gone(exchange);
	assert(!exchange->holds); /* whoever is told lets go */
	*exchange->link = exchange->next;
	if (exchange->next)
		exchange->next->link = exchange->link;
	c->exchanges_n--;
	c->replies_n -= queue_n(&exchange->reply);
	queue_free(&exchange->reply);
	queue_free(&exchange->held);
	server_arena_return(c->server, exchange->arena); /* the exchange lived in it */
}
