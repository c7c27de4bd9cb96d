/* Batches of frames; see bus_outbox.h. */
#include "libcommon/bus_outbox.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_FIRST_BYTES 4096 /* a few ordinary requests */
/* A larger batch is not kept for the next one. A larger frame is written where it will be sealed,
 * into a message of its own: copying it once more costs as much as sealing it. */
#define SPARE_BYTES_MAX (64 * 1024)

struct batch {
	struct batch *next;
	size_t n, capacity;
	unsigned char *data;
	nng_msg *message; /* of one large frame; `data` lies in it */
};

static void *sure(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void batch_free(struct batch *batch)
{
	if (batch && batch->message)
		nng_msg_free(batch->message);
	else if (batch)
		free(batch->data);
	free(batch);
}

static void append(struct outbox *outbox, struct batch *batch)
{
	batch->next = NULL;
	batch->n = BATCH_HEAD;
	if (outbox->tail)
		outbox->tail->next = batch;
	else
		outbox->head = batch;
	outbox->tail = batch;
}

static void append_batch(struct outbox *outbox)
{
	struct batch *batch = outbox->spare;
	outbox->spare = NULL;
	append(outbox, batch ? batch : sure(calloc(1, sizeof(*batch))));
}

static nng_msg *message_for(size_t n)
{
	nng_msg *message;
	if (nng_msg_alloc(&message, n + LINK_OVERHEAD))
		abort();
	return message;
}

/* A batch of its own for a frame of n bytes. */
static void append_message(struct outbox *outbox, size_t n)
{
	struct batch *batch = sure(calloc(1, sizeof(*batch)));
	batch->message = message_for(BATCH_HEAD + n);
	batch->data = (unsigned char *)nng_msg_body(batch->message) + LINK_HEAD;
	batch->capacity = BATCH_HEAD + n;
	append(outbox, batch);
}

static void make_room(struct batch *batch, size_t n)
{
	size_t capacity = batch->capacity ? batch->capacity : BATCH_FIRST_BYTES;
	while (capacity < batch->n + n)
		capacity *= 2;
	if (capacity == batch->capacity)
		return;
	batch->data = sure(realloc(batch->data, capacity));
	batch->capacity = capacity;
}

/* How many batches are behind the head. */
static uint64_t depth(const struct outbox *outbox)
{
	uint64_t n = 0;
	for (const struct batch *batch = outbox->head; batch != outbox->tail; batch = batch->next)
		n++;
	return n;
}

uint64_t outbox_put(struct outbox *outbox, const struct frame *frame)
{
	size_t n = frame_size(frame);
	if (n > SPARE_BYTES_MAX)
		append_message(outbox, n);
	else if (!outbox->tail || outbox->tail->message || outbox->tail->n + n > BATCH_BYTES)
		append_batch(outbox);
	make_room(outbox->tail, n);
	frame_write(frame, outbox->tail->data + outbox->tail->n);
	outbox->tail->n += n;
	outbox->bytes += n;
	return outbox->taken + depth(outbox);
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return !outbox->head;
}

static void put_number(unsigned char *out, uint64_t number)
{
	for (unsigned i = 0; i < BATCH_HEAD; i++)
		out[i] = (unsigned char)(number >> (8 * i));
}

nng_msg *outbox_take(struct outbox *outbox, struct link *link, uint64_t received)
{
	struct batch *batch = outbox->head;
	nng_msg *message = batch->message ? batch->message : message_for(batch->n);
	outbox->head = batch->next;
	if (!outbox->head)
		outbox->tail = NULL;
	outbox->bytes -= batch->n - BATCH_HEAD;
	outbox->taken++;
	put_number(batch->data, received);
	link_seal(link, batch->data, batch->n, nng_msg_body(message));
	if (batch->message)
		free(batch); /* its bytes are the message's */
	else if (outbox->spare || batch->capacity > SPARE_BYTES_MAX)
		batch_free(batch);
	else
		outbox->spare = batch;
	return message;
}

void outbox_clear(struct outbox *outbox)
{
	for (struct batch *batch = outbox->head, *next; batch; batch = next) {
		next = batch->next;
		batch_free(batch);
	}
	batch_free(outbox->spare);
	*outbox = (struct outbox){ .taken = outbox->taken };
}

enum err batch_open(struct link *link, nng_msg *message, uint64_t *received, struct bytes *frames)
{
	unsigned char *body = nng_msg_body(message);
	size_t n = nng_msg_len(message);
	unsigned char *plain = body + LINK_HEAD;
	if (n < LINK_OVERHEAD + BATCH_HEAD)
		return ERR_INVALID;
	enum err e = link_open(link, body, n, plain);
	if (e)
		return e;
	*received = 0;
	for (unsigned i = 0; i < BATCH_HEAD; i++)
		*received |= (uint64_t)plain[i] << (8 * i);
	*frames = (struct bytes){ plain + BATCH_HEAD, n - LINK_OVERHEAD - BATCH_HEAD };
	return OK;
}
