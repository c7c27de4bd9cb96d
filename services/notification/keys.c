/* What notification keeps sealed, and how much of it lies under which version of the tenant's key.
 */
#include "services/notification/notification.h"

const struct sealed_column notification_sealed[NOTIFICATION_SEALED_N] = {
	SEALED_COLUMN("announcement", "id", "text", "text", "announcement.text"),
};

enum err notification_keys_part(struct call *c, struct notification_keys_part_out *out)
{
	return reseal_count(c, &common_sealed_count_shape, &out->sealed);
}

enum err notification_key_left(
	struct call *c, const struct notification_key_left_in *in, struct common_key_left *out)
{
	return reseal_left(c, (uint32_t)in->version, &out->count, &out->opens);
}
