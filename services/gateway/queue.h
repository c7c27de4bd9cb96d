/* Bytes on their way: added at the end, taken from the front. Empty queues hold no memory. */
#ifndef MANABIYA_GATEWAY_QUEUE_H
#define MANABIYA_GATEWAY_QUEUE_H

#include <stddef.h>

/* All zero is an empty queue. */
struct queue {
	char *bytes;
	size_t from, to, capacity;
};

static inline size_t queue_n(const struct queue *queue)
{
	return queue->to - queue->from;
}

static inline const char *queue_data(const struct queue *queue)
{
	return queue->bytes + queue->from;
}

void queue_add(struct queue *queue, const void *data, size_t n);
void queue_text(struct queue *queue, const char *text);

/* Room for `n` bytes at the end, to be filled by the caller and then added with queue_added(). */
char *queue_room(struct queue *queue, size_t n);
void queue_added(struct queue *queue, size_t n);

/* Forget the first `n`; an emptied queue gives its memory back when it grew large. */
void queue_take(struct queue *queue, size_t n);
void queue_free(struct queue *queue);

#endif
