/* Counting who holds a large window; see window.h. */
#include "services/gateway/window.h"

bool window_hold(struct window_room *room, bool *holds)
{
	if (!*holds && room->held < room->most) {
		room->held++;
		*holds = true;
	}
	return *holds;
}

void window_release(struct window_room *room, bool *holds)
{
	if (*holds)
		room->held--;
	*holds = false;
}
