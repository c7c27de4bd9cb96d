/* The queue of access records; see access_ring.h. One thread, the loop's. */
#include "services/gateway/access_ring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcommon/buf.h"
#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/uuid.h"

/* A request outlives nothing of its visit, so what `access` names is here; some 400 bytes. */
struct record {
	struct ocsf_access access;
	size_t place; /* in its batch */
	char call_id[UUID_SIZE], object_id[UUID_SIZE];
	char tenant_id[UUID_SIZE], user_id[UUID_SIZE], session_id[UUID_SIZE];
	char source[INET6_ADDRSTRLEN];
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
	struct arena *arena; /* of that batch; NULL: there is none */
	const char *batch; /* as it was told and is told again: its events have their ids */
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
	if (!ring)
		return;
	arena_free(ring->arena);
	free(ring);
}

size_t access_ring_n(const struct access_ring *ring)
{
	return ring->n;
}

static const char *copy(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
	return to;
}

void access_ring_add(struct access_ring *ring, const struct ocsf_access *access)
{
	if (ring->n == ring->capacity) {
		ring->dropped++;
		return;
	}
	struct record *record = &ring->records[(ring->first + ring->n++) % ring->capacity];
	struct ocsf_access *kept = &record->access;
	*kept = *access;
	kept->call_id = copy(record->call_id, sizeof record->call_id, access->call_id);
	kept->object_id = copy(record->object_id, sizeof record->object_id, access->object_id);
	kept->source = copy(record->source, sizeof record->source, access->source);
	kept->actor = (struct actor){ .role = access->actor.role,
		.factors = access->actor.factors,
		.tenant_id =
			copy(record->tenant_id, sizeof record->tenant_id, access->actor.tenant_id),
		.user_id = copy(record->user_id, sizeof record->user_id, access->actor.user_id),
		.session_id = copy(
			record->session_id, sizeof record->session_id, access->actor.session_id) };
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

static int compare(const void *a, const void *b)
{
	const struct record *const *one = a, *const *other = b;
	int order = ocsf_access_compare(&(*one)->access, &(*other)->access);
	return order ? order
		     : ((*one)->place > (*other)->place) - ((*one)->place < (*other)->place);
}

static void add_records(struct access_ring *ring, struct buf *out)
{
	struct record **records = arena_array(ring->arena, ring->batch_n + 1, sizeof(*records));
	const struct ocsf_access **accesses =
		arena_array(ring->arena, ring->batch_n + 1, sizeof(*accesses));
	for (size_t i = 0; i < ring->batch_n; i++) {
		records[i] = &ring->records[(ring->first + i) % ring->capacity];
		records[i]->place = i;
	}
	qsort(records, ring->batch_n, sizeof(struct record *), compare);
	for (size_t i = 0; i < ring->batch_n; i++)
		accesses[i] = &records[i]->access;
	for (size_t i = 0, n; i < ring->batch_n; i += n) {
		n = ring->batch_n - i;
		add_line(out,
			ocsf_access_line(ring->arena, uuid_make(ring->arena), accesses + i, &n));
	}
}

const char *access_ring_batch(struct access_ring *ring, size_t max)
{
	if (ring->batch)
		return ring->batch;
	if (!ring->n && !ring->dropped && !ring->loss.n)
		return NULL;
	ring->arena = arena_new();
	struct buf out = { .arena = ring->arena };
	ring->batch_n = ring->n < max ? ring->n : max;
	add_records(ring, &out);
	take_loss(ring);
	if (ring->loss.n)
		add_line(&out,
			ocsf_lost_line(ring->arena, ring->loss.event_id, ring->loss.unix_ms,
				ring->loss.event_id, ring->loss.n));
	buf_text(&out, "]}");
	ring->batch = out.data;
	return ring->batch;
}

static void forget_batch(struct access_ring *ring)
{
	arena_free(ring->arena);
	ring->arena = NULL;
	ring->batch = NULL;
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
