/*
 * OpenSSL, bent to what the gateway wants: one protocol version, no renegotiation of anything, and
 * buffers that are given back while a connection idles.
 */
#include "services/gateway/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/log.h"

enum {
	/* Handshake messages after the handshake, in the life of a connection. Honest peers send a
	 * KeyUpdate every 2^24 records; a flood of them costs us key derivations. */
	LATE_MESSAGES_MAX = 64,
};

struct tls_identity {
	SSL_CTX *context;
};

/* AES-128 first: as strong as P-256 and the cheapest; ChaCha20 for clients that ask for it. */
static const char SUITES[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char GROUPS[] = "X25519:P-256:P-384";
static const unsigned char PROTOCOLS[] = "\x02h2\x08http/1.1";

/* The foreign reason in words, and an empty queue for the next call. */
static void log_reason(const char *what, const char *file)
{
	char reason[256] = "unknown";
	unsigned long code = ERR_peek_last_error();
	if (code)
		ERR_error_string_n(code, reason, sizeof reason);
	ERR_clear_error();
	log_event(LOG_LEVEL_ERROR, what, LOG_TEXT("file", file), LOG_TEXT("reason", reason));
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *offered, unsigned offered_n, void *arg)
{
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_n, PROTOCOLS, sizeof PROTOCOLS - 1, offered,
		    offered_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Called for every handshake message: counts them in the stream's own slot. */
static void on_message(const SSL *ssl, int where, int value)
{
	if (where != SSL_CB_ACCEPT_LOOP)
		return;
	size_t seen = (size_t)SSL_get_app_data(ssl) + 1;
	SSL_set_app_data((SSL *)(uintptr_t)ssl, (void *)seen);
}

static bool configure(SSL_CTX *context)
{
	static const unsigned char id[] = "manabiya";
	SSL_CTX_set_options(context,
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION |
			SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1); /* one system call a record instead of two */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets carry the state */
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	SSL_CTX_set_info_callback(context, on_message);
	return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
		SSL_CTX_set_ciphersuites(context, SUITES) == 1 &&
		SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
		SSL_CTX_set_num_tickets(context, 1) == 1 &&
		SSL_CTX_set_max_early_data(context, 0) == 1 &&
		SSL_CTX_set_session_id_context(context, id, sizeof id - 1) == 1;
}

static bool load(SSL_CTX *context, const char *certificate, const char *key)
{
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
		log_reason("the TLS certificate cannot be used", certificate);
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(context) != 1) {
		log_reason("the TLS key cannot be used", key);
		return false;
	}
	return true;
}

struct tls_identity *tls_identity_load(const char *certificate, const char *key)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (!context)
		abort(); /* out of memory */
	if (!configure(context)) {
		log_reason("TLS cannot be configured", NULL);
		SSL_CTX_free(context);
		return NULL;
	}
	struct tls_identity *identity =
		load(context, certificate, key) ? malloc(sizeof *identity) : NULL;
	if (!identity) {
		SSL_CTX_free(context);
		return NULL;
	}
	identity->context = context;
	return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
	if (!identity)
		return;
	SSL_CTX_free(identity->context); /* streams hold their own reference */
	free(identity);
}

/* A stream is the SSL object itself: a struct around it would cost an allocation and say nothing.
 */
static SSL *ssl_of(const struct tls *tls)
{
	return (SSL *)(uintptr_t)tls;
}

struct tls *tls_new(struct tls_identity *identity, int fd)
{
	SSL *ssl = SSL_new(identity->context);
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
