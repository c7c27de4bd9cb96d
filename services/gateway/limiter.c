/*
 * A hash table of subjects with two lists through it: by age, for making room, and of those that
 * have news. Keys are hashes that no client can choose, so chains stay short.
 */
#include "services/gateway/limiter.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *chain; /* in its bucket */
	struct entry *older, *newer;
	struct entry *next_news;
	const struct limit *limit; /* NULL: never used */
	unsigned char subject[SUBJECT_SIZE];
	int64_t window;
	int64_t taken; /* here */
	int64_t shared; /* of these, what others know of */
	int64_t of_others; /* taken elsewhere, as far as we know */
	bool has_news;
};

struct limiter {
	struct entry *entries, **buckets;
	size_t entries_n, used, mask;
	struct entry *oldest, *newest;
	struct entry *news, **news_end;
};

static void *zeroed(size_t n, size_t size)
{
	void *memory = calloc(n, size); /* pages are touched only when they are used */
	if (!memory)
		abort();
	return memory;
}

struct limiter *limiter_new(size_t subjects_max)
{
	struct limiter *limiter = zeroed(1, sizeof *limiter);
	size_t buckets_n = 64;
	while (buckets_n < subjects_max)
		buckets_n *= 2;
	limiter->entries_n = subjects_max;
	limiter->entries = zeroed(subjects_max, sizeof *limiter->entries);
	limiter->buckets = zeroed(buckets_n, sizeof(struct entry *));
	limiter->mask = buckets_n - 1;
	limiter->news_end = &limiter->news;
	return limiter;
}

void limiter_free(struct limiter *limiter)
{
	if (!limiter)
		return;
	free(limiter->entries);
	free(limiter->buckets);
	free(limiter);
}

/* ---- the table ---- */

static size_t number_in(const unsigned char subject[SUBJECT_SIZE], size_t at)
{
	uint32_t number;
	memcpy(&number, subject + at, sizeof number);
	return number;
}

static struct entry **bucket_of(
	struct limiter *limiter, const struct limit *limit, const unsigned char *subject)
{
	size_t hash = number_in(subject, 0) + (uintptr_t)limit / sizeof *limit;
	return &limiter->buckets[hash & limiter->mask];
}

static struct entry *find(
	struct limiter *limiter, const struct limit *limit, const unsigned char *subject)
{
	struct entry *entry = *bucket_of(limiter, limit, subject);
	while (entry &&
		(entry->limit != limit || memcmp(entry->subject, subject, SUBJECT_SIZE) != 0))
		entry = entry->chain;
	return entry;
}

static void unlink_age(struct limiter *limiter, struct entry *entry)
{
	*(entry->older ? &entry->older->newer : &limiter->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &limiter->newest) = entry->older;
}

static void link_newest(struct limiter *limiter, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = limiter->newest;
	*(limiter->newest ? &limiter->newest->newer : &limiter->oldest) = entry;
	limiter->newest = entry;
}

/* Out of its bucket and the list of ages; its news, if any, stay in their list. */
static void forget(struct limiter *limiter, struct entry *entry)
{
	struct entry **at = bucket_of(limiter, entry->limit, entry->subject);
	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	unlink_age(limiter, entry);
}

static struct entry *add(
	struct limiter *limiter, const struct limit *limit, const unsigned char *subject)
{
	struct entry *entry;
	if (limiter->used < limiter->entries_n) {
		entry = &limiter->entries[limiter->used++];
	} else {
		entry = limiter->oldest;
		forget(limiter, entry);
	}
	struct entry **bucket = bucket_of(limiter, limit, subject);
	*entry = (struct entry){
		.chain = *bucket,
		.limit = limit,
		.has_news = entry->has_news, /* it stands in that list still */
		.next_news = entry->next_news,
	};
	memcpy(entry->subject, subject, SUBJECT_SIZE);
	*bucket = entry;
	link_newest(limiter, entry);
	return entry;
}

/* ---- counting ---- */

/* Where in the window's length the subject's windows begin. */
static int64_t moment_in(const struct limit *limit, const unsigned char *subject, int64_t now_ms)
{
	return now_ms + (int64_t)number_in(subject, 4) % limit->window_ms;
}

static void enter_window(struct entry *entry, int64_t window)
{
	if (entry->window == window)
		return;
	entry->window = window;
	entry->taken = entry->shared = entry->of_others = 0;
}

static void note_news(struct limiter *limiter, struct entry *entry)
{
	if (entry->has_news)
		return;
	entry->has_news = true;
	entry->next_news = NULL;
	*limiter->news_end = entry;
	limiter->news_end = &entry->next_news;
}

struct limit_state limiter_take(struct limiter *limiter, const struct limit *limit,
	const unsigned char subject[SUBJECT_SIZE], int64_t now_unix_ms)
{
	int64_t moment = moment_in(limit, subject, now_unix_ms);
	struct entry *entry = find(limiter, limit, subject);
	if (!entry) {
		entry = add(limiter, limit, subject);
	} else if (entry != limiter->newest) {
		unlink_age(limiter, entry);
		link_newest(limiter, entry);
	}
	enter_window(entry, moment / limit->window_ms);
	struct limit_state state = {
		.left = limit->quota - entry->taken - entry->of_others,
		.reset_ms = limit->window_ms - moment % limit->window_ms,
	};
	state.is_refused = state.left <= 0;
	if (state.is_refused) {
		state.left = 0;
		return state;
	}
	state.left--;
	entry->taken++;
	note_news(limiter, entry);
	return state;
}

/* ---- sharing ---- */

size_t limiter_news(struct limiter *limiter, struct limit_news *news, size_t n)
{
	size_t filled = 0;
	while (limiter->news && filled < n) {
		struct entry *entry = limiter->news;
		limiter->news = entry->next_news;
		entry->has_news = false;
		if (entry->taken == entry->shared)
			continue; /* another subject took its place and has nothing yet */
		struct limit_news *item = &news[filled++];
		*item = (struct limit_news){
			.limit = entry->limit,
			.window = entry->window,
			.taken = entry->taken - entry->shared,
		};
		memcpy(item->subject, entry->subject, SUBJECT_SIZE);
		entry->shared = entry->taken;
	}
	if (!limiter->news)
		limiter->news_end = &limiter->news;
	return filled;
}

/* What others count includes what we have shared, and nothing of what came after. */
static void settle(struct limiter *limiter, struct entry *entry, const struct limit_news *news,
	bool was_shared)
{
	if (was_shared) {
		int64_t of_others = news->total - entry->shared;
		entry->of_others = of_others > 0 ? of_others : 0;
	} else {
		entry->shared -= news->taken;
		note_news(limiter, entry);
	}
}

void limiter_settle(
	struct limiter *limiter, const struct limit_news *news, size_t n, bool was_shared)
{
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = find(limiter, news[i].limit, news[i].subject);
		if (entry && entry->window == news[i].window)
			settle(limiter, entry, &news[i], was_shared);
	}
}
