/* TLS to somebody else's server, with bounds on every wait; see tls_client.h. */
#include "services/audit/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcommon/clock.h"

/* Acknowledgements may be delayed by 40 ms. */
#define ACKNOWLEDGEMENT_MS 10

struct tls_client {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
	int64_t end_ms; /* clock_steady_ms() */
};

/* ---- waiting ---- */

/* Until the socket can be read or written; the next failure of a call on it tells what is wrong. A
 * server that is always ready for a little more has no more time than another. */
static enum err wait_for(struct call *c, const struct tls_client *client, short events)
{
	struct pollfd on = { .fd = client->fd, .events = events };
	int64_t left_ms = client->end_ms - clock_steady_ms();
	int ready = left_ms > 0 ? poll(&on, 1, (int)left_ms) : 0;
	if (ready > 0 || (ready < 0 && errno == EINTR))
		return OK;
	return fail(c, ERR_UNAVAILABLE, "not done in time");
}

static const char *reason(const struct tls_client *client)
{
	long verified = SSL_get_verify_result(client->ssl);
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;
	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return text ? text : errno ? strerrordesc_np(errno) : "the connection ended";
}

/* After a call on the connection returned `result`: OK to call again, or why not. */
static enum err again(struct call *c, const struct tls_client *client, int result, const char *what)
{
	switch (SSL_get_error(client->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(c, client, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(c, client, POLLOUT);
	default:
		return fail(c, ERR_UNAVAILABLE, "%s: %s", what, reason(client));
	}
}

/* ---- the socket ---- */

static enum err split(struct call *c, const char *address, const char **host, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	if (!n || !colon[1])
		return fail(c, ERR_INVALID, "%s is not host:port", address);
	bool has_brackets = n > 2 && address[0] == '[' && address[n - 1] == ']';
	*host = has_brackets ? arena_strndup(c->arena, address + 1, n - 2)
			     : arena_strndup(c->arena, address, n);
	*port = colon + 1;
	return OK;
}

static enum err await_connection(struct call *c, const struct tls_client *client)
{
	int error = 0;
	socklen_t n = sizeof(error);
	enum err e = wait_for(c, client, POLLOUT);
	if (e)
		return e;
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &n) || error)
		return fail(c, ERR_UNAVAILABLE, "connect: %s", strerrordesc_np(error));
	return OK;
}

static enum err try_address(
	struct call *c, struct tls_client *client, const struct addrinfo *address)
{
	client->fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (client->fd < 0)
		return fail(c, ERR_UNAVAILABLE, "socket: %s", strerrordesc_np(errno));
	if (connect(client->fd, address->ai_addr, address->ai_addrlen) == 0)
		return OK;
	enum err e = errno == EINPROGRESS
		? await_connection(c, client)
		: fail(c, ERR_UNAVAILABLE, "connect: %s", strerrordesc_np(errno));
	if (e) {
		(void)close(client->fd);
		client->fd = -1;
	}
	return e;
}

static enum err connect_to(
	struct call *c, struct tls_client *client, const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int code = getaddrinfo(host, port, &hints, &found);
	if (code)
		return fail(c, ERR_UNAVAILABLE, "%s: %s", host, gai_strerror(code));
	enum err e = ERR_UNAVAILABLE;
	for (const struct addrinfo *at = found; e && at; at = at->ai_next)
		e = try_address(c, client, at);
	freeaddrinfo(found);
	return e;
}

/* ---- TLS ---- */

static enum err fail_file(struct call *c, const char *file)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;
	return fail(c, ERR_UNAVAILABLE, "%s: %s", file, text ? text : "cannot be used");
}

