/* Listening sockets from a text such as "0.0.0.0:8443,[::]:8443". */
#ifndef MANABIYA_GATEWAY_LISTENER_H
#define MANABIYA_GATEWAY_LISTENER_H

#include <stddef.h>

#include "libcommon/err.h"

enum { LISTENERS_MAX = 16 };

/* Opens every address of the list and appends to fds, of which *n are in use. Logs where it
 * listens (port 0 lets the kernel choose), or the reason why not. */
must_check enum err listener_open(const char *list, int fds[LISTENERS_MAX], size_t *n);

#endif
