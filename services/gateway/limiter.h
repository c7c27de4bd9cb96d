/*
 * Counts what subjects (an address, a session, a tenant) do in windows of time, in bounded memory.
 *
 * Windows are fixed and the same in every instance, so counts of several add up; each subject's
 * begin at another moment, so that not everybody's end at once. Two windows that touch may let
 * twice the quota through: limits are set with that in mind. One thread, the loop's.
 */
#ifndef MANABIYA_GATEWAY_LIMITER_H
#define MANABIYA_GATEWAY_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUBJECT_SIZE = 16 };

/* So much, by one subject, in one window. */
struct limit {
	const char *name; /* as clients read it */
	int64_t quota, window_ms;
};

struct limit_state {
	int64_t left; /* of the quota, after this */
	int64_t reset_ms; /* until the window ends */
	bool is_refused;
};

struct limiter;

/* The subjects that were seen longest ago make room for new ones. */
struct limiter *limiter_new(size_t subjects_max);
void limiter_free(struct limiter *limiter);

/* Takes one of the quota, unless there is none left. `limit` must live as long as the limiter. */
struct limit_state limiter_take(struct limiter *limiter, const struct limit *limit,
	const unsigned char subject[SUBJECT_SIZE], int64_t now_unix_ms);

/* ---- sharing with other instances ---- */

/* One subject's news: what was taken here since the last time, and what all have taken. */
struct limit_news {
	const struct limit *limit;
	unsigned char subject[SUBJECT_SIZE];
	int64_t window; /* its number */
	int64_t taken, total;
};

/* Fills at most `n`; returns how many. What is filled counts as shared until settled. */
size_t limiter_news(struct limiter *limiter, struct limit_news *news, size_t n);
/* They were shared, and `total` is known; or they were not, and are news again. */
void limiter_settle(
	struct limiter *limiter, const struct limit_news *news, size_t n, bool was_shared);

#endif
