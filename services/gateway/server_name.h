/* Which of several certificates a client means: the name in its hello against names of
 * certificates. */
#ifndef MANABIYA_GATEWAY_SERVER_NAME_H
#define MANABIYA_GATEWAY_SERVER_NAME_H

#include <stdbool.h>

/* `pattern` stands in a certificate: a host name, or `*.` and the rest, where the star is one whole
 * label (RFC 9525). Letters' case does not count. */
bool server_name_matches(const char *pattern, const char *name);

#endif
