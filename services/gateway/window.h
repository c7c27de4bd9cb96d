/*
 * How much of a streamed body crosses the bus at once. A window is a call with all that belongs to
 * one, so a large one costs a quarter of what four small ones do for the same bytes; but somebody
 * has to hold it while a slow client sends or takes it. So large ones are few, and whoever comes
 * when all are held goes on with small ones. One thread, the loop's.
 */
#ifndef MANABIYA_GATEWAY_WINDOW_H
#define MANABIYA_GATEWAY_WINDOW_H

#include <stdbool.h>

/* Whole chunks of the media store, so that no part ends within one; the large one is what players
 * ask for in a range. */
#define WINDOW_SMALL (256 * 1024)
#define WINDOW_LARGE (1024 * 1024)

/* How many streams of one direction may hold a large window, and do. */
struct window_room {
	unsigned most, held;
};

/* Does this stream hold one? It does when it did, or when there is room. */
bool window_hold(struct window_room *room, bool *holds);

/* It needs it no more; nothing happens unless it holds one. */
void window_release(struct window_room *room, bool *holds);

#endif
