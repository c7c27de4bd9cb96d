/*
 * Announcements by a part of what they say. They lie sealed, so they are opened to be looked at:
 * the newest ones only, and whatever is older is found by nobody but the list.
 */
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/kana.h"
#include "libcommon/page.h"
#include "services/notification/notification.h"

#define LOOKED_AT_MAX 1000 /* some years of a school; 10 ms */
#define FOUND_MAX 20

/* Kana and letters as one, large and small. */
static const char *folded(struct arena *arena, const char *text)
{
	char *out = arena_strdup(arena, kana_key(arena, text));
	for (char *at = out; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + 32);
	return out;
}

static bool says(
	struct call *c, const struct notification_announcement *announcement, const char *q)
{
	return strstr(folded(c->arena, announcement->title.text), q) ||
		strstr(folded(c->arena, announcement->body.text), q);
}

enum err notification_search_part(struct call *c, const struct notification_search_part_in *in,
	struct notification_search_part_out *out)
{
	const char *q = folded(c->arena, in->q);
	struct page page;
	enum err e = page_read(c, NULL, true, LOOKED_AT_MAX - 1, 1, &page);
	if (!e)
		e = announcements_read(c, &page, &out->announcements);
	if (e)
		return e;
	struct notification_announcement *items = out->announcements.items;
	size_t found = 0;
	for (size_t i = 0; i < out->announcements.n && found < FOUND_MAX; i++)
		if (says(c, &items[i], q))
			items[found++] = items[i];
	out->announcements.n = found;
	return OK;
}
