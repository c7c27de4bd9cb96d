/* The queue of access records; see access_ring.h. One thread, the loop's. */
#include "services/gateway/access_ring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/buf.h"
#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "libcommon/uuid.h"

enum { LOSSES_MAX = 200 }; /* lines; with one for each record within what audit takes */

/* A request outlives nothing of its visit, so what `access` names is here; some 400 bytes. */
struct record {
	struct ocsf_access access;
	size_t place; /* in its batch */
	char call_id[UUID_SIZE], object_id[UUID_SIZE];
	char tenant_id[UUID_SIZE], user_id[UUID_SIZE], session_id[UUID_SIZE];
	char source[INET6_ADDRSTRLEN];
};

/* Dropped records, of class III and above and others: not told yet, and told in the batch. */
struct losses {
	uint64_t n[2], told[2];
};
enum { PROMISED, OTHERS };
static const enum label loss_labels[] = { [PROMISED] = LABEL_III, [OTHERS] = LABEL_IV };

/* As many as there are tenants, so they need no bound. */
struct tenant {
	char id[UUID_SIZE]; /* "" for strangers */
	bool is_open;
	struct losses losses;
};

struct access_ring {
	char run_id[UUID_SIZE];
	uint64_t stored; /* batches */
	bool has_spoken; /* something was made for audit, so it may know of the run */
	struct tenant *tenants; /* sorted by id */
	size_t tenants_n;
	size_t capacity, first, n;
	size_t batch_n; /* of these, in the batch that is not settled */
	size_t others_n; /* of these, below class III and in no batch */
	struct arena *arena; /* of that batch; NULL: there is none */
	const char *batch; /* as it was told and is told again: its events have their ids */
	bool has_lost, has_told_lost; /* not told yet; told in the batch */
	struct record records[];
};

struct access_ring *access_ring_new(size_t capacity)
{
	struct access_ring *ring = calloc(1, sizeof *ring + capacity * sizeof(struct record));
	if (!ring)
		abort();
	ring->capacity = capacity;
	uuid_new(ring->run_id);
	return ring;
}

void access_ring_free(struct access_ring *ring)
{
	if (!ring)
		return;
	arena_free(ring->arena);
	free(ring->tenants);
	free(ring);
}

size_t access_ring_n(const struct access_ring *ring)
{
	return ring->n;
}

/* ---- tenants ---- */

