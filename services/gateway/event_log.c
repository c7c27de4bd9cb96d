/* A ring of events. An id is the time in ms, then ten bits that tell instances apart. */
#include "services/gateway/event_log.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/crypto.h"

#define INSTANCE_BITS 10

/* A lesson's events are some hundred bytes each, one with a list of a thousand users 40 KiB. */
#define BYTES_MAX ((size_t)(8 * 1024 * 1024))

static struct {
	struct event **ring;
	size_t capacity, first, n, bytes;
	int64_t last_ms; /* of the newest id */
	int64_t instance;
	int64_t base; /* everything above this id is in the ring */
} events;

static void *sure(void *memory)
{
	if (!memory) {
		abort();
	}
	return memory;
}

static struct event *at(size_t i)
{
	return events.ring[(events.first + i) % events.capacity];
}

static void drop_oldest(void)
{
	struct event *event = at(0);
	events.base = event->id;
	events.bytes -= event->size;
	events.first = (events.first + 1) % events.capacity;
	events.n--;
	free(event);
}

void event_log_start(int64_t events_max)
{
	unsigned char random[2];
	crypto_random(random, sizeof random);
	events.capacity = (size_t)events_max;
	events.ring = sure(calloc(events.capacity + 1, sizeof *events.ring));
	events.instance = (random[0] | random[1] << 8) & ((1 << INSTANCE_BITS) - 1);
	events.base = event_log_next_id();
}

void event_log_stop(void)
{
	while (events.n) {
		drop_oldest();
	}
	free(events.ring);
	events.ring = NULL;
}

int64_t event_log_next_id(void)
{
	int64_t now_ms = clock_unix_ms();
	events.last_ms = now_ms > events.last_ms ? now_ms : events.last_ms + 1;
	return events.last_ms << INSTANCE_BITS | events.instance;
}

/* One block: the event, the list of users, the texts. */
static struct event *event_new(
	int64_t id, const struct audience *audience, const char *text, size_t n)
{
	size_t size = sizeof(struct event) + audience->users_n * sizeof(char *) + n;
	size_t tenant_n = audience->tenant_id ? strlen(audience->tenant_id) + 1 : 0;
	for (size_t i = 0; i < audience->users_n; i++) {
		size += strlen(audience->user_ids[i]) + 1;
	}
	struct event *event = sure(malloc(size + tenant_n));
	*event = (struct event){ .id = id, .audience = *audience, .text_n = n };
	const char **ids = (const char **)(event + 1);
	char *end = (char *)(ids + audience->users_n);
	event->size = size + tenant_n;
	event->audience.user_ids = ids;
	event->audience.tenant_id = tenant_n ? memcpy(end, audience->tenant_id, tenant_n) : NULL;
	end += tenant_n;
	for (size_t i = 0; i < audience->users_n; i++) {
		size_t id_n = strlen(audience->user_ids[i]) + 1;
		ids[i] = memcpy(end, audience->user_ids[i], id_n);
		end += id_n;
	}
	event->text = memcpy(end, text, n);
	return event;
}

void event_log_add(int64_t id, const struct audience *audience, const char *text, size_t n)
{
	if (!events.capacity) {
		events.base = id;
		return;
	}
	struct event *event = event_new(id, audience, text, n);
	while (events.n &&
		(events.n == events.capacity || events.bytes + event->size > BYTES_MAX)) {
		drop_oldest();
	}
	events.ring[(events.first + events.n++) % events.capacity] = event;
	events.bytes += event->size;
}

int64_t event_log_position(void)
{
	return events.n ? at(events.n - 1)->id : events.base;
}

/* How many are at or below `id`. */
static size_t count_up_to(int64_t id)
{
	size_t low = 0, high = events.n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (at(middle)->id <= id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool event_log_reaches(int64_t id)
{
	size_t n = count_up_to(id);
	return id == events.base || (n && at(n - 1)->id == id);
}

const struct event *event_log_after(int64_t id)
{
	size_t n = count_up_to(id);
	return n < events.n ? at(n) : NULL;
}

void event_log_break(void)
{
	while (events.n) {
		drop_oldest();
	}
	events.base = event_log_next_id();
}
