/*
 * HTTP/2 by nghttp2: streams to exchanges and back, flow control tied to what the application has
 * taken, and budgets for frames that cost us more than their sender.
 *
 * nghttp2 itself refuses malformed frames, pseudo-headers, connection headers, wrong lengths and
 * header blocks in too many pieces. Nothing is called back into the application from inside it but
 * app_begin(), on_body and on_end; the rest waits for the pump.
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/resident.h"
#include "services/gateway/connection.h"
#include "services/gateway/headers.h"
#include "services/gateway/http2.h"
#include "services/gateway/request.h"
#include "services/gateway/server.h"

enum {
	OUT_MAX = 64 * 1024, /* frames made ahead of the socket; later ones may be more urgent */

	DATA_REFUND = 2, /* of the control budget: DATA is acknowledged by WINDOW_UPDATE, twice */
	/* Our own RST_STREAM for a client's fault costs more than the fault. */
	FAULT_COST = 8,
	SETTINGS_MAX = 16, /* entries in a frame; eight are defined */
	FRAME_HEAD = 9, /* bytes; the first three are the length of the rest */
};

struct http2 {
	nghttp2_session *session;
	/* Frames without a use of their own: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA,
	 * unknown ones. */
	int64_t control_left, control_at_ms, control_burst, control_rate;
	bool is_greeted; /* the client's SETTINGS came */
	/* Where the next byte stands: in the head of a frame, or so much before the frame's end. */
	size_t frame_head_n, frame_left;
	bool is_in_head;
	bool is_broken; /* say why and end */
	void *frame; /* nghttp2's, on pages of its own */
	size_t frame_n;
};

/* ---- budgets ---- */

static int spend(struct connection *c, int64_t cost)
{
	struct http2 *http2 = c->session;
	int64_t now = connection_now(c);
	int64_t refill = (now - http2->control_at_ms) * http2->control_rate / 1000;
	if (refill > 0) {
		http2->control_at_ms = now;
		http2->control_left += refill;
	}
	if (http2->control_left > http2->control_burst)
		http2->control_left = http2->control_burst;
	http2->control_left -= cost;
	return http2->control_left < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* HEADERS of a stream that is over: ignored, since the client may not know that it is. */
static bool is_stray(nghttp2_session *session, const nghttp2_frame_hd *hd)
{
	return hd->type == NGHTTP2_HEADERS &&
		!nghttp2_session_find_stream(session, hd->stream_id) &&
		hd->stream_id <= nghttp2_session_get_last_proc_stream_id(session);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	bool is_useful = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION ||
		hd->type == NGHTTP2_RST_STREAM /* has a budget in nghttp2 */ ||
		(hd->type == NGHTTP2_DATA &&
			(hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM)));
	return is_useful && !is_stray(session, hd) ? 0 : spend(arg, 1);
}

/* Frames of unknown types are read only to be counted: nghttp2 drops others without a word. */
static int on_unknown_frame(
	nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *arg)
{
	*payload = NULL;
	return 0;
}

static int on_invalid_frame(
	nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
	struct connection *c = arg;
	struct http2 *http2 = c->session;
	http2->is_in_head = false; /* if it was one, it is refused */
	return spend(c, FAULT_COST);
}

/* ---- heads ---- */

static struct exchange *exchange_of(nghttp2_session *session, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct connection *c = arg;
	struct http2 *http2 = c->session;
	http2->is_in_head = true;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct exchange *exchange = exchange_new(c, 20);
	exchange->stream = frame->hd.stream_id;
	return nghttp2_session_set_stream_user_data(session, exchange->stream, exchange);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
	struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
	if (exchange && !exchange->is_open) /* else a trailer */
		http2_take_header(
			exchange, (const char *)name, name_n, (const char *)value, value_n);
	return 0;
}

