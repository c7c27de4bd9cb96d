/*
 * One connection: its socket, TLS, time limits, and the pump that moves bytes between them and the
 * protocol. Knows nothing of HTTP but the time-outs' names.
 */
#include "services/gateway/connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcommon/clock.h"
#include "services/gateway/certificates.h"
#include "services/gateway/server.h"

enum {
	/* How often slow peers are looked for; a limit is exceeded by at most this. */
	CHECK_MS = 5 * 1000,
	/* Bytes to read and drop after our good-bye: closing with unread ones would send a reset,
	 * which can destroy the reply that explains the refusal. */
	LINGER_MAX = 1024 * 1024,
	/* Turns of the pump before others get theirs; a turn moves about 64 KiB. */
	PUMP_TURNS = 16,
};

int64_t connection_now(const struct connection *c)
{
	return clock_steady_ms();
}

const struct gateway_conf *connection_conf(const struct connection *c)
{
	return server_conf(c->server);
}

static struct loop *loop_of(const struct connection *c)
{
	return server_loop(c->server);
}

void connection_touch(struct connection *c)
{
	c->is_touched = true;
	if (!c->is_in_event)
		loop_defer(loop_of(c), &c->pump_task);
}

void connection_end(struct connection *c)
{
	if (c->state == CONNECTION_OPEN)
		c->state = CONNECTION_FLUSHING;
	else if (c->state == CONNECTION_HANDSHAKE)
		c->state = CONNECTION_DEAD;
	c->wait = WAIT_NONE; /* the pace of the flush is looked at instead */
	connection_touch(c);
}

void connection_kill(struct connection *c)
{
	c->state = CONNECTION_DEAD;
	connection_touch(c);
}

void connection_drain(struct connection *c)
{
	if (c->state == CONNECTION_OPEN)
		c->protocol->drain(c);
	else if (c->state == CONNECTION_HANDSHAKE)
		c->state = CONNECTION_DEAD;
	connection_touch(c);
}

/* ---- time ---- */

void connection_wait(struct connection *c, enum wait wait)
{
	const struct gateway_conf *conf = connection_conf(c);
	if (c->wait == wait)
		return;
	const int64_t limits[] = {
		[WAIT_HANDSHAKE] = conf->handshake_timeout_ms,
		[WAIT_HEAD] = conf->head_timeout_ms,
		[WAIT_IDLE] = conf->idle_timeout_ms,
		[WAIT_LINGER] = conf->linger_ms,
	};
	c->wait = wait;
	if (wait != WAIT_NONE)
		c->wait_until_ms = connection_now(c) + limits[wait];
}

static bool is_too_slow(
	struct pace *pace, bool is_moving, int64_t now, int64_t window_ms, int64_t rate)
{
	if (is_moving && now - pace->since_ms < window_ms)
		return false;
	bool is_slow = is_moving && (int64_t)pace->moved < rate * (now - pace->since_ms) / 1000;
	*pace = (struct pace){ .since_ms = now };
	return is_slow;
}

/* With a body held back by us, the others may lack the connection's window: nobody is to blame. */
static bool is_holding_back(const struct connection *c)
{
	if (connection_is_held(c))
		return true;
	for (const struct exchange *at = c->exchanges; at; at = at->next) {
		if (at->is_paused)
			return true;
	}
	return false;
}

static void check_exchange(struct exchange *exchange, bool is_held_back, int64_t now)
{
	const struct gateway_conf *conf = connection_conf(exchange->connection);
	if (exchange->is_answered) {
		if (now - exchange->body_pace.since_ms >= conf->linger_ms)
			exchange->connection->protocol->abort(exchange);
		return;
	}
	bool is_sending = exchange->is_open && !exchange->is_body_complete && !is_held_back &&
		!exchange->is_finished;
	if (is_too_slow(&exchange->body_pace, is_sending, now, conf->body_rate_window_ms,
		    conf->body_rate_min_bytes_s))
		exchange_refuse(exchange, 408);
	/* HTTP/2: the client gives this stream no window; the reply may be written to its end. */
	if (is_too_slow(&exchange->reply_pace, queue_n(&exchange->reply) > 0, now,
		    conf->idle_timeout_ms, conf->body_rate_min_bytes_s))
		exchange->connection->protocol->abort(exchange);
}

/* Is anybody sending or taking bytes too slowly? */
static void check_paces(struct connection *c, int64_t now)
{
	const struct gateway_conf *conf = connection_conf(c);
	c->check_at_ms = now + CHECK_MS;
	if (is_too_slow(&c->out_pace, queue_n(&c->out) > 0, now, conf->idle_timeout_ms,
		    conf->body_rate_min_bytes_s))
		connection_kill(c);
	bool is_held_back = is_holding_back(c);
	for (struct exchange *at = c->exchanges; at; at = at->next)
		check_exchange(at, is_held_back, now);
}

