/*
 * gateway: TLS and HTTP outside, the bus inside. Holds the TLS key and nothing else: no database,
 * no tenant keys.
 */
#include <signal.h>
#include <stdlib.h>

#include "libcommon/bus.h"
#include "libcommon/bus_conf.h"
#include "libcommon/conf.h"
#include "libcommon/crypto.h"
#include "libcommon/log.h"
#include "libcommon/privileges.h"
#include "libcommon/resident.h"
#include "libcommon/view.h"
#include "services/gateway/app.h"
#include "services/gateway/exchange.h"

#define EXIT_CONFIG 78 /* sysexits.h: a person has to mend the configuration */

static struct gateway_conf conf;
static struct bus_conf bus_conf;
static struct loop *loop;

#define AT(field_) offsetof(struct gateway_conf, field_)

static const struct option options[] = {
	{ "listen", OPTION_TEXT, "127.0.0.1:8443", AT(listen), 1, 1024,
		"where browsers connect, ADDRESS:PORT,…" },
	{ "admin-listen", OPTION_TEXT, "127.0.0.1:9443", AT(admin_listen), 0, 1024,
		"where probes and metrics connect; never reachable from outside" },
	{ "tls-certificate", OPTION_RELOADS, NULL, AT(tls_certificate), 1, 4096,
		"PEM file with the certificate and its chain" },
	{ "tls-key", OPTION_RELOADS, NULL, AT(tls_key), 1, 4096, "PEM file with its private key" },
	{ "tls-directory", OPTION_RELOADS, "", AT(tls_directory), 0, 4096,
		"directory with more of them, X.pem and X.key, for clients that ask for a name of "
		"theirs" },
	{ "tls12", OPTION_BOOLEAN, "false", AT(tls12), 0, 0,
		"also TLS 1.2, with forward secrecy and AEAD only; for tablets from before 2019" },
	{ "tls-ticket-lifetime-s", OPTION_INTEGER, "3600", AT(tls_ticket_lifetime_s), 1, 86400,
		"a key of session tickets seals so long and opens twice so long; a lesson fits" },
	{ "tls-check-ms", OPTION_INTEGER, "5000", AT(tls_check_ms), 50, 3600000,
		"between looks whether certificates or source rules changed; SIGHUP looks at "
		"once" },
	{ "admin-tls-certificate", OPTION_RELOADS, "", AT(admin_tls_certificate), 0, 4096,
		"PEM file of the admin listener's own certificate; empty for the browsers' one" },
	{ "admin-tls-key", OPTION_RELOADS, "", AT(admin_tls_key), 0, 4096,
		"PEM file with its private key" },
	{ "admin-client-ca", OPTION_RELOADS, "", AT(admin_client_ca), 0, 4096,
		"PEM file of the authority whose certificate a client of the admin listener must "
		"show; empty for none" },
	{ "source-rules", OPTION_RELOADS, "", AT(source_rules), 0, 4096,
		"file that says which addresses may connect, lines of `allow RANGE` and `deny "
		"RANGE`, the first that holds one decides; empty for all" },
	{ "connections-max", OPTION_INTEGER, "10000", AT(connections_max), 1, 100000,
		"connections at the same time; an idle one costs some 20 KiB" },
	{ "connections-per-source", OPTION_INTEGER, "2500", AT(connections_per_source), 1, 100000,
		"of them from one address (IPv6: one /64); the largest schools have some 1,500 "
		"browsers behind one, each with one connection" },
	{ "head-timeout-ms", OPTION_INTEGER, "5000", AT(head_timeout_ms), 100, 60000,
		"for the whole head of a request; longer is a client that wants to hold the line" },
	{ "head-max-bytes", OPTION_INTEGER, "32768", AT(head_max_bytes), 8192, 65536,
		"the head of a request, in HTTP/2 its header list: the longest line (8 KiB) and "
		"six of the largest cookies; nghttp2 takes no larger field than the bound" },
	{ "head-fields-max", OPTION_INTEGER, "100", AT(head_fields_max), 16, HEADERS_MAX,
		"fields in a head; a browser behind two proxies sends some thirty, and every "
		"request has room for 100" },
	{ "handshake-timeout-ms", OPTION_INTEGER, "5000", AT(handshake_timeout_ms), 100, 60000,
		"for TLS; three round trips of the slowest school line fit ten times" },
	{ "idle-timeout-ms", OPTION_INTEGER, "60000", AT(idle_timeout_ms), 1000, 600000,
		"between requests, before the connection is closed; who reads a page comes back "
		"within a minute, and who does not gives memory back" },
	{ "body-rate-min-bytes-s", OPTION_INTEGER, "1024", AT(body_rate_min_bytes_s), 1, 1048576,
		"slower bodies are cut: 256 MiB at this rate would take three days" },
	{ "body-rate-window-ms", OPTION_INTEGER, "10000", AT(body_rate_window_ms), 1000, 120000,
		"over so long a body must keep that pace: a phone that changes cells is silent for "
		"seconds" },
	{ "linger-ms", OPTION_INTEGER, "2000", AT(linger_ms), 100, 60000,
		"after the last word on a connection or stream, for the client to read it and to "
		"stop by itself" },
	{ "drain-ms", OPTION_INTEGER, "5000", AT(drain_ms), 100, 600000,
		"for requests under way when the gateway stops; less than the ten seconds after "
		"which supervisors kill" },
	{ "streams-max", OPTION_INTEGER, "100", AT(streams_max), 1, 1000,
		"HTTP/2 streams at the same time on one connection (RFC 9113 recommends 100)" },
	{ "http2-stream-window-kib", OPTION_INTEGER, "256", AT(http2_stream_window_kib), 64, 16384,
		"of a body under way on one stream: full speed over 50 ms is 5 MB/s, and it is one "
		"window of an upload" },
	{ "http2-connection-window-kib", OPTION_INTEGER, "1024", AT(http2_connection_window_kib),
		64, 65536,
		"the same on all streams together, and so the most that streams which wait make "
		"the gateway keep for a connection" },
	{ "http2-control-burst", OPTION_INTEGER, "512", AT(http2_control_burst), 64, 65536,
		"frames without a use of their own at once (PING, SETTINGS, PRIORITY, "
		"WINDOW_UPDATE, empty DATA, unknown ones); a browser sends a handful a second" },
	{ "http2-control-rate", OPTION_INTEGER, "50", AT(http2_control_rate), 1, 10000,
		"of them a second, beyond that; more is a flood, which ends the connection" },
	{ "http2-reset-burst", OPTION_INTEGER, "200", AT(http2_reset_burst), 10, 65536,
		"streams that a client may reset at once; a browser that leaves a page resets at "
		"most all of its own, and may do so twice" },
	{ "http2-reset-rate", OPTION_INTEGER, "20", AT(http2_reset_rate), 1, 10000,
		"of them a second, beyond that; more is the rapid reset attack" },
	{ "web-root", OPTION_READS, "", AT(web_root), 0, 4096,
		"directory of the built web client; empty for none" },
	{ "auth-public-key", OPTION_SECRET, NULL, AT(auth_public_key), 64, 64,
		"file with auth's Ed25519 public key, 32 bytes as hex" },
	{ "peers", OPTION_TEXT, NULL, AT(peers), 1, 4096,
		"the services: name=URL,…; one may stand several times" },
	{ "bus-keys", OPTION_READS, NULL, AT(bus_keys), 1, 4096,
		"directory of gateway-<service>.key files" },
	{ "session-cache-ms", OPTION_INTEGER, "1000", AT(session_cache_ms), 1, 1000,
		"how long a checked session is believed; revocation must work within one second" },
	{ "request-timeout-ms", OPTION_INTEGER, "10000", AT(request_timeout_ms), 100, 120000,
		"for an answer of a service, unless the operation says another time; for longer "
		"nobody looks at a page that does not move" },
	{ "fanout-timeout-ms", OPTION_INTEGER, "2000", AT(fanout_timeout_ms), 50, 30000,
		"for the parts of a merged answer; a page should not wait longer for its slowest" },
	{ "sse-heartbeat-ms", OPTION_INTEGER, "15000", AT(sse_heartbeat_ms), 100, 45000,
		"between signs of life on an event stream; proxies close after 60 s of silence" },
	{ "sse-per-user", OPTION_INTEGER, "16", AT(sse_per_user), 1, 1000,
		"event streams of one user; more open pages than that are not read by a person" },
	{ "sse-log-events", OPTION_INTEGER, "4096", AT(sse_log_events), 0, 1048576,
		"events kept for pages that come back; some minutes of a busy morning in at most 8 "
		"MiB" },
	{ "limit-window-s", OPTION_INTEGER, "60", AT(limit_window_s), 1, 86400,
		"the time that the limits below are for; a minute is as long as people will wait" },
	{ "limit-login", OPTION_INTEGER, "1200", AT(limit_login), 0, 1000000000,
		"logins of one source in that time: the largest schools' pupils at 08:30, from one "
		"address; 0 for no limit" },
	{ "limit-anonymous", OPTION_INTEGER, "12000", AT(limit_anonymous), 0, 1000000000,
		"other requests without a session of one source: ten for each of these logins" },
	{ "limit-source", OPTION_INTEGER, "120000", AT(limit_source), 0, 1000000000,
		"all requests of one source: two a second from each browser of such a school, "
		"which no lesson comes near" },
	{ "limit-read", OPTION_INTEGER, "6000", AT(limit_read), 0, 1000000000,
		"requests of one session that only read: 100 a second, for pages that load many "
		"small things" },
	{ "limit-write", OPTION_INTEGER, "3000", AT(limit_write), 0, 1000000000,
		"requests of one session that change something: 50 a second, for programs that "
		"work through a list; people make less than one" },
	{ "limit-upload", OPTION_INTEGER, "600", AT(limit_upload), 0, 1000000000,
		"pieces of uploads of one session: ten MiB a second, as the web client cuts them" },
	{ "limit-tenant", OPTION_INTEGER, "240000", AT(limit_tenant), 0, 1000000000,
		"all requests of one tenant: 4,000 a second, a fifth of what three services "
		"serve" },
	{ "limit-cache", OPTION_TEXT, "", AT(limit_cache), 0, 4096,
		"Redis through which instances add up their counts: socket path or host:port; "
		"empty for none" },
	{ "limit-cache-user", OPTION_TEXT, "gateway", AT(limit_cache_user), 1, 64,
		"its user, who needs INCRBY and PEXPIRE on limit:* and nothing else" },
	{ "limit-cache-password", OPTION_SECRET, "", AT(limit_cache_password), 0, 1024,
		"file with that user's password; empty for none" },
	{ "limit-share-ms", OPTION_INTEGER, "200", AT(limit_share_ms), 10, 10000,
		"between exchanges with the other instances; so long one of them may let through "
		"what another has used up" },
	{ "wait-max", OPTION_INTEGER, "1024", AT(wait_max), 0, 65536,
		"requests that wait while a service's window is full, for each service; at some 16 "
		"KiB each, what a service of ordinary speed answers in --wait-ms; 0 to refuse at "
		"once" },
	{ "wait-ms", OPTION_INTEGER, "500", AT(wait_ms), 1, 10000,
		"so long they wait at most before they are refused; people notice more" },
	{ "shed-waiting", OPTION_INTEGER, "256", AT(shed_waiting), 1, 1000000,
		"requests waiting for services from which on logins are refused, at half as many "
		"again all without a session, at twice as many reading; four full bus windows" },
	{ "shed-lag-ms", OPTION_INTEGER, "300", AT(shed_lag_ms), 10, 60000,
		"the same for a delay of the gateway itself that lasts a second; people notice" },
	{ "authorities", OPTION_TEXT, "", AT(authorities), 0, 4096,
		"host names (with port if not 443) that are answered, separated by commas; "
		"empty for any" },
	{ "security-contact", OPTION_TEXT, "", AT(security_contact), 0, 1024,
		"URI where weaknesses can be reported (RFC 9116); empty for none" },
	{ "log-level", OPTION_TEXT, "info", AT(log_level), 4, 7, "debug, info, warning or error" },
};