static void send_continue(struct exchange *exchange)
{
	static uint8_t name[] = ":status", value[] = "100";
	const nghttp2_nv status = { .name = name, .value = value, .namelen = 7, .valuelen = 3 };
	struct http2 *http2 = exchange->connection->session;
	if (!exchange->is_replied && !exchange->is_aborted &&
		exchange->request.content_length != 0 &&
		request_header(&exchange->request, "expect") &&
		nghttp2_submit_headers(http2->session, NGHTTP2_FLAG_NONE, exchange->stream, NULL,
			&status, 1, NULL) != 0)
		exchange_abort(exchange);
}

static void begin(struct exchange *exchange, bool is_bodiless)
{
	unsigned refusal = http2_read_request(exchange, is_bodiless);
	if (refusal) {
		exchange_refuse(exchange, refusal);
	} else {
		exchange_begin(exchange);
		send_continue(exchange);
	}
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct connection *c = arg;
	struct http2 *http2 = c->session;
	bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (frame->hd.type == NGHTTP2_SETTINGS)
		http2->is_greeted = true;
	if (frame->hd.type == NGHTTP2_HEADERS)
		http2->is_in_head = false;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
	if (!exchange)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		begin(exchange, is_end);
	if (is_end) {
		exchange_body_end(exchange);
		exchange_tell_end(exchange); /* now, because it may hold up the next request */
	}
	return 0;
}

/* ---- bodies ---- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
	size_t n, void *arg)
{
	struct exchange *exchange = exchange_of(session, stream);
	if (!exchange)
		return nghttp2_session_consume_connection(session, n);
	exchange_deliver(exchange, (const char *)data, n);
	return 0;
}

static void http2_consumed(struct exchange *exchange, size_t n)
{
	struct http2 *http2 = exchange->connection->session;
	/* A stream that is closed or answered needs no window; the connection's is given back. */
	int failed = exchange->is_stream_closed || exchange->is_finished
		? nghttp2_session_consume_connection(http2->session, n)
		: nghttp2_session_consume(http2->session, exchange->stream, n);
	if (failed)
		http2->is_broken = true;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	struct connection *c = arg;
	struct http2 *http2 = c->session;
	struct exchange *exchange = exchange_of(session, stream);
	http2->is_in_head =
		false; /* nothing can close a stream in the middle of a head but the head */
	if (!exchange)
		return 0;
	exchange->is_stream_closed = true;
	exchange->is_aborted = true; /* nothing can be said any more */
	return nghttp2_session_set_stream_user_data(session, stream, NULL);
}

/* ---- replies ---- */

static ssize_t read_reply(nghttp2_session *session, int32_t stream, uint8_t *into, size_t n,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct exchange *exchange = source->ptr;
	size_t ready = queue_n(&exchange->reply);
	if (ready == 0 && !exchange->is_finished) {
		exchange->is_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (ready <= n && exchange->is_finished)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(ready < n ? ready : n);
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
	nghttp2_data_source *source, void *arg)
{
	struct connection *c = arg;
	struct http2 *http2 = c->session;
	struct exchange *exchange = source->ptr;
	if (queue_n(&c->out) >= OUT_MAX)
		return NGHTTP2_ERR_WOULDBLOCK;
	queue_add(&c->out, head, 9);
	if (n > 0) {
		queue_add(&c->out, queue_data(&exchange->reply), n);
		queue_take(&exchange->reply, n);
	}
	c->replies_n -= n;
	exchange->reply_pace.moved += n;
	http2->control_left += DATA_REFUND; /* it will be acknowledged */
	return 0;
}

static ssize_t send_frame(
	nghttp2_session *session, const uint8_t *data, size_t n, int flags, void *arg)
{
	struct connection *c = arg;
	if (queue_n(&c->out) >= OUT_MAX)
		return NGHTTP2_ERR_WOULDBLOCK;
	queue_add(&c->out, data, n);
	return (ssize_t)n;
}

/* An answer that comes before the end of the request: the client may stop sending. RFC 9113 (8.1)
 * would have it told by RST_STREAM at once, but clients in use (curl 7) then drop the answer. It
 * gets no more window, and the reset after --linger-ms. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	if (frame->hd.type == NGHTTP2_RST_STREAM &&
		frame->rst_stream.error_code == NGHTTP2_PROTOCOL_ERROR)
		return spend(arg, FAULT_COST);
	bool is_last = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
	struct exchange *exchange = is_last ? exchange_of(session, frame->hd.stream_id) : NULL;
	if (exchange && !exchange->is_body_complete) {
		exchange->is_answered = true;
		exchange->body_pace.since_ms = connection_now(arg);
	}
	return 0;
}

enum { REPLY_HEADERS_MAX = 64 };

struct fields {
	nghttp2_nv nv[REPLY_HEADERS_MAX];
	size_t n;
};

static void add_field(struct fields *fields, const char *name, const char *value, uint8_t flags)
{
	if (fields->n == REPLY_HEADERS_MAX)
		return;
	fields->nv[fields->n++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name, /* nghttp2 does not write, its type is old */
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value),
		.flags = flags,
	};
}

