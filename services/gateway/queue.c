/* Bytes on their way, in one block that slides: what is sent or read next is always contiguous. */
#include "services/gateway/queue.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_BLOCK = 2048, /* an answer of 1 KiB with its head */
};

static void make_room(struct queue *queue, size_t n)
{
	if (queue->from > 0 && queue->capacity - queue_n(queue) >= n &&
		queue->from >= queue->capacity / 2) {
		memmove(queue->bytes, queue->bytes + queue->from, queue_n(queue));
		queue->to -= queue->from;
		queue->from = 0;
		return;
	}
	size_t capacity = queue->capacity ? queue->capacity : FIRST_BLOCK;
	while (capacity - queue_n(queue) < n)
		capacity *= 2;
	char *bytes = malloc(capacity);
	if (!bytes)
		abort(); /* out of memory is never handled by callers */
	if (queue_n(queue))
		memcpy(bytes, queue_data(queue), queue_n(queue));
	free(queue->bytes);
	*queue = (struct queue){ .bytes = bytes, .to = queue_n(queue), .capacity = capacity };
}

char *queue_room(struct queue *queue, size_t n)
{
	if (queue->capacity - queue->to < n)
		make_room(queue, n);
	return queue->bytes + queue->to;
}

void queue_added(struct queue *queue, size_t n)
{
	queue->to += n;
}

void queue_add(struct queue *queue, const void *data, size_t n)
{
	if (n == 0)
		return;
	memcpy(queue_room(queue, n), data, n);
	queue->to += n;
}

void queue_text(struct queue *queue, const char *text)
{
	queue_add(queue, text, strlen(text));
}

void queue_take(struct queue *queue, size_t n)
{
	queue->from += n;
	if (queue->from == queue->to)
		queue_free(queue);
}

void queue_free(struct queue *queue)
{
	free(queue->bytes);
	*queue = (struct queue){ 0 };
}
