/* manabiya-witness: options, the fences that every process of Manabiya has, and the loop. `key` as
 * first argument only makes or reads the key, for whoever has to know it before the first start. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/conf.h"
#include "libcommon/log.h"
#include "libcommon/privileges.h"
#include "libcommon/view.h"
#include "services/gateway/app.h"
#include "witness/witness.h"

#define EXIT_CONFIG 78 /* sysexits.h: a person has to mend the configuration */

static struct {
	const char *name, *logs, *state;
	struct gateway_conf http;
} conf;

static struct loop *loop;

#define AT(field_) offsetof(__typeof__(conf), field_)

static const struct option identity[] = {
	{ "name", OPTION_TEXT, NULL, AT(name), 1, 100,
		"the witness's name, best a host name and a path; it is signed, so it must never "
		"change" },
	{ "state", OPTION_WRITES, NULL, AT(state), 1, 4096,
		"directory of the key and of what was signed; empty at the very first start" },
};

static const struct option options[] = {
	{ "logs", OPTION_READS, NULL, AT(logs), 1, 4096,
		"file with the verifier keys of the logs to sign for, one a line; a name that ends "
		"with * means all that begin so; read at start" },
	{ "listen", OPTION_TEXT, "127.0.0.1:8444", AT(http.listen), 1, 1024,
		"where logs connect, ADDRESS:PORT,…" },
	{ "tls-certificate", OPTION_RELOADS, NULL, AT(http.tls_certificate), 1, 4096,
		"PEM file with the certificate and its chain" },
	{ "tls-key", OPTION_RELOADS, NULL, AT(http.tls_key), 1, 4096,
		"PEM file with its private key" },
	{ "tls-check-ms", OPTION_INTEGER, "5000", AT(http.tls_check_ms), 50, 3600000,
		"between looks whether certificate or source rules changed" },
	{ "source-rules", OPTION_RELOADS, "", AT(http.source_rules), 0, 4096,
		"file that says which addresses may connect, as the gateway's; empty for all" },
	{ "log-level", OPTION_TEXT, "info", AT(http.log_level), 4, 7,
		"debug, info, warning or error" },
};

/* A log keeps one connection and asks once a second: what is not an option needs no other value. */
static void settle(struct gateway_conf *http)
{
	http->admin_listen = http->tls_directory = http->admin_tls_certificate = "";
	http->admin_tls_key = http->admin_client_ca = "";
	http->tls_ticket_lifetime_s = 3600;
	http->connections_max = 1000;
	http->connections_per_source = 100;
	http->head_timeout_ms = http->handshake_timeout_ms = 5000;
	http->idle_timeout_ms = 60000;
	http->body_rate_min_bytes_s = 1024;
	http->body_rate_window_ms = 10000;
	http->streams_max = 10;
	http->head_max_bytes = 32768;
	http->head_fields_max = 100;
	http->linger_ms = 2000;
	http->drain_ms = 5000;
	http->http2_stream_window_kib = 256;
	http->http2_connection_window_kib = 1024;
	http->http2_control_burst = 512;
	http->http2_control_rate = 50;
	http->http2_reset_burst = 200;
	http->http2_reset_rate = 20;
}

static void on_stop_signal(int number)
{
	(void)number;
	loop_stop(loop);
}

static void on_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL))
		abort();
}

static enum err open_all(void)
{
	enum err e = state_open(conf.state, conf.name);
	if (!e)
		e = logs_load(conf.logs);
	if (!e)
		e = server_start(&conf.http, loop);
	if (e)
		return e;
	struct arena *arena = arena_new();
	log_event(LOG_LEVEL_INFO, "who trusts this witness needs its key",
		LOG_TEXT("verifier", note_verifier_text(arena, state_verifier())));
	arena_free(arena);
	return OK;
}

static const struct option_set sets[] = {
	{ identity, sizeof(identity) / sizeof(identity[0]), &conf },
	{ options, sizeof(options) / sizeof(options[0]), &conf },
};
#define SETS (sizeof(sets) / sizeof(sets[0]))

/* `manabiya-witness key`: the verifier key on standard output; made by the rules of state_open. */
static int key_command(int argc, char **argv)
{
	if (conf_read(argc, argv, &sets[0], 1) || state_open(conf.state, conf.name))
		return EXIT_CONFIG;
	struct arena *arena = arena_new();
	bool is_told = puts(note_verifier_text(arena, state_verifier())) >= 0 && !fflush(stdout);
	arena_free(arena);
	state_close();
	return is_told ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	log_open("witness", LOG_LEVEL_INFO);
	crypto_start();
	if (argc > 1 && strcmp(argv[1], "key") == 0)
		return key_command(argc - 1, argv + 1);
	if (conf_read(argc, argv, sets, SETS))
		return EXIT_CONFIG;
	settle(&conf.http);
	conf_view(sets, SETS);
	view_restrict();
	log_open("witness", log_level_of(conf.http.log_level));
	loop = loop_new();
	on_signals(on_stop_signal);
	signal(SIGPIPE, SIG_IGN);
	enum err e = open_all();
	if (!e) {
		privileges_drop();
		log_info("ready");
		loop_run(loop);
		server_stop();
	}
	on_signals(SIG_IGN); /* a second one must not meet a loop that is gone */
	loop_free(loop);
	state_close();
	logs_free();
	return e ? EXIT_CONFIG : EXIT_SUCCESS;
}
