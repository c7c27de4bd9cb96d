/*
 * The end of a tenant: its videos, then its rows.
 *
 * Files are counted when they are gone: what a crash took away between the two is not in the count,
 * the rows of the videos are.
 */
#include "libcommon/purge.h"
#include "services/learning/learning.h"
#include "services/learning/media_folder.h"

#define FILES_MAX 2000 /* of a step: some tenths of a second */

static enum err remove_files(struct call *c, bool *more)
{
	int64_t n;
	enum err e = media_folder_empty(
		c, media_store_directory(learning_media), c->actor->tenant_id, FILES_MAX, &n);
	*more = n == FILES_MAX;
	return e || n == 0 ? e : purge_note(c, "files", n);
}

enum err learning_tenant_purge(struct call *c, struct common_purge_step *out)
{
	enum err e = remove_files(c, &out->more);
	if (!e && !out->more)
		e = purge_rows(c, &out->more);
	return e ? e : purge_noted(c, &common_purged_store_shape, &out->stores);
}
