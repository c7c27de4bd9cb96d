/* What learning keeps sealed, and how much of it lies under which version of the tenant's key. */
#include "services/learning/learning.h"

const struct sealed_column learning_sealed[LEARNING_SEALED_N] = {
	SEALED_COLUMN("goal", "id", "content", "text", "goal.content"),
	SEALED_COLUMN("comment", "id", "text", "text", "comment.text"),
	SEALED_COLUMN("evaluation", "try_id", "content", "text", "evaluation.content"),
	SEALED_COLUMN("reflection", "try_id", "content", "text", "reflection.content"),
	SEALED_COLUMN("member", "id", "name", "name", "person.name"),
	SEALED_COLUMN("media", "id", "sealed_key", "media", "media.sealed_key"),
	SEALED_COLUMN("export", "id", "sealed_key", "media", "media.sealed_key"),
	SEALED_COLUMN("archive_import", "id", "sealed_key", "media", "archive_import.sealed_key"),
};

enum err learning_keys_part(struct call *c, struct learning_keys_part_out *out)
{
	return reseal_count(c, &common_sealed_count_shape, &out->sealed);
}

enum err learning_key_left(
	struct call *c, const struct learning_key_left_in *in, struct common_key_left *out)
{
	return reseal_left(c, (uint32_t)in->version, &out->count, &out->opens);
}
