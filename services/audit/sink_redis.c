/*
 * A sink: a Redis stream, for consumer groups that share the work and acknowledge it.
 *
 * The stream keeps about as many entries as it is told, whoever has read them or not: a consumer
 * that was away for longer finds a gap in the sequences and can be sent again what it lacks. A
 * batch has a connection of its own; at several a second that costs nothing, and no dead one is
 * kept.
 */
#include <string.h>

#include "libcommon/cache.h"
#include "services/audit/sink.h"

#define FIELDS 8

/* To connect, and again to log in: a cache's tenth of a second is less than the way to another
 * region and back. What is left is for the batch. */
#define GREETING_MS 750

static const struct cache_entry *entries_of(struct call *c, const struct batch *batch)
{
	struct cache_entry *entries = arena_array(c->arena, batch->n, sizeof(*entries));
	for (size_t i = 0; i < batch->n; i++) {
		const struct sink_event *event = &batch->events[i];
		const char *const fields[FIELDS] = { "tenant", event->tenant_id, "sequence",
			event->sequence, "id", event->id, "line", event->line };
		const char **kept = arena_array(c->arena, FIELDS, sizeof(*kept));
		memcpy(kept, fields, sizeof(fields));
		entries[i] = (struct cache_entry){ kept, FIELDS };
	}
	return entries;
}

static enum err send_batch(struct call *c, const struct batch *batch)
{
	const struct cache_stream stream = {
		.name = sink_conf.redis_stream,
		.max_length = sink_conf.redis_max_length,
		.timeout_ms = SINK_SEND_MS - 2 * GREETING_MS,
	};
	const char *why;
	struct cache *redis =
		cache_open_as(sink_conf.redis, sink_conf.redis_user, sink_conf.redis_password);
	cache_wait(redis, GREETING_MS);
	enum err e = cache_append(redis, c->arena, &stream, entries_of(c, batch), batch->n, &why);
	cache_close(redis);
	return e ? fail(c, e, "Redis: %s", why) : OK;
}

struct sink sink_redis = { .name = "redis", .send = send_batch };

enum err sink_redis_run(struct call *c, bool *more)
{
	return *sink_conf.redis ? pipeline_run(c, &sink_redis, more) : OK;
}
