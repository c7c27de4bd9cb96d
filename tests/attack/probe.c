/*
 * The protocol side of the gateway with the smallest application behind it: what the attack suites
 * play against. It answers nothing of value and counts what it was told, so that a test can see
 * whether the application heard of a request at all.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/buf.h"
#include "libcommon/conf.h"
#include "libcommon/log.h"
#include "services/gateway/app.h"
#include "services/gateway/exchange.h"

enum { PIECE = 16 * 1024, BODY_MAX = 1 << 30 };

static struct loop *loop;
static struct gateway_conf conf;

/* Over the life of the process; begun and gone must meet in the end. */
static struct {
	int64_t begun, ended, gone, body_bytes;
} figures;

/* One request under way; lives in the exchange's arena. */
struct visit {
	struct exchange *exchange;
	struct timer *timer;
	int64_t left; /* bytes still to be written */
	int64_t seen; /* bytes of the body */
	bool is_holding; /* /hold: the connection */
	int64_t pause_ms; /* /slow: after every piece */
	struct buf text;
};

static const char PATTERN[PIECE] = "0123456789abcdef";
static const struct header TEXT_HEADERS[] = { { "content-type", "text/plain" } };

static void answer(struct exchange *exchange, unsigned status, const char *text)
{
	exchange_reply(exchange, status, TEXT_HEADERS, 1, (int64_t)strlen(text));
	exchange_write(exchange, text, strlen(text));
	exchange_finish(exchange);
}