/* Secrets stay out of the compression's table; so does what is new in every answer, which would
 * push out what is not: a table of 4 KiB holds some dozens of such values, or all fixed headers. */
static bool is_indexed(const char *name)
{
	static const char *const others[] = { "ratelimit", "server-timing", "set-cookie",
		"traceparent", "x-request-id" };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i]) == 0)
			return false;
	return true;
}

static void add_fields(struct fields *fields, const struct header *headers, size_t headers_n)
{
	const uint8_t fixed = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
	bool is_cache_told = false;
	for (size_t i = 0; i < headers_security_n; i++)
		add_field(fields, headers_security[i].name, headers_security[i].value, fixed);
	for (size_t i = 0; i < headers_n; i++) {
		if (!headers_is_allowed(&headers[i]))
			continue;
		is_cache_told = is_cache_told || strcmp(headers[i].name, "cache-control") == 0;
		add_field(fields, headers[i].name, headers[i].value,
			is_indexed(headers[i].name) ? NGHTTP2_NV_FLAG_NONE
						    : NGHTTP2_NV_FLAG_NO_INDEX);
	}
	if (!is_cache_told)
		add_field(fields, "cache-control", "no-store", fixed);
}

static void http2_reply(struct exchange *exchange, unsigned status, const struct header *headers,
	size_t headers_n, int64_t content_length)
{
	struct http2 *http2 = exchange->connection->session;
	struct fields fields = { .n = 0 };
	const nghttp2_data_provider provider = { .source.ptr = exchange,
		.read_callback = read_reply };
	bool has_body = !exchange->is_bodiless && content_length != 0;
	add_field(&fields, ":status", arena_printf(exchange->arena, "%u", status), 0);
	add_field(&fields, "date", headers_date(), 0);
	if (content_length >= 0 && status != 204 && status != 304)
		add_field(&fields, "content-length",
			arena_printf(exchange->arena, "%lld", (long long)content_length), 0);
	add_fields(&fields, headers, headers_n);
	if (nghttp2_submit_response(http2->session, exchange->stream, fields.nv, fields.n,
		    has_body ? &provider : NULL) != 0)
		exchange->is_aborted = true;
}

static void go_on(struct exchange *exchange)
{
	struct http2 *http2 = exchange->connection->session;
	if (!exchange->is_deferred)
		return;
	exchange->is_deferred = false;
	if (nghttp2_session_resume_data(http2->session, exchange->stream) != 0)
		exchange->is_aborted = true;
}

static void http2_write(struct exchange *exchange, const void *data, size_t n)
{
	queue_add(&exchange->reply, data, n);
	exchange->connection->replies_n += n;
	go_on(exchange);
}

static void http2_abort(struct exchange *exchange)
{
	struct http2 *http2 = exchange->connection->session;
	if (nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, exchange->stream,
		    exchange->is_answered ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR) != 0)
		http2->is_broken = true;
}

/* ---- the session ---- */

static nghttp2_session_callbacks *callbacks_new(void)
{
	nghttp2_session_callbacks *callbacks;
	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		abort(); /* out of memory */
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unknown_frame);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_send_callback(callbacks, send_frame);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
	return callbacks;
}

