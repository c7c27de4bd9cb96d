/* The queue of access records; see access_ring.h. One thread, the loop's. */
#include "services/gateway/access_ring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcommon/buf.h"
#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/uuid.h"

/* A request outlives nothing of its visit, so all of it is here; some 300 bytes. */
struct record {
	char event_id[UUID_SIZE], call_id[UUID_SIZE];
	char tenant_id[UUID_SIZE], user_id[UUID_SIZE], session_id[UUID_SIZE];
	char source[INET6_ADDRSTRLEN];
	enum role role;
	const char *method, *route;
	unsigned status;
	int64_t unix_ms, session_us, service_us, total_us;
};

/* That records are missing: kept apart, since it is told when there is no room. */
struct loss {
	char event_id[UUID_SIZE];
	int64_t unix_ms;
	uint64_t n;
};

struct access_ring {
	size_t capacity, first, n;
	size_t batch_n; /* of these, in the batch that is not settled */
	uint64_t dropped; /* and not yet in `loss` */
	struct loss loss; /* in the batch; n 0: none */
	struct record records[];
};

struct access_ring *access_ring_new(size_t capacity)
{
	struct access_ring *ring = calloc(1, sizeof *ring + capacity * sizeof(struct record));
	if (!ring)
		abort();
	ring->capacity = capacity;
	return ring;
}

void access_ring_free(struct access_ring *ring)
{
	free(ring);
}

size_t access_ring_n(const struct access_ring *ring)
{
	return ring->n;
}

static void copy(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
}

void access_ring_add(struct access_ring *ring, const struct ocsf_access *access)
{
	if (ring->n == ring->capacity) {
		ring->dropped++;
		return;
	}
	struct record *record = &ring->records[(ring->first + ring->n++) % ring->capacity];
	*record = (struct record){
		.role = access->actor.role,
		.method = access->method,
		.route = access->route,
		.status = access->status,
		.unix_ms = access->unix_ms,
		.session_us = access->session_us,
		.service_us = access->service_us,
		.total_us = access->total_us,
	};
	uuid_new(record->event_id);
	copy(record->call_id, sizeof record->call_id, access->call_id);
	copy(record->tenant_id, sizeof record->tenant_id, access->actor.tenant_id);
	copy(record->user_id, sizeof record->user_id, access->actor.user_id);
	copy(record->session_id, sizeof record->session_id, access->actor.session_id);
	copy(record->source, sizeof record->source, access->source);
}

static const char *line_of(struct arena *arena, const struct record *record)
{
	const struct ocsf_access access = {
		.event_id = record->event_id,
		.call_id = record->call_id,
		.source = record->source,
		.actor = { .tenant_id = record->tenant_id,
			.user_id = record->user_id,
			.session_id = record->session_id,
			.role = record->role },
		.method = record->method,
		.route = record->route,
		.status = record->status,
		.unix_ms = record->unix_ms,
		.session_us = record->session_us,
		.service_us = record->service_us,
		.total_us = record->total_us,
	};
	return ocsf_access_line(arena, &access);
}

/* One that was told in vain is told again as it was; what was dropped since waits its turn. */
static void take_loss(struct access_ring *ring)
{
	if (ring->loss.n || !ring->dropped)
		return;
	ring->loss = (struct loss){ .unix_ms = clock_unix_ms(), .n = ring->dropped };
	uuid_new(ring->loss.event_id);
	ring->dropped = 0;
}

static void add_line(struct buf *out, const char *line)
{
	buf_text(out, out->n ? "," : "{\"lines\":[");
	json_quote(out, line);
}

const char *access_ring_batch(struct access_ring *ring, struct arena *arena, size_t max)
{
	struct buf out = { .arena = arena };
	ring->batch_n = ring->n < max ? ring->n : max;
	for (size_t i = 0; i < ring->batch_n; i++)
		add_line(&out, line_of(arena, &ring->records[(ring->first + i) % ring->capacity]));
	take_loss(ring);
	if (ring->loss.n)
		add_line(&out,
			ocsf_lost_line(arena, ring->loss.event_id, ring->loss.unix_ms,
				ring->loss.event_id, ring->loss.n));
	if (!out.n)
		return NULL;
	buf_text(&out, "]}");
	return out.data;
}

static void forget_batch(struct access_ring *ring)
{
	ring->first = (ring->first + ring->batch_n) % ring->capacity;
	ring->n -= ring->batch_n;
	ring->batch_n = 0;
	ring->loss.n = 0;
}

void access_ring_stored(struct access_ring *ring)
{
	forget_batch(ring);
}

void access_ring_refused(struct access_ring *ring)
{
	ring->dropped += ring->batch_n + ring->loss.n;
	forget_batch(ring);
}
