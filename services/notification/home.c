/* This service's part of the home screen; the gateway merges the parts. */
#include "libcommon/page.h"
#include "services/notification/notification.h"

#define ANNOUNCEMENTS_SHOWN 5

enum err notification_home_part(struct call *c, struct notification_home_part_out *out)
{
	struct page page;
	enum err e = page_read(c, NULL, true, ANNOUNCEMENTS_SHOWN, 1, &page);
	if (!e)
		e = announcements_read(c, &page, &out->announcements);
	if (e)
		return e;
	(void)page_goes_on(&page, &out->announcements.n);
	return notice_count_unread(c, &notification_home_part_out_shape, out);
}
