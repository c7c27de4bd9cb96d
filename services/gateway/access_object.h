/* What a request is about, for its access record. */
#ifndef MANABIYA_GATEWAY_ACCESS_OBJECT_H
#define MANABIYA_GATEWAY_ACCESS_OBJECT_H

#include "libcommon/arena.h"

/*
 * The last id in the path, which says most: of `/v1/tries/{tryId}/comments/{commentId}` the
 * comment's. Of a list, whose path has none, the last of `subjects` that the query names: the class
 * or the pupil whose tries were listed. "" when there is neither. Ids are found however they are
 * percent-encoded, as the service will find them.
 *
 * `subjects` as in route.h; `path_params` may be NULL, the query is "" for none.
 */
const char *access_object(struct arena *arena, const char *const *subjects, const char *path_params,
	const char *query);

#endif
