/* What the application side of the gateway is given at start, and the listeners it asks for. */
#ifndef MANABIYA_GATEWAY_APP_H
#define MANABIYA_GATEWAY_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/bus.h"
#include "libcommon/err.h"
#include "services/gateway/loop.h"

/* Filled by conf_read() from the table in main.c; every limit with its reason there. */
struct gateway_conf {
	/* protocol side */
	const char *listen; /* "0.0.0.0:8443", several separated by commas */
	const char *admin_listen;
	const char *tls_certificate, *tls_key; /* PEM paths */
	const char *tls_directory, *admin_tls_certificate, *admin_tls_key, *admin_client_ca;
	bool tls12;
	int64_t tls_ticket_lifetime_s, tls_check_ms;
	const char *source_rules; /* source_rules.h; "" for none */
	int64_t connections_max, connections_per_source, head_timeout_ms, handshake_timeout_ms,
		idle_timeout_ms, body_rate_min_bytes_s, body_rate_window_ms, streams_max;
	int64_t head_max_bytes, head_fields_max, linger_ms, drain_ms;
	int64_t http2_control_burst, http2_control_rate, http2_reset_burst, http2_reset_rate,
		http2_stream_window_kib, http2_connection_window_kib;
	/* application side */
	const char *web_root; /* the built client, "" for none */
	const char *auth_public_key; /* hex, from a file */
	const char *name; /* bus name */
	const char *peers, *bus_keys;
	int64_t session_cache_ms, request_timeout_ms, fanout_timeout_ms, sse_heartbeat_ms,
		sse_per_user, sse_log_events;
	int64_t limit_window_s, limit_login, limit_anonymous, limit_source, limit_read, limit_write,
		limit_upload, limit_tenant; /* limits.h */
	const char *limit_cache, *limit_cache_user, *limit_cache_password; /* Redis, "" for none */
	int64_t limit_share_ms;
	int64_t shed_waiting, shed_lag_ms; /* load.h */
	int64_t wait_max, wait_ms; /* room.h */
	const char *authorities; /* the hosts that are answered, separated by commas; "" for any */
	const char *security_contact; /* a URI for security.txt; "" for none */
	const char *log_level;
};

/* Made in main.c before listening; app_begin() (exchange.h) uses it. */
must_check enum err app_start(const struct gateway_conf *conf, struct loop *loop, struct bus *bus);
/* Before server_stop(): end what does not end by itself (event streams). */
void app_drain(void);
void app_stop(void);

/* protocol side: listen, accept, serve until the loop stops; then GOAWAY and drain.
 */
must_check enum err server_start(const struct gateway_conf *conf, struct loop *loop);
void server_stop(void);
#endif