static nghttp2_option *option_new(const struct gateway_conf *conf)
{
	nghttp2_option *option;
	if (nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_stream_reset_rate_limit(
		option, (uint64_t)conf->http2_reset_burst, (uint64_t)conf->http2_reset_rate);
	nghttp2_option_set_max_settings(option, SETTINGS_MAX);
	nghttp2_option_set_max_outbound_ack(option, (size_t)conf->http2_control_burst);
	nghttp2_option_set_no_closed_streams(option, 1);
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	return option;
}

/* nghttp2 keeps a frame of 16 KiB for each session, of which it needs nothing between two sends. On
 * pages of its own it can be given back while thousands of sessions wait (give_back()). */
static void *allocate(size_t n, void *arg)
{
	struct http2 *http2 = arg;
	if (n < READ_SIZE || http2->frame)
		return malloc(n);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	http2->frame_n = (n + page - 1) / page * page;
	http2->frame = aligned_alloc(page, http2->frame_n);
	if (http2->frame)
		resident_release(http2->frame, http2->frame_n);
	return http2->frame;
}

static void deallocate(void *memory, void *arg)
{
	struct http2 *http2 = arg;
	if (memory && memory == http2->frame)
		http2->frame = NULL;
	free(memory);
}

static void *allocate_array(size_t n, size_t size, void *arg)
{
	return calloc(n, size);
}

static void *reallocate(void *memory, size_t n, void *arg)
{
	struct http2 *http2 = arg;
	if (memory && memory == http2->frame)
		http2->frame = NULL;
	return memory ? realloc(memory, n) : allocate(n, arg);
}

static void *http2_open(struct connection *c)
{
	/* Made once; sessions take what they need from them. */
	static nghttp2_session_callbacks *callbacks;
	static nghttp2_option *option;
	const struct gateway_conf *conf = connection_conf(c);
	if (!callbacks) {
		callbacks = callbacks_new();
		option = option_new(conf);
	}
	c->head_limits = connection_head_limits(c);
	struct http2 *http2 = calloc(1, sizeof *http2);
	nghttp2_mem memory = { http2, allocate, deallocate, allocate_array, reallocate };
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)conf->streams_max },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
			(uint32_t)conf->http2_stream_window_kib * 1024 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)conf->head_max_bytes },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	if (!http2 ||
		nghttp2_session_server_new3(&http2->session, callbacks, c, option, &memory) != 0 ||
		nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings,
			sizeof settings / sizeof *settings) != 0 ||
		nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0,
			(int32_t)conf->http2_connection_window_kib * 1024) != 0)
		abort(); /* out of memory */
	http2->control_left = http2->control_burst = conf->http2_control_burst;
	http2->control_rate = conf->http2_control_rate;
	http2->control_at_ms = connection_now(c);
	http2->frame_head_n = FRAME_HEAD;
	http2->frame_left = NGHTTP2_CLIENT_MAGIC_LEN; /* it comes before the first frame */
	return http2;
}

static void http2_close(struct connection *c)
{
	struct http2 *http2 = c->session;
	nghttp2_session_del(http2->session);
	free(http2);
}

/* How much of this belongs to the frame that is coming in. */
static size_t frame_rest(struct http2 *http2, const char *data, size_t n)
{
	size_t at = 0;
	for (; at < n && http2->frame_head_n < FRAME_HEAD; at++, http2->frame_head_n++) {
		if (http2->frame_head_n < 3)
			http2->frame_left = http2->frame_left << 8 | (unsigned char)data[at];
	}
	size_t rest = n - at < http2->frame_left ? n - at : http2->frame_left;
	http2->frame_left -= rest;
	if (http2->frame_head_n == FRAME_HEAD && http2->frame_left == 0)
		http2->frame_head_n = 0;
	return at + rest;
}

