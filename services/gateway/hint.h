/*
 * What a service pushed, as something that pages may hear: for whom it is, and the kinds and ids in
 * it. Names and texts never pass.
 */
#ifndef MANABIYA_GATEWAY_HINT_H
#define MANABIYA_GATEWAY_HINT_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/arena.h"
#include "libcommon/capability.h"

/* Whose pages hear it; all conditions must hold. */
struct audience {
	const char *tenant_id; /* NULL: of any tenant */
	unsigned role; /* 0: any */
	bool is_listed; /* only the users named here */
	const char *const *user_ids;
	size_t users_n;
};

bool audience_has(const struct audience *audience, const struct actor *actor);

struct hint {
	const char *type; /* of the CloudEvent, a constant */
	struct audience audience;
	const char *data; /* a JSON object */
};

/* False: a topic that pages do not hear of, or a body that is not what the topic's should be. The
 * result lives in the arena. */
bool hint_read(
	struct arena *arena, const char *topic, const char *body, size_t n, struct hint *out);

#endif
