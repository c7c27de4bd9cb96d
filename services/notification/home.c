/* This service's part of the home screen; the gateway merges the parts. */
#include "services/notification/notification.h"

#define ANNOUNCEMENTS_SHOWN 5

enum err notification_home_part(struct call *c, struct notification_home_part_out *out)
{
	enum err e = notice_count_unread(c, &notification_home_part_out_shape, out);
	return e ? e : announcement_latest(c, ANNOUNCEMENTS_SHOWN, &out->announcements);
}