static void take_frame(struct connection *c, const char *data, size_t n)
{
	struct http2 *http2 = c->session;
	/* All or nothing: it fails or takes what it gets. */
	ssize_t taken = nghttp2_session_mem_recv(http2->session, (const uint8_t *)data, n);
	if (taken >= 0)
		return;
	uint32_t reason = taken == NGHTTP2_ERR_CALLBACK_FAILURE || taken == NGHTTP2_ERR_FLOODED
		? NGHTTP2_ENHANCE_YOUR_CALM
		: NGHTTP2_PROTOCOL_ERROR;
	http2->is_broken = true;
	if (nghttp2_session_terminate_session(http2->session, reason) != 0)
		connection_kill(c);
}

/* Frame by frame, because a request may hold up those behind it (exchange_hold()). */
static size_t http2_input(struct connection *c, const char *data, size_t n)
{
	struct http2 *http2 = c->session;
	size_t at = 0;
	while (at < n && !http2->is_broken && !connection_is_held(c)) {
		size_t piece = frame_rest(http2, data + at, n - at);
		take_frame(c, data + at, piece);
		at += piece;
	}
	return http2->is_broken ? n : at;
}

/* A client that does not read gets no more read from. */
static bool http2_wants_input(const struct connection *c)
{
	const struct http2 *http2 = c->session;
	return !http2->is_broken && queue_n(&c->out) < 2 * OUT_MAX;
}

static bool settle_exchanges(struct connection *c)
{
	bool is_changed = false;
	for (struct exchange *at = c->exchanges, *next; at; at = next) {
		next = at->next;
		if (at->is_answered && at->is_open)
			exchange_tell_gone(at);
		if (!at->is_stream_closed) {
			is_changed = exchange_catch_up(at) || is_changed;
			continue;
		}
		if (queue_n(&at->held))
			http2_consumed(at, queue_n(&at->held));
		exchange_gone(at);
		is_changed = true;
	}
	return is_changed;
}

/* Nothing but event streams, and nothing under way on them. */
static bool is_resting(const struct connection *c)
{
	const struct exchange *at = c->exchanges;
	while (at && at->is_resting && !queue_n(at->out))
		at = at->next;
	return c->exchanges && !at && !queue_n(&c->out);
}

static void give_back(const struct connection *c)
{
	const struct http2 *http2 = c->session;
	if (http2->frame && is_resting(c) && !nghttp2_session_want_write(http2->session))
		resident_release(http2->frame, http2->frame_n);
}

static void set_wait(struct connection *c)
{
	const struct http2 *http2 = c->session;
	if (http2->is_in_head || !http2->is_greeted)
		connection_wait(c, WAIT_HEAD);
	else
		connection_wait(c, c->exchanges ? WAIT_NONE : WAIT_IDLE);
}

static bool http2_pump(struct connection *c)
{
	struct http2 *http2 = c->session;
	bool is_changed = settle_exchanges(c);
	size_t before = queue_n(&c->out);
	if (nghttp2_session_send(http2->session) != 0) {
		connection_kill(c);
		return false;
	}
	if (http2->is_broken ||
		(!nghttp2_session_want_read(http2->session) &&
			!nghttp2_session_want_write(http2->session)))
		connection_end(c);
	else
		set_wait(c);
	give_back(c);
	return is_changed || queue_n(&c->out) != before;
}

static void http2_drain(struct connection *c)
{
	struct http2 *http2 = c->session;
	if (nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE,
		    nghttp2_session_get_last_proc_stream_id(http2->session), NGHTTP2_NO_ERROR, NULL,
		    0) != 0)
		connection_kill(c);
}

static void http2_on_wait(struct connection *c)
{
	struct http2 *http2 = c->session;
	/* With a head half way there is nothing to wait for: the whole connection is stuck. */
	if (c->wait == WAIT_HEAD)
		http2->is_broken = true;
	http2_drain(c);
}

const struct protocol http2_protocol = {
	.open = http2_open,
	.input = http2_input,
	.wants_input = http2_wants_input,
	.pump = http2_pump,
	.reply = http2_reply,
	.write = http2_write,
	.finish = go_on,
	.abort = http2_abort,
	.consumed = http2_consumed,
	.on_wait = http2_on_wait,
	.drain = http2_drain,
	.close = http2_close,
};