static enum err make_context(
	struct call *c, struct tls_client *client, const struct tls_server *server)
{
	ERR_clear_error();
	client->context = SSL_CTX_new(TLS_client_method());
	if (!client->context || !SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION))
		abort();
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(client->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(client->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	if (*server->ca_file ? !SSL_CTX_load_verify_file(client->context, server->ca_file)
			     : !SSL_CTX_set_default_verify_paths(client->context))
		return fail_file(
			c, *server->ca_file ? server->ca_file : "the system's authorities");
	if (!*server->certificate)
		return OK;
	if (SSL_CTX_use_certificate_chain_file(client->context, server->certificate) != 1)
		return fail_file(c, server->certificate);
	if (SSL_CTX_use_PrivateKey_file(client->context, server->key, SSL_FILETYPE_PEM) != 1)
		return fail_file(c, server->key);
	return OK;
}

/* The certificate must be for this host, be it a name or an address. */
static void expect_host(struct tls_client *client, const char *host)
{
	struct in6_addr ignored;
	X509_VERIFY_PARAM *param = SSL_get0_param(client->ssl);
	bool is_address =
		inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	bool is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
				 : X509_VERIFY_PARAM_set1_host(param, host, 0) &&
			SSL_set_tlsext_host_name(client->ssl, host);
	if (!is_set)
		abort();
}

static enum err shake_hands(struct call *c, struct tls_client *client, const char *host)
{
	client->ssl = SSL_new(client->context);
	if (!client->ssl || !SSL_set_fd(client->ssl, client->fd))
		abort();
	expect_host(client, host);
	enum err e = OK;
	while (!e) {
		ERR_clear_error();
		errno = 0;
		int result = SSL_connect(client->ssl);
		if (result == 1)
			return OK;
		e = again(c, client, result, "TLS");
	}
	return e;
}

enum err tls_client_open(struct call *c, const struct tls_server *server, struct tls_client **out)
{
	const char *host = NULL, *port = NULL;
	struct tls_client *client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	client->fd = -1;
	client->end_ms = clock_steady_ms() + server->total_ms;
	enum err e = split(c, server->address, &host, &port);
	if (!e)
		e = make_context(c, client, server);
	if (!e)
		e = connect_to(c, client, host, port);
	if (!e)
		e = shake_hands(c, client, host);
	*out = e ? NULL : client;
	if (e)
		tls_client_close(client);
	return e;
}

void tls_client_close(struct tls_client *client)
{
	if (!client)
		return;
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	if (client->fd >= 0)
		(void)close(client->fd);
	free(client);
}

enum err tls_client_write(struct call *c, struct tls_client *client, const void *data, size_t n)
{
	const unsigned char *at = data;
	enum err e = OK;
	while (!e && n > 0) {
		size_t written = 0;
		ERR_clear_error();
		errno = 0;
		int result = SSL_write_ex(client->ssl, at, n, &written);
		at += written;
		n -= written;
		e = result == 1 ? OK : again(c, client, result, "write");
	}
	return e;
}

/* What the server sends meanwhile (tickets, say) is nothing to us, but must end in time too. */
static enum err await_end(struct call *c, const struct tls_client *client)
{
	char ignored[512];
	enum err e = OK;
	while (!e) {
		ERR_clear_error();
		errno = 0;
		int result = SSL_read(client->ssl, ignored, sizeof(ignored));
		if (result > 0 && clock_steady_ms() < client->end_ms)
			continue;
		if (result > 0)
			return fail(c, ERR_UNAVAILABLE, "not done in time");
		if (SSL_get_error(client->ssl, result) == SSL_ERROR_ZERO_RETURN)
			return OK;
		e = again(c, client, result, "end");
	}
	return e;
}

/*
 * A server that turned us away has ended the connection too, perhaps before it got a byte. So what
 * its kernel says counts: it acknowledges what comes before the end, and answers with a reset what
 * comes after it, or what nobody had read by then. In this order, because a reset empties the
 * queue.
 */
static enum err await_acknowledgement(struct call *c, const struct tls_client *client)
{
	struct pollfd on = { .fd = client->fd };
	while (clock_steady_ms() < client->end_ms) {
		int waiting = 0;
		struct tcp_info info = { 0 };
		socklen_t n = sizeof(info);
		if (ioctl(client->fd, SIOCOUTQ, &waiting) ||
			getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &n))
			return fail(c, ERR_UNAVAILABLE, "end: %s", strerrordesc_np(errno));
		if (info.tcpi_state != TCP_CLOSE_WAIT)
			return fail(c, ERR_UNAVAILABLE, "end: the receiver did not read all of it");
		if (waiting == 0)
			return OK;
		(void)poll(&on, 1, ACKNOWLEDGEMENT_MS);
	}
	return fail(c, ERR_UNAVAILABLE, "not done in time");
}

enum err tls_client_finish(struct call *c, struct tls_client *client)
{
	enum err e = OK;
	ERR_clear_error();
	int result = SSL_shutdown(client->ssl);
	while (!e && result < 0) {
		e = again(c, client, result, "end");
		result = e ? 0 : SSL_shutdown(client->ssl);
	}
	if (!e)
		e = await_end(c, client);
	return e ? e : await_acknowledgement(c, client);
}