static void on_stop_signal(int signal)
{
	(void)signal;
	loop_stop(loop);
}

static void on_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL)) {
		abort();
	}
}

static enum err serve(struct bus *bus)
{
	enum err e = app_start(&conf, loop, bus);
	if (e) {
		return e;
	}
	e = server_start(&conf, loop);
	if (!e) {
		privileges_drop();
		log_gather();
		log_info("ready");
		loop_each_round(loop, bus_gather_begin, bus_gather_end);
		loop_run(loop);
		log_info("stopping");
		app_drain();
		server_stop();
	}
	app_stop();
	return e;
}

int main(int argc, char **argv)
{
	const struct option_set sets[] = {
		{ options, sizeof options / sizeof *options, &conf },
		{ bus_conf_options, bus_conf_options_n, &bus_conf },
	};
	log_open("gateway", LOG_LEVEL_INFO);
	crypto_start();
	resident_keep();
	conf.name = "gateway";
	if (conf_read(argc, argv, sets, 2)) {
		return EXIT_CONFIG;
	}
	conf_view(sets, 2);
	view_restrict();
	log_open("gateway", log_level_of(conf.log_level));
	loop = loop_new();
	on_signals(on_stop_signal);
	signal(SIGPIPE, SIG_IGN);
	struct bus_options bus_options = {
		.name = conf.name,
		.peers = conf.peers,
		.key_directory = conf.bus_keys,
	};
	bus_conf_apply(&bus_conf, NULL, &bus_options); /* nobody calls the gateway */
	struct bus *bus = bus_open(&bus_options);
	enum err e = bus ? serve(bus) : ERR_UNAVAILABLE;
	bus_close(bus);
	on_signals(SIG_IGN); /* a second one must not meet a loop that is gone */
	loop_free(loop);
	return e ? EXIT_CONFIG : EXIT_SUCCESS;
}
