/*
 * What the open pages were told lately, so that a page whose connection broke hears what it missed.
 * Bounded in number and bytes, the oldest goes first; nothing here outlives the process. One
 * thread, the loop's.
 *
 * Ids rise, also from one process to the next, and name the process that gave them: of an id that
 * another instance gave, nothing is known here, and the page has to read everything again.
 */
#ifndef MANABIYA_GATEWAY_EVENT_LOG_H
#define MANABIYA_GATEWAY_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/gateway/hint.h"

struct event {
	int64_t id;
	struct audience audience;
	const char *text; /* as it goes over the line */
	size_t text_n;
	size_t size; /* in memory */
};

/* `events_max` 0: nothing is kept. */
void event_log_start(int64_t events_max);
void event_log_stop(void);

/* An id above all before it. */
int64_t event_log_next_id(void);

/* Keep an event; `id` comes from event_log_next_id(). Copies what it is given. */
void event_log_add(int64_t id, const struct audience *audience, const char *text, size_t n);

/* Where the log stands: what an event id has to be, so that nothing was missed. */
int64_t event_log_position(void);

/* Is everything known that came after the event `id`? */
bool event_log_reaches(int64_t id);

/* The oldest event above `id`, or NULL; valid until the next event_log_add(). */
const struct event *event_log_after(int64_t id);

/* Something was lost before it got here: no page can be told what it missed up to now. */
void event_log_break(void);

#endif
