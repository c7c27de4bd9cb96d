/*
 * Frames that wait to be sent, already side by side as they will travel: one batch is one nng
 * message. Shared by both sides of the bus; callers hold the lock of what owns the outbox.
 *
 * A batch in plain text is the number of messages received so far on this link (u64, little-endian)
 * and then frames. The number lets the serving side know how much of what it sent was read
 * (bus_caller.c).
 */
#ifndef MANABIYA_BUS_OUTBOX_H
#define MANABIYA_BUS_OUTBOX_H

#include <nng/nng.h>

#include "libcommon/frame.h"
#include "libcommon/link.h"

/* Batches stay small enough to seal in a fraction of a millisecond and to leave a socket
 * responsive; a frame of more than 64 KiB goes alone. */
#define BATCH_BYTES (256 * 1024)
#define BATCH_HEAD 8 /* the number of messages received */

struct batch;

struct outbox {
	struct batch *head, *tail, *spare;
	size_t bytes; /* of all batches */
	uint64_t taken; /* batches that left since the beginning */
};

/* Returns the number of the batch that the frame is in: sent when `taken` has passed it. */
uint64_t outbox_put(struct outbox *outbox, const struct frame *frame);

bool outbox_is_empty(const struct outbox *outbox);

/* The first batch, sealed, as a message; the outbox is not empty. */
nng_msg *outbox_take(struct outbox *outbox, struct link *link, uint64_t received);

void outbox_clear(struct outbox *outbox);

/* The other end: open a message in place. `*frames` lie inside the message. */
must_check enum err batch_open(
	struct link *link, nng_msg *message, uint64_t *received, struct bytes *frames);

#endif
