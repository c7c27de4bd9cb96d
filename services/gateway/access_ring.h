/*
 * What is still to be told of requests that are over: a bounded queue of records, taken in batches.
 * When it is full what is below class III makes room for what is of it or above (of those a record
 * is promised), the rest is dropped; the next batch tells each tenant how many.
 *
 * A ring is one run of the gateway: audit knows it by its id, which batches it has handed in, and
 * for which tenants it has read, so that whoever it concerns is told when it is killed
 * (services/audit/access.c).
 */
#ifndef MANABIYA_GATEWAY_ACCESS_RING_H
#define MANABIYA_GATEWAY_ACCESS_RING_H

#include "libcommon/arena.h"
#include "libcommon/ocsf.h"

struct access_ring;

/* A run with a new id. */
struct access_ring *access_ring_new(size_t capacity);
/* NULL is allowed. */
void access_ring_free(struct access_ring *ring);

/* The texts are copied, but method and those of the route, which must be constants. */
void access_ring_add(struct access_ring *ring, const struct ocsf_access *access);

/* Records that wait, those of an unsettled batch included. */
size_t access_ring_n(const struct access_ring *ring);

/* The oldest records, at most `max`, as a body of access_append with as few events as they make;
 * and how many were dropped, if any. NULL when there is nothing to tell. Until the batch is settled
 * the same text comes again: its events have their ids, and audit leaves alone what it has. */
const char *access_ring_batch(struct access_ring *ring, size_t max);

/* The last batch is stored: forget it. */
void access_ring_stored(struct access_ring *ring);
/* The last batch will never be taken: drop it, and count it as dropped. */
void access_ring_refused(struct access_ring *ring);

/* A body of access_append without any record: the run is still there, or this is its end. While no
 * batch is under way. */
const char *access_ring_word(const struct access_ring *ring, struct arena *arena, bool is_end);

/* Does audit know that the run reads for the tenant? */
bool access_ring_is_open(const struct access_ring *ring, const char *tenant_id);
/* A body of access_open, which says so, and what to do when it is stored. */
const char *access_ring_opening(
	struct access_ring *ring, struct arena *arena, const char *tenant_id);
void access_ring_opened(struct access_ring *ring, const char *tenant_id);
/* May audit know of the run? Then it wants to hear of its end. */
bool access_ring_has_spoken(const struct access_ring *ring);

#endif
