/*
 * Where requests wait for a place in the window of one service: when as many are under way as it
 * takes at once, the others need not be refused if places become free all the time.
 *
 * Fair: tenants take turns, and within a tenant those who ask do, however many requests one of them
 * has here. Bounded in number and time. A service that answers nothing holds nobody up: then all
 * that wait are given up at once, and nobody enters until it has answered again.
 *
 * Knows neither clock nor bus. On the loop's thread.
 */
#ifndef MANABIYA_GATEWAY_ROOM_H
#define MANABIYA_GATEWAY_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/bus.h"

struct group;

/* Where one waits; part of what waits. */
struct seat {
	struct seat *next, *previous;
	struct group *group; /* NULL: does not wait */
	uint64_t turn; /* least first */
	int64_t since_ms;
};

enum {
	ROOM_ASKERS = 1024, /* turns that are remembered; two askers may share one */
};

struct room {
	size_t n;
	struct group *groups; /* a ring of tenants, the next one first */
	size_t groups_n;
	uint64_t turn; /* of the last one that got its place */
	uint64_t turns[ROOM_ASKERS]; /* the next of each asker, by hash */
	int64_t answered_ms;
	int64_t usual_us; /* that an answer takes, smoothed */
	unsigned looks; /* without an answer since the first of those who wait came */
	bool is_stuck;
};

/* May one more enter, if it holds so many? */
must_check bool room_is_open(const struct room *room, int64_t max);

/* Does anybody of this tenant wait? Then who comes later stands behind. */
must_check bool room_has(const struct room *room, const char *tenant);

/* `asker`: who shares one turn, such as a session; any text. */
void room_enter(struct room *room, struct seat *seat, const char *tenant, const char *asker,
	int64_t now_ms);

/* Does nothing for one that does not wait. */
void room_leave(struct room *room, struct seat *seat);

/* The service has answered something, so it is at work; it took so long. */
void room_answered(struct room *room, int64_t took_ms, int64_t now_ms);

/* Try to send those whose turn it is, until no place is free; who was sent is out. */
typedef enum bus_refusal room_send(struct seat *seat);
void room_serve(struct room *room, room_send *send);

/* One look at those who wait: take out who has waited for `patience_ms`, and all when the service
 * is stuck, and give each to `fn`, which may also make others leave. */
void room_give_up(
	struct room *room, int64_t patience_ms, int64_t now_ms, void (*fn)(struct seat *seat));

#endif
