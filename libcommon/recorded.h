/*
 * What this process has recorded a moment ago, for reads whose alike calls share an event
 * (x-audit-shared-s): a video is read in dozens of ranges, and all of them are one look at it.
 * Alike are calls of one session from one address about one object of one class.
 *
 * Kept in a table of fixed size. What has no place in it any more, or was recorded by another
 * instance, is recorded again: too much in the log rather than too little. Any thread.
 */
#ifndef MANABIYA_RECORDED_H
#define MANABIYA_RECORDED_H

#include <stdbool.h>

struct call;

/* Is an alike call in the log already? Never of an operation whose calls share nothing, nor of who
 * has no session. */
bool recorded_lately(const struct call *c);

/* The call is in the log now. Only behind the commit. */
void recorded_note(const struct call *c);

/* As at start: where the log holds none of it any more. */
void recorded_forget(void);

#endif
