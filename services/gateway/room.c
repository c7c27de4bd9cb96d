/* See room.h. The turns are start-time fair queueing with requests of equal weight. */
#include "services/gateway/room.h"

#include <stdlib.h>

enum {
	/* A service that answers nothing for so many times as long as it usually takes for one
	 * answer, while its window is full, is stuck; and at least for so long, because the
	 * database and the machine pause, too. */
	STUCK_TIMES = 4,
	STUCK_MIN_MS = 20,
	/* How many answers make what is usual. */
	USUAL_OF = 8,
	/* … and of so many looks none has seen an answer: between two of them the gateway may have
	 * been held up itself, with the answers lying there. So one that comes to a service that
	 * was silent before is held up for these looks only. */
	STUCK_LOOKS = 3,
};

/* One tenant's, in the order of their turns. */
struct group {
	struct group *next, *previous; /* the ring; NULL: those who were given up */
	uint64_t tenant; /* hash */
	struct seat *first, *last;
};

/* FNV-1a. Tenants and sessions have random ids; whoever finds an address that collides shares a
 * turn with another one. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (const char *at = text; *at; at++) {
		hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	}
	return hash;
}

/* ---- groups ---- */

static struct group *group_find(const struct room *room, uint64_t tenant)
{
	struct group *group = room->groups;
	for (size_t i = 0; i < room->groups_n; i++, group = group->next) {
		if (group->tenant == tenant) {
			return group;
		}
	}
	return NULL;
}

/* As the last one of the ring. */
static struct group *group_add(struct room *room, uint64_t tenant)
{
	struct group *group = calloc(1, sizeof *group);
	if (!group) {
		abort(); /* out of memory is never handled by callers */
	}
	group->tenant = tenant;
	group->next = room->groups ? room->groups : group;
	group->previous = room->groups ? room->groups->previous : group;
	group->next->previous = group;
	group->previous->next = group;
	if (!room->groups) {
		room->groups = group;
	}
	room->groups_n++;
	return group;
}

static void group_remove(struct room *room, struct group *group)
{
	if (room->groups == group) {
		room->groups = group->next == group ? NULL : group->next;
	}
	group->next->previous = group->previous;
	group->previous->next = group->next;
	room->groups_n--;
	free(group);
}

/* Behind all whose turn is not later. */
static void link_seat(struct group *group, struct seat *seat)
{
	struct seat *before = group->last;
	while (before && before->turn > seat->turn) {
		before = before->previous;
	}
	seat->group = group;
	seat->previous = before;
	seat->next = before ? before->next : group->first;
	*(before ? &before->next : &group->first) = seat;
	*(seat->next ? &seat->next->previous : &group->last) = seat;
}

static void unlink_seat(struct seat *seat)
{
	struct group *group = seat->group;
	*(seat->previous ? &seat->previous->next : &group->first) = seat->next;
	*(seat->next ? &seat->next->previous : &group->last) = seat->previous;
	seat->group = NULL;
}

/* ---- coming and going ---- */

bool room_is_open(const struct room *room, int64_t max)
{
	return (int64_t)room->n < max && !room->is_stuck;
}

bool room_has(const struct room *room, const char *tenant)
{
	return room->n && group_find(room, hash_of(tenant));
}

void room_enter(
	struct room *room, struct seat *seat, const char *tenant, const char *asker, int64_t now_ms)
{
	uint64_t *turn = &room->turns[hash_of(asker) % ROOM_ASKERS];
	uint64_t hash = hash_of(tenant);
	struct group *group = room->n ? group_find(room, hash) : NULL;
	if (!room->n++) {
		room->looks = 0;
	}
	seat->turn = *turn > room->turn ? *turn : room->turn;
	*turn = seat->turn + 1;
	seat->since_ms = now_ms;
	link_seat(group ? group : group_add(room, hash), seat);
}

void room_leave(struct room *room, struct seat *seat)
{
	struct group *group = seat->group;
	if (!group) {
		return;
	}
	unlink_seat(seat);
	if (!group->next) {
		return; /* counted as gone already */
	}
	room->n--;
	if (!group->first) {
		group_remove(room, group);
	}
}

/* ---- getting on ---- */

void room_answered(struct room *room, int64_t took_ms, int64_t now_ms)
{
	room->usual_us += (took_ms * 1000 - room->usual_us) / USUAL_OF;
	room->answered_ms = now_ms;
	room->looks = 0;
	room->is_stuck = false;
}

/* One tenant after the other, each one request, until a whole round of them has no place. */
void room_serve(struct room *room, room_send *send)
{
	size_t without = 0;
	while (room->groups && without < room->groups_n) {
		struct group *group = room->groups;
		struct seat *seat = group->first;
		enum bus_refusal refusal = send(seat);
		room->groups = group->next;
		if (refusal == BUS_TAKEN) {
			room->turn = seat->turn > room->turn ? seat->turn : room->turn;
			room_leave(room, seat);
			without = 0;
		} else if (refusal == BUS_TENANT_FULL) {
			without++;
		} else {
			room->groups = group; /* it is still its turn */
			room->is_stuck = refusal == BUS_AWAY;
			return;
		}
	}
}

static bool has_stopped(const struct room *room, int64_t now_ms)
{
	int64_t pause_ms = STUCK_TIMES * room->usual_us / 1000;
	if (pause_ms < STUCK_MIN_MS) {
		pause_ms = STUCK_MIN_MS;
	}
	return room->n && room->looks >= STUCK_LOOKS && now_ms - room->answered_ms > pause_ms;
}

/* Of the next tenant those who came until then, moved to `leaving`. */
static void pick(struct room *room, struct group *group, struct group *leaving, int64_t until_ms)
{
	for (struct seat *at = group->first, *next; at; at = next) {
		next = at->next;
		if (at->since_ms <= until_ms) {
			unlink_seat(at);
			link_seat(leaving, at);
			room->n--;
		}
	}
	room->groups = group->next;
	if (!group->first) {
		group_remove(room, group);
	}
}

void room_give_up(
	struct room *room, int64_t patience_ms, int64_t now_ms, void (*fn)(struct seat *seat))
{
	struct group leaving = { .next = NULL };
	room->looks++;
	room->is_stuck = room->is_stuck || has_stopped(room, now_ms);
	int64_t until_ms = room->is_stuck ? now_ms : now_ms - patience_ms;
	for (size_t left = room->groups_n; left && room->groups; left--) {
		pick(room, room->groups, &leaving, until_ms);
	}
	while (leaving.first) {
		struct seat *seat = leaving.first;
		unlink_seat(seat);
		fn(seat);
	}
}
