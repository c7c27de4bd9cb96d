/*
 * TLS for the gateway's listeners: with tls_identity.c the only file that names OpenSSL.
 *
 * TLS 1.3 (1.2 where the configuration says so), ALPN h2 and http/1.1, one ticket per handshake, no
 * early data. Streams work on non-blocking sockets and never wait.
 */
#ifndef MANABIYA_GATEWAY_TLS_H
#define MANABIYA_GATEWAY_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/err.h"
#include "services/gateway/tls_identity.h"

/* The server's end of one connection. Does not own the descriptor. */
struct tls;
must_check struct tls *tls_new(struct tls_identity *identity, int fd);
void tls_free(struct tls *tls);

enum tls_result {
	TLS_DONE, /* did something */
	TLS_WANTS_READ, /* come back when the socket can be read */
	TLS_WANTS_WRITE, /* … written */
	TLS_CLOSED, /* the peer said good-bye */
	TLS_FAILED, /* broken: close the socket, say nothing more */
};

enum tls_result tls_handshake(struct tls *tls);
bool tls_chose_http2(const struct tls *tls); /* after the handshake */

/* At most `n` bytes; *moved is set with TLS_DONE. A write that wanted more is repeated with the
 * same bytes first. */
enum tls_result tls_read(struct tls *tls, void *data, size_t n, size_t *moved);
enum tls_result tls_write(struct tls *tls, const void *data, size_t n, size_t *moved);

/* Bytes that were read from the socket and not yet by tls_read(): the socket will not tell. */
bool tls_has_pending(const struct tls *tls);

/* Say good-bye, if the socket takes it. */
void tls_close(struct tls *tls);

#endif