static void pump(struct connection *c);

static void on_timer(void *arg)
{
	struct connection *c = arg;
	int64_t now = connection_now(c);
	c->timer = NULL;
	c->is_in_event = true;
	if (c->wait != WAIT_NONE && now >= c->wait_until_ms) {
		if (c->state == CONNECTION_OPEN)
			c->protocol->on_wait(c);
		else
			connection_kill(c);
	}
	if (c->check_at_ms && now >= c->check_at_ms)
		check_paces(c, now);
	if (c->held_until_ms && now >= c->held_until_ms)
		c->held_until_ms = 0;
	pump(c);
}

static void begin_checks(struct connection *c)
{
	int64_t now = connection_now(c);
	c->out_pace = (struct pace){ .since_ms = now }; /* it was idle, not slow */
	c->check_at_ms = now + CHECK_MS;
}

/* One timer for all limits. It may fire early, and is then set anew: limits move with every
 * request, the timer does not. */
static void set_timer(struct connection *c)
{
	bool is_busy = c->exchanges || queue_n(&c->out);
	if (!is_busy)
		c->check_at_ms = 0;
	else if (!c->check_at_ms)
		begin_checks(c);
	int64_t due = c->wait == WAIT_NONE ? c->check_at_ms : c->wait_until_ms;
	if (c->check_at_ms && c->check_at_ms < due)
		due = c->check_at_ms;
	if (c->held_until_ms && (!due || c->held_until_ms < due))
		due = c->held_until_ms;
	if (due == 0 || (c->timer && c->timer_due_ms <= due))
		return;
	loop_cancel(loop_of(c), c->timer);
	int64_t left = due - connection_now(c);
	c->timer = loop_after(loop_of(c), left > 0 ? left : 0, on_timer, c);
	c->timer_due_ms = due;
}

/* ---- bytes ---- */

/* Offer what waits, then what is new. True: something was taken. */
static bool feed(struct connection *c, const char *data, size_t n)
{
	size_t taken;
	if (!queue_n(&c->in)) {
		taken = c->protocol->input(c, data, n);
		if (c->state == CONNECTION_OPEN)
			queue_add(&c->in, data + taken, n - taken);
		return taken > 0;
	}
	queue_add(&c->in, data, n);
	taken = c->protocol->input(c, queue_data(&c->in), queue_n(&c->in));
	queue_take(&c->in, taken);
	return taken > 0;
}

/* The client left; one that closes only its side is taken for gone while it is owed an answer,
 * which it can hardly want. Replies that are complete are still sent. */
static void input_over(struct connection *c)
{
	if (c->exchanges || !queue_n(&c->out))
		connection_kill(c);
	else
		connection_end(c);
}

/* One record. True: something came in. */
static bool read_record(struct connection *c)
{
	char *scratch = server_scratch(c->server);
	size_t n;
	switch (tls_read(c->tls, scratch, READ_SIZE, &n)) {
	case TLS_DONE:
		feed(c, scratch, n);
		return true;
	case TLS_WANTS_READ:
	case TLS_WANTS_WRITE:
		return false;
	case TLS_CLOSED:
	case TLS_FAILED:
		break;
	}
	input_over(c);
	return false;
}

static bool wants_input(const struct connection *c)
{
	return !connection_is_held(c) && c->protocol->wants_input(c);
}

static bool take_input(struct connection *c)
{
	if (!wants_input(c))
		return false;
	if (queue_n(&c->in) && feed(c, "", 0))
		return true;
	return c->state == CONNECTION_OPEN && tls_has_pending(c->tls) && read_record(c);
}

static void flush(struct connection *c)
{
	c->needs_write = false;
	while (queue_n(&c->out)) {
		size_t n;
		enum tls_result result =
			tls_write(c->tls, queue_data(&c->out), queue_n(&c->out), &n);
		if (result == TLS_WANTS_WRITE || result == TLS_WANTS_READ) {
			c->needs_write = true;
			return;
		}
		if (result != TLS_DONE) {
			connection_kill(c);
			return;
		}
		c->out_pace.moved += n;
		queue_take(&c->out, n);
		if (c->exchanges)
			c->is_touched = true; /* a writer may wait for room */
	}
}

