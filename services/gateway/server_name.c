/* Names of certificates, compared as RFC 9525 says; see server_name.h. */
#include "services/gateway/server_name.h"

#include <string.h>

bool server_name_matches(const char *pattern, const char *name)
{
	if (strncmp(pattern, "*.", 2) != 0)
		return *name && strcasecmp(pattern, name) == 0;
	const char *rest = strchr(name, '.');
	/* One label and no more; `*.jp` would be everybody's. */
	return rest && rest != name && strchr(pattern + 2, '.') &&
		strcasecmp(pattern + 1, rest) == 0;
}
