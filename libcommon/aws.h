/*
 * Credentials of AWS: from the file that is named, as AWS's own tools write it (its profile
 * `default`), or else from where those tools take them, in their order: the environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), the container's endpoint
 * (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN),
 * the instance's metadata service (IMDSv2; AWS_EC2_METADATA_SERVICE_ENDPOINT names another).
 *
 * Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers" and "Shared
 * config and credentials files".
 */
#ifndef MANABIYA_AWS_H
#define MANABIYA_AWS_H

#include <stdbool.h>

#include "libcommon/arena.h"
#include "libcommon/err.h"

struct aws_credentials {
	const char *access_key, *secret_key, *session_token; /* "" for no token; in the arena */
};

/*
 * `path` is the file, read anew by every call, because whoever rotates keys replaces it; it is the
 * only source then. "" for the others. UNAVAILABLE with a logged reason when there are none.
 */
must_check enum err aws_credentials(
	struct arena *arena, const char *path, struct aws_credentials *out);

/*
 * Is the region one of the comma-separated list that the deployment allows its data and keys in,
 * and does the endpoint, if one is given, lie in it? An endpoint is a URL on the own machine or of
 * a host `….<region>.amazonaws.com` (also `….<region>.vpce.amazonaws.com`). Says why not in the
 * log.
 */
bool aws_is_resident(const char *region, const char *endpoint, const char *regions_allowed);

#endif