static void handshake(struct connection *c)
{
	c->needs_write = false;
	switch (tls_handshake(c->tls)) {
	case TLS_DONE:
		c->state = CONNECTION_OPEN;
		c->protocol = tls_chose_http2(c->tls) ? &http2_protocol : &http1_protocol;
		c->session = c->protocol->open(c);
		return;
	case TLS_WANTS_WRITE:
		c->needs_write = true;
		return;
	case TLS_WANTS_READ:
		return;
	case TLS_CLOSED:
	case TLS_FAILED:
		connection_kill(c);
	}
}

static void linger(struct connection *c)
{
	ssize_t n = recv(c->fd, server_scratch(c->server), READ_SIZE, MSG_DONTWAIT);
	if (n <= 0 || (size_t)n >= c->linger_left)
		c->state = CONNECTION_DEAD;
	else
		c->linger_left -= (size_t)n;
}

static void say_good_bye(struct connection *c)
{
	tls_close(c->tls);
	shutdown(c->fd, SHUT_WR); /* fails only when the peer is gone: the next read tells */
	c->state = CONNECTION_LINGERING;
	c->linger_left = LINGER_MAX;
	connection_wait(c, WAIT_LINGER);
}

/* ---- the pump ---- */

static void connection_free(struct connection *c)
{
	if (c->session)
		c->protocol->close(c);
	loop_cancel(loop_of(c), c->timer);
	loop_remove(loop_of(c), c->fd);
	tls_free(c->tls);
	close(c->fd);
	queue_free(&c->in);
	queue_free(&c->out);
	server_left(c->server, c);
	free(c);
}

static void set_interest(struct connection *c)
{
	unsigned interest = c->needs_write ? LOOP_WRITE : 0;
	if (c->state == CONNECTION_LINGERING ||
		(c->state == CONNECTION_HANDSHAKE && !c->needs_write) ||
		(c->state == CONNECTION_OPEN && wants_input(c)))
		interest |= LOOP_READ;
	else if (c->state == CONNECTION_OPEN && c->exchanges)
		interest |= LOOP_HANGUP; /* an answer that nobody waits for is not made */
	if (interest != c->interest)
		loop_change(loop_of(c), c->fd, interest);
	c->interest = interest;
}

static void turn(struct connection *c)
{
	c->is_touched = false;
	if (c->state == CONNECTION_OPEN && c->protocol->pump(c))
		c->is_touched = true;
	if (c->state == CONNECTION_OPEN || c->state == CONNECTION_FLUSHING)
		flush(c);
	if (c->state == CONNECTION_OPEN && take_input(c))
		c->is_touched = true;
	/* What cannot be answered any more is over. */
	while (c->state != CONNECTION_OPEN && c->exchanges)
		exchange_gone(c->exchanges);
}

static void pump(struct connection *c)
{
	unsigned turns = 0;
	c->is_in_event = true;
	do
		turn(c);
	while (c->is_touched && ++turns < PUMP_TURNS);
	if (c->state == CONNECTION_FLUSHING && !queue_n(&c->out))
		say_good_bye(c);
	c->is_in_event = false;
	if (c->state == CONNECTION_DEAD) {
		if (!c->pump_task.is_queued) /* else it comes here once more */
			connection_free(c);
		return;
	}
	if (c->is_touched)
		connection_touch(c);
	set_interest(c);
	set_timer(c);
}

static void on_pump(void *arg)
{
	pump(arg);
}

static void on_ready(void *arg, unsigned events)
{
	struct connection *c = arg;
	/* Readable though we did not ask: an error, or the client has left. */
	bool is_broken = (events & LOOP_READ) && !(c->interest & LOOP_READ);
	c->is_in_event = true;
	if (is_broken)
		c->state = CONNECTION_DEAD;
	if (c->state == CONNECTION_HANDSHAKE)
		handshake(c);
	else if (c->state == CONNECTION_LINGERING)
		linger(c);
	if (c->state == CONNECTION_OPEN && (events & LOOP_READ))
		read_record(c);
	pump(c);
}

void connection_new(
	struct server *server, int fd, const char *text, struct source source, bool is_admin)
{
	struct connection *c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->server = server;
	c->fd = fd;
	c->is_admin = is_admin;
	c->tls = tls_new(certificates_identity(is_admin), fd);
	c->pump_task = (struct loop_task){ .fn = on_pump, .arg = c };
	c->interest = LOOP_READ;
	c->source_key = source;
	memccpy(c->source, text, 0, sizeof c->source - 1); /* the struct is zeroed */
	server_joined(server, c);
	loop_add(loop_of(c), fd, c->interest, on_ready, c);
	connection_wait(c, WAIT_HANDSHAKE);
	set_timer(c);
}
