/*
 * With what a listener proves who it is: certificates, their keys, and what it asks of clients.
 *
 * An identity never changes; another is loaded and takes its place. Streams made from it (tls.h)
 * keep what they need of it alive.
 */
#ifndef MANABIYA_GATEWAY_TLS_IDENTITY_H
#define MANABIYA_GATEWAY_TLS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/err.h"

/* Paths to PEM files. */
struct tls_settings {
	const char *certificate, *key; /* with its chain; served to whoever names no other */
	const char *directory; /* more of them, X.pem with X.key; "" for none */
	const char *client_ca; /* clients must show a certificate of it; "" for no such demand */
	bool has_tls12; /* for clients that cannot speak 1.3 */
	bool has_tickets; /* clients may resume */
};

struct tls_identity;

/* Once, before any identity is loaded: keys of session tickets live so long. */
void tls_tickets_start(int64_t lifetime_ms);
void tls_tickets_stop(void);

/* NULL with a logged reason when any of the files is no good. */
must_check struct tls_identity *tls_identity_load(const struct tls_settings *settings);
void tls_identity_free(struct tls_identity *identity);

/* Another number when any file changed that tls_identity_load() would read. */
uint64_t tls_identity_stamp(const struct tls_settings *settings);

#endif