static int64_t number_of(const char *query, const char *name, int64_t fallback)
{
	const char *at = strstr(query, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : fallback;
}

/* ---- what the events do ---- */

static void on_gone(void *arg)
{
	struct visit *visit = arg;
	loop_cancel(loop, visit->timer);
	if (visit->is_holding)
		exchange_release(visit->exchange);
	figures.gone++;
}

static void on_end_count(void *arg)
{
	struct visit *visit = arg;
	figures.ended++;
	answer(visit->exchange, 200,
		arena_printf(exchange_arena(visit->exchange), "%lld\n", (long long)visit->seen));
}

static void on_body_count(void *arg, const void *data, size_t n)
{
	struct visit *visit = arg;
	visit->seen += (int64_t)n;
	figures.body_bytes += (int64_t)n;
}

static void on_pause_over(void *arg)
{
	struct visit *visit = arg;
	visit->timer = NULL;
	exchange_resume(visit->exchange);
}

static void on_body_slow(void *arg, const void *data, size_t n)
{
	struct visit *visit = arg;
	on_body_count(arg, data, n);
	exchange_pause(visit->exchange);
	visit->timer = loop_after(loop, visit->pause_ms, on_pause_over, visit);
}

static void on_body_echo(void *arg, const void *data, size_t n)
{
	struct visit *visit = arg;
	on_body_count(arg, data, n);
	if (!exchange_write(visit->exchange, data, n))
		exchange_pause(visit->exchange);
}

static void on_drain_echo(void *arg)
{
	struct visit *visit = arg;
	exchange_resume(visit->exchange);
}

static void on_end_echo(void *arg)
{
	struct visit *visit = arg;
	figures.ended++;
	exchange_finish(visit->exchange);
}

static void write_more(void *arg)
{
	struct visit *visit = arg;
	while (visit->left > 0) {
		size_t n = visit->left < PIECE ? (size_t)visit->left : PIECE;
		visit->left -= (int64_t)n;
		if (!exchange_write(visit->exchange, PATTERN, n) && visit->left > 0)
			return; /* on_drain comes */
	}
	exchange_finish(visit->exchange);
}

static void on_time_answer(void *arg)
{
	struct visit *visit = arg;
	visit->timer = NULL;
	answer(visit->exchange, 200, "later\n");
}

static void on_time_event(void *arg)
{
	struct visit *visit = arg;
	exchange_write(visit->exchange, "data: tick\n\n", 12);
	visit->timer = loop_after(loop, 50, on_time_event, visit);
}

/* ---- the routes ---- */

static void hello(struct visit *visit)
{
	static const struct header headers[] = { { "content-type", "text/plain" },
		{ "cache-control", "public, max-age=60" } };
	exchange_reply(visit->exchange, 200, headers, 2, 1024);
	exchange_write(visit->exchange, PATTERN, 1024);
	exchange_finish(visit->exchange);
}

static void inspect(struct visit *visit)
{
	const struct request *request = exchange_request(visit->exchange);
	struct buf *text = &visit->text;
	buf_printf(text, "%s %s?%s %u\nauthority=%s\nsource=%s\nlength=%lld\n", request->method,
		request->path, request->query, request->version, request->authority,
		request->source, (long long)request->content_length);
	for (size_t i = 0; i < request->headers_n; i++)
		buf_printf(text, "%s: %s\n", request->headers[i].name, request->headers[i].value);
	answer(visit->exchange, 200, text->data);
}

static void count(struct visit *visit)
{
	exchange_body_limit(visit->exchange, BODY_MAX);
	exchange_listen(visit->exchange,
		&(struct exchange_events){
			.on_body = on_body_count, .on_end = on_end_count, .on_gone = on_gone },
		visit);
}

static void limited(struct visit *visit)
{
	count(visit);
	exchange_body_limit(visit->exchange, 100);
}

static void slow(struct visit *visit)
{
	exchange_body_limit(visit->exchange, BODY_MAX);
	visit->pause_ms = number_of(exchange_request(visit->exchange)->query, "ms=", 20);
	exchange_listen(visit->exchange,
		&(struct exchange_events){
			.on_body = on_body_slow, .on_end = on_end_count, .on_gone = on_gone },
		visit);
}

static void echo(struct visit *visit)
{
	const struct request *request = exchange_request(visit->exchange);
	exchange_body_limit(visit->exchange, BODY_MAX);
	exchange_listen(visit->exchange,
		&(struct exchange_events){ .on_body = on_body_echo,
			.on_end = on_end_echo,
			.on_drain = on_drain_echo,
			.on_gone = on_gone },
		visit);
	exchange_reply(visit->exchange, 200, TEXT_HEADERS, 1, request->content_length);
}

static void big(struct visit *visit)
{
	const char *query = exchange_request(visit->exchange)->query;
	visit->left = number_of(query, "bytes=", 1 << 20);
	exchange_listen(visit->exchange,
		&(struct exchange_events){ .on_drain = write_more, .on_gone = on_gone }, visit);
	exchange_reply(
		visit->exchange, 200, TEXT_HEADERS, 1, strstr(query, "chunked") ? -1 : visit->left);
	write_more(visit);
}

static void early(struct visit *visit)
{
	exchange_body_limit(visit->exchange, BODY_MAX);
	answer(visit->exchange, 403, "no\n");
}

static void later(struct visit *visit)
{
	int64_t ms = number_of(exchange_request(visit->exchange)->query, "ms=", 50);
	visit->timer = loop_after(loop, ms, on_time_answer, visit);
}

/* The first behind it on the connection waits until this one is answered, or so long after it. */
static void hold(struct visit *visit)
{
	exchange_hold(visit->exchange);
	visit->is_holding = true;
	later(visit);
}

static void hold_for(struct visit *visit)
{
	const char *query = exchange_request(visit->exchange)->query;
	exchange_hold_for(visit->exchange, number_of(query, "ms=", 50));
	answer(visit->exchange, 200, "held\n");
}

static void limited_later(struct visit *visit)
{
	exchange_body_limit(visit->exchange, 100);
	later(visit);
}

static void events(struct visit *visit)
{
	exchange_reply(visit->exchange, 200, TEXT_HEADERS, 1, -1);
	on_time_event(visit);
}

static void cut(struct visit *visit)
{
	exchange_reply(visit->exchange, 200, TEXT_HEADERS, 1, 1000);
	exchange_write(visit->exchange, PATTERN, 10);
	exchange_abort(visit->exchange);
}

static void empty(struct visit *visit)
{
	exchange_reply(visit->exchange, 204, NULL, 0, -1);
	exchange_finish(visit->exchange);
}

static void evil(struct visit *visit)
{
	static const struct header headers[] = {
		{ "x-split", "a\r\nset-cookie: stolen=1" },
		{ "content-length", "7" },
		{ "transfer-encoding", "chunked" },
		{ "content-security-policy", "default-src *" },
		{ "x-good", "yes" },
		{ "set-cookie", "s=1" },
		{ "x-request-id", "2" },
		{ "ratelimit", "3" },
	};
	exchange_reply(visit->exchange, 200, headers, sizeof(headers) / sizeof(headers[0]), 3);
	exchange_write(visit->exchange, "abcdef", 6);
	exchange_finish(visit->exchange);
}

static int64_t resident_bytes(void)
{
	char text[128] = "";
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file || !fgets(text, sizeof text, file))
		abort();
	fclose(file);
	char *end;
	(void)strtoll(text, &end, 10);
	return strtoll(end, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void show_figures(struct visit *visit)
{
	answer(visit->exchange, 200,
		arena_printf(exchange_arena(visit->exchange),
			"{\"begun\":%lld,\"ended\":%lld,\"gone\":%lld,\"body\":%lld,\"rss\":%lld}"
			"\n",
			(long long)figures.begun, (long long)figures.ended, (long long)figures.gone,
			(long long)figures.body_bytes, (long long)resident_bytes()));
}

static const struct {
	const char *path;
	void (*run)(struct visit *visit);
} routes[] = {
	{ "/hello", hello },
	{ "/inspect", inspect },
	{ "/count", count },
	{ "/limited", limited },
	{ "/slow", slow },
	{ "/echo", echo },
	{ "/big", big },
	{ "/early", early },
	{ "/later", later },
	{ "/hold", hold },
	{ "/hold-for", hold_for },
	{ "/limited-later", limited_later },
	{ "/events", events },
	{ "/cut", cut },
	{ "/empty", empty },
	{ "/evil", evil },
	{ "/figures", show_figures },
};

void app_begin(struct exchange *exchange)
{
	const struct request *request = exchange_request(exchange);
	struct visit *visit = arena_alloc(exchange_arena(exchange), sizeof *visit);
	visit->exchange = exchange;
	visit->text.arena = exchange_arena(exchange);
	figures.begun++;
	exchange_listen(exchange, &(struct exchange_events){ .on_gone = on_gone }, visit);
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (strcmp(request->path, routes[i].path) == 0) {
			routes[i].run(visit);
			return;
		}
	}
	answer(exchange, 404, "nothing here\n");
}

/* ---- the program ---- */

#define AT(field_) offsetof(struct gateway_conf, field_)

static const struct option options[] = {
	{ "listen", OPTION_TEXT, "127.0.0.1:0", AT(listen), 1, 1024, "ADDRESS:PORT,…" },
	{ "admin-listen", OPTION_TEXT, "", AT(admin_listen), 0, 1024, "ADDRESS:PORT,…" },
	{ "tls-certificate", OPTION_TEXT, NULL, AT(tls_certificate), 1, 4096, "PEM file" },
	{ "tls-key", OPTION_TEXT, NULL, AT(tls_key), 1, 4096, "PEM file" },
	{ "tls-directory", OPTION_TEXT, "", AT(tls_directory), 0, 4096, "more of them" },
	{ "tls12", OPTION_BOOLEAN, "false", AT(tls12), 0, 0, "also TLS 1.2" },
	{ "tls-ticket-lifetime-s", OPTION_INTEGER, "3600", AT(tls_ticket_lifetime_s), 1, 86400,
		"of a ticket's key" },
	{ "tls-check-ms", OPTION_INTEGER, "3600000", AT(tls_check_ms), 50, 3600000,
		"between looks at the files" },
	{ "admin-tls-certificate", OPTION_TEXT, "", AT(admin_tls_certificate), 0, 4096,
		"PEM file" },
	{ "admin-tls-key", OPTION_TEXT, "", AT(admin_tls_key), 0, 4096, "PEM file" },
	{ "admin-client-ca", OPTION_TEXT, "", AT(admin_client_ca), 0, 4096, "PEM file" },
	{ "source-rules", OPTION_TEXT, "", AT(source_rules), 0, 4096, "allow and deny" },
	{ "connections-max", OPTION_INTEGER, "1000", AT(connections_max), 1, 100000, "at once" },
	{ "connections-per-source", OPTION_INTEGER, "1000", AT(connections_per_source), 1, 100000,
		"at once" },
	{ "head-timeout-ms", OPTION_INTEGER, "5000", AT(head_timeout_ms), 100, 60000, "of a head" },
	{ "handshake-timeout-ms", OPTION_INTEGER, "5000", AT(handshake_timeout_ms), 100, 60000,
		"of TLS" },
	{ "idle-timeout-ms", OPTION_INTEGER, "60000", AT(idle_timeout_ms), 100, 600000,
		"between requests" },
	{ "body-rate-min-bytes-s", OPTION_INTEGER, "1024", AT(body_rate_min_bytes_s), 1, 1048576,
		"of bodies" },
	{ "body-rate-window-ms", OPTION_INTEGER, "10000", AT(body_rate_window_ms), 100, 120000,
		"of that rate" },
	{ "head-max-bytes", OPTION_INTEGER, "32768", AT(head_max_bytes), 8192, 65536, "of a head" },
	{ "head-fields-max", OPTION_INTEGER, "100", AT(head_fields_max), 16, 100, "in a head" },
	{ "linger-ms", OPTION_INTEGER, "2000", AT(linger_ms), 100, 60000, "after the last word" },
	{ "drain-ms", OPTION_INTEGER, "5000", AT(drain_ms), 100, 600000, "at the end" },
	{ "streams-max", OPTION_INTEGER, "100", AT(streams_max), 1, 1000, "of HTTP/2" },
	{ "http2-stream-window-kib", OPTION_INTEGER, "256", AT(http2_stream_window_kib), 64, 16384,
		"of a body" },
	{ "http2-connection-window-kib", OPTION_INTEGER, "1024", AT(http2_connection_window_kib),
		64, 65536, "of all bodies" },
	{ "http2-control-burst", OPTION_INTEGER, "512", AT(http2_control_burst), 64, 65536,
		"frames at once" },
	{ "http2-control-rate", OPTION_INTEGER, "50", AT(http2_control_rate), 1, 10000,
		"frames a second" },
	{ "http2-reset-burst", OPTION_INTEGER, "200", AT(http2_reset_burst), 10, 65536,
		"resets at once" },
	{ "http2-reset-rate", OPTION_INTEGER, "20", AT(http2_reset_rate), 1, 10000,
		"resets a second" },
};

static void on_stop_signal(int number)
{
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	const struct option_set set = { options, sizeof options / sizeof *options, &conf };
	const struct sigaction stop = { .sa_handler = on_stop_signal };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	log_open("probe", LOG_LEVEL_INFO);
	if (conf_read(argc, argv, &set, 1) != OK)
		return EXIT_FAILURE;
	loop = loop_new();
	if (sigaction(SIGTERM, &stop, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 ||
		server_start(&conf, loop) != OK)
		return EXIT_FAILURE;
	loop_run(loop);
	server_stop();
	log_event(LOG_LEVEL_INFO, "stopped", LOG_INT("begun", figures.begun),
		LOG_INT("gone", figures.gone));
	(void)sigaction(SIGTERM, &ignore, NULL); /* the loop is about to go */
	loop_free(loop);
	return EXIT_SUCCESS;
}
