/* One connection's OpenSSL; what is the same for all is in tls_identity.c. */
#include "services/gateway/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Handshake messages after the handshake, in the life of a connection. Honest peers send a
	 * KeyUpdate every 2^24 records; a flood of them costs us key derivations. */
	LATE_MESSAGES_MAX = 64,
};

/* A stream is the SSL object itself: a struct around it would cost an allocation and say nothing.
 */
static SSL *ssl_of(const struct tls *tls)
{
	return (SSL *)(uintptr_t)tls;
}

struct tls *tls_new(struct tls_identity *identity, int fd)
{
	SSL *ssl = SSL_new((SSL_CTX *)identity);
	if (!ssl || SSL_set_fd(ssl, fd) != 1)
		abort(); /* out of memory */
	SSL_set_accept_state(ssl);
	return (struct tls *)ssl;
}

void tls_free(struct tls *tls)
{
	ERR_clear_error();
	SSL_free(ssl_of(tls));
}

static enum tls_result result(const SSL *ssl, int returned)
{
	switch (SSL_get_error(ssl, returned)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return TLS_FAILED; /* the peer's doing: nothing that we would mend, so no log line
				    */
	}
}

enum tls_result tls_handshake(struct tls *tls)
{
	ERR_clear_error();
	enum tls_result outcome = result(ssl_of(tls), SSL_do_handshake(ssl_of(tls)));
	if (outcome == TLS_DONE)
		SSL_set_app_data(ssl_of(tls), NULL); /* count late messages from here */
	return outcome;
}

bool tls_chose_http2(const struct tls *tls)
{
	const unsigned char *name;
	unsigned n;
	SSL_get0_alpn_selected(ssl_of(tls), &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}

enum tls_result tls_read(struct tls *tls, void *data, size_t n, size_t *moved)
{
	ERR_clear_error();
	enum tls_result outcome = result(ssl_of(tls), SSL_read_ex(ssl_of(tls), data, n, moved));
	if ((size_t)SSL_get_app_data(ssl_of(tls)) > LATE_MESSAGES_MAX)
		return TLS_FAILED;
	return outcome;
}

enum tls_result tls_write(struct tls *tls, const void *data, size_t n, size_t *moved)
{
	ERR_clear_error();
	return result(ssl_of(tls), SSL_write_ex(ssl_of(tls), data, n, moved));
}

bool tls_has_pending(const struct tls *tls)
{
	return SSL_has_pending(ssl_of(tls)) == 1;
}

void tls_close(struct tls *tls)
{
	ERR_clear_error();
	if (SSL_is_init_finished(ssl_of(tls)))
		SSL_shutdown(ssl_of(tls)); /* the socket may be full or gone: no matter */
}