/* Where the tenant stands, or would stand. */
static size_t place_of(const struct access_ring *ring, const char *tenant_id)
{
	size_t low = 0, high = ring->tenants_n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(ring->tenants[middle].id, tenant_id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct access_ring *ring, size_t at, const char *tenant_id)
{
	return at < ring->tenants_n && strcmp(ring->tenants[at].id, tenant_id) == 0;
}

static const char *copy(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
	return to;
}

/* New ones are rare: once for each school that somebody comes from. */
static struct tenant *tenant_of(struct access_ring *ring, const char *tenant_id)
{
	size_t at = place_of(ring, tenant_id);
	if (is_at(ring, at, tenant_id))
		return &ring->tenants[at];
	ring->tenants = reallocarray(ring->tenants, ring->tenants_n + 1, sizeof(struct tenant));
	if (!ring->tenants)
		abort();
	struct tenant *tenant = &ring->tenants[at];
	memmove(tenant + 1, tenant, (ring->tenants_n++ - at) * sizeof(struct tenant));
	*tenant = (struct tenant){ .is_open = false };
	(void)copy(tenant->id, sizeof tenant->id, tenant_id);
	return tenant;
}

bool access_ring_is_open(const struct access_ring *ring, const char *tenant_id)
{
	size_t at = place_of(ring, tenant_id);
	return is_at(ring, at, tenant_id) && ring->tenants[at].is_open;
}

const char *access_ring_opening(
	struct access_ring *ring, struct arena *arena, const char *tenant_id)
{
	ring->has_spoken = true;
	return arena_printf(
		arena, "{\"runId\":\"%s\",\"tenantId\":\"%s\"}", ring->run_id, tenant_id);
}

void access_ring_opened(struct access_ring *ring, const char *tenant_id)
{
	tenant_of(ring, tenant_id)->is_open = true;
}

bool access_ring_has_spoken(const struct access_ring *ring)
{
	return ring->has_spoken;
}

/* ---- records ---- */

static bool is_other(const struct ocsf_access *access)
{
	return !ocsf_access_is_promised(access->label);
}

static void count_lost(struct access_ring *ring, const struct ocsf_access *access)
{
	ring->has_lost = true;
	tenant_of(ring, access->actor.tenant_id)->losses.n[is_other(access) ? OTHERS : PROMISED]++;
}

static struct record *record_at(struct access_ring *ring, size_t i)
{
	return &ring->records[(ring->first + i) % ring->capacity];
}

/* The place of the newest record that is below class III, which is lost; NULL when there is none.
 */
static struct record *place_of_other(struct access_ring *ring)
{
	for (size_t i = ring->n; ring->others_n && i > ring->batch_n; i--) {
		struct record *record = record_at(ring, i - 1);
		if (is_other(&record->access)) {
			count_lost(ring, &record->access);
			ring->others_n--;
			return record;
		}
	}
	return NULL;
}

/* NULL: there is no room for it. */
static struct record *place_for(struct access_ring *ring, const struct ocsf_access *access)
{
	if (ring->n < ring->capacity)
		return record_at(ring, ring->n++);
	return is_other(access) ? NULL : place_of_other(ring);
}

void access_ring_add(struct access_ring *ring, const struct ocsf_access *access)
{
	struct record *record = place_for(ring, access);
	if (!record) {
		count_lost(ring, access);
		return;
	}
	ring->others_n += is_other(access);
	struct ocsf_access *kept = &record->access;
	*kept = *access;
	kept->call_id = copy(record->call_id, sizeof record->call_id, access->call_id);
	kept->object_id = copy(record->object_id, sizeof record->object_id, access->object_id);
	kept->source = copy(record->source, sizeof record->source, access->source);
	kept->actor = (struct actor){ .role = access->actor.role,
		.factors = access->actor.factors,
		.authenticated_unix_ms = access->actor.authenticated_unix_ms,
		.tenant_id =
			copy(record->tenant_id, sizeof record->tenant_id, access->actor.tenant_id),
		.user_id = copy(record->user_id, sizeof record->user_id, access->actor.user_id),
		.session_id = copy(
			record->session_id, sizeof record->session_id, access->actor.session_id) };
}

/* ---- batches ---- */

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
		records[i] = record_at(ring, i);
		records[i]->place = i;
		ring->others_n -= is_other(&records[i]->access);
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

/* Tenants whose losses did not fit into the batch are told in the next. */
static void add_losses(struct access_ring *ring, struct buf *out)
{
	size_t room = LOSSES_MAX;
	ring->has_lost = false;
	ring->has_told_lost = true;
	for (size_t i = 0; i < ring->tenants_n; i++) {
		struct tenant *tenant = &ring->tenants[i];
		for (size_t of = PROMISED; of <= OTHERS; of++) {
			uint64_t n = tenant->losses.n[of];
			ring->has_lost = ring->has_lost || (n && !room);
			if (!n || !room)
				continue;
			add_line(out,
				ocsf_lost_line(ring->arena, uuid_make(ring->arena), clock_unix_ms(),
					tenant->id, loss_labels[of], n));
			tenant->losses.told[of] = n;
			tenant->losses.n[of] = 0;
			room--;
		}
	}
}

static void end_body(const struct access_ring *ring, struct buf *out, bool is_end)
{
	buf_printf(out, "],\"runId\":\"%s\",\"stored\":%llu,\"ended\":%s}", ring->run_id,
		(unsigned long long)ring->stored, is_end ? "true" : "false");
}

const char *access_ring_word(const struct access_ring *ring, struct arena *arena, bool is_end)
{
	struct buf out = { .arena = arena };
	buf_text(&out, "{\"lines\":[");
	end_body(ring, &out, is_end);
	return out.data;
}

const char *access_ring_batch(struct access_ring *ring, size_t max)
{
	if (ring->batch)
		return ring->batch;
	if (!ring->n && !ring->has_lost)
		return NULL;
	ring->arena = arena_new();
	ring->has_spoken = true;
	struct buf out = { .arena = ring->arena };
	ring->batch_n = ring->n < max ? ring->n : max;
	add_records(ring, &out);
	if (ring->has_lost)
		add_losses(ring, &out);
	end_body(ring, &out, false);
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
	for (size_t i = 0; ring->has_told_lost && i < ring->tenants_n; i++)
		ring->tenants[i].losses.told[PROMISED] = ring->tenants[i].losses.told[OTHERS] = 0;
	ring->has_told_lost = false;
}

void access_ring_stored(struct access_ring *ring)
{
	ring->stored += ring->batch != NULL;
	forget_batch(ring);
}

void access_ring_refused(struct access_ring *ring)
{
	for (size_t i = 0; i < ring->batch_n; i++)
		count_lost(ring, &record_at(ring, i)->access);
	for (size_t i = 0; i < ring->tenants_n; i++) {
		struct losses *losses = &ring->tenants[i].losses;
		losses->n[PROMISED] += losses->told[PROMISED];
		losses->n[OTHERS] += losses->told[OTHERS];
		ring->has_lost = ring->has_lost || losses->n[PROMISED] || losses->n[OTHERS];
	}
	forget_batch(ring);
}
