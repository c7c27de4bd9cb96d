/*
 * One connection to somebody else's TLS server, for protocols that no library speaks for us.
 * Blocking with bounds, for jobs: whatever the other end does, each function returns.
 *
 * The server must prove the name that was asked for. With services/gateway/tls*.c the only code
 * that names OpenSSL.
 */
#ifndef MANABIYA_AUDIT_TLS_CLIENT_H
#define MANABIYA_AUDIT_TLS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/call.h"

struct tls_server {
	const char *address; /* host:port, with brackets around an IPv6 address */
	const char *ca_file; /* PEM; "": the system's */
	const char *certificate, *key; /* PEM, what we prove ourselves with; "" for none */
	int64_t total_ms; /* from connecting to the end: then all is UNAVAILABLE */
};

struct tls_client;

/* UNAVAILABLE with a reason that names what failed: resolving, connecting, the certificate. NULL is
 * allowed in tls_client_close(). */
must_check enum err tls_client_open(
	struct call *c, const struct tls_server *server, struct tls_client **out);
void tls_client_close(struct tls_client *client);

must_check enum err tls_client_write(
	struct call *c, struct tls_client *client, const void *data, size_t n);

/*
 * Say that nothing more comes, and wait until the server ends the connection in its turn, having
 * read everything up to here. A connection that breaks, or that was ended before, is UNAVAILABLE.
 * (A server that ends without TLS's good-bye counts as well; rsyslog's way with GnuTLS is that.)
 */
must_check enum err tls_client_finish(struct call *c, struct tls_client *client);

#endif
