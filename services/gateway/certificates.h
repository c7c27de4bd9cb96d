/*
 * The certificates in use, of browsers' listeners and of the admin's: read at start, and again when
 * their files change or on SIGHUP. Connections that are open keep theirs; when what is new is no
 * good, the old stays in use.
 */
#ifndef MANABIYA_GATEWAY_CERTIFICATES_H
#define MANABIYA_GATEWAY_CERTIFICATES_H

#include "services/gateway/app.h"
#include "services/gateway/tls_identity.h"

/* ERR_INVALID with a logged reason when a file is no good. */
must_check enum err certificates_start(const struct gateway_conf *conf, struct loop *loop);
void certificates_stop(void);

/* Read them all now. */
must_check enum err certificates_reload(void);

struct tls_identity *certificates_identity(bool is_admin);

#endif
