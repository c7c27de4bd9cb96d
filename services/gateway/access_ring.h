/*
 * What is still to be told of requests that are over: a bounded queue of records, taken in batches.
 * When it is full what comes is dropped and counted, and the next batch says how many.
 */
#ifndef MANABIYA_GATEWAY_ACCESS_RING_H
#define MANABIYA_GATEWAY_ACCESS_RING_H

#include "libcommon/arena.h"
#include "libcommon/ocsf.h"

struct access_ring;

struct access_ring *access_ring_new(size_t capacity);
/* NULL is allowed. */
void access_ring_free(struct access_ring *ring);

/* The texts are copied, but method and those of the route, which must be constants. */
void access_ring_add(struct access_ring *ring, const struct ocsf_access *access);

/* Records that wait, those of an unsettled batch included. */
size_t access_ring_n(const struct access_ring *ring);

/* The oldest records, at most `max`, as a body of event_append with as few events as they make; and
 * how many were dropped, if any. NULL when there is nothing to tell. Until the batch is settled the
 * same text comes again: its events have their ids, and audit leaves alone what it has. */
const char *access_ring_batch(struct access_ring *ring, size_t max);

/* The last batch is stored: forget it. */
void access_ring_stored(struct access_ring *ring);
/* The last batch will never be taken: drop it, and count it as dropped. */
void access_ring_refused(struct access_ring *ring);

#endif
