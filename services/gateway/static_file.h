/* The built web client, in memory: read once at start, so that no request ever opens a file. */
#ifndef MANABIYA_GATEWAY_STATIC_FILE_H
#define MANABIYA_GATEWAY_STATIC_FILE_H

#include <stdbool.h>

#include "libcommon/buf.h"
#include "libcommon/err.h"

/* One file as it can be sent; `brotli` and `gzip` are its precompressed forms, or NULL. */
struct asset {
	const char *path; /* "/assets/index-C4f3.js" */
	const char *type; /* Content-Type */
	const char *cache; /* Cache-Control */
	const char *etag;
	const char *encoding; /* "br", "gzip" or NULL */
	struct bytes body;
	const struct asset *brotli, *gzip;
};

/* Read every file below the directory; "" for none. ERR_INVALID with a logged reason. */
must_check enum err static_file_start(const char *directory);
void static_file_stop(void);

/* The file of a decoded path; index.html where a page of the client is meant; NULL for nothing. */
const struct asset *static_find(const char *path);

/* The form of it that suits an Accept-Encoding header (NULL: absent). */
const struct asset *static_encoded(const struct asset *asset, const char *accept_encoding);

#endif
