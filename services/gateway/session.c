/*
 * The cache of capabilities, keyed by the hash of the session token and the client's address;
 * tokens themselves are not kept. Never decides about rights: services do, from the capability.
 */
#include "services/gateway/session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/json.h"
#include "services/gateway/ask.h"
#include "services/gateway/gateway.h"

/* Enough that chains stay short with every session of a large contract active in one second. */
#define BUCKETS 16384
/* A flood of different tokens must not grow the cache without bound: the oldest goes. */
#define ENTRIES_MAX 65536
/* A session check that takes longer than this is as good as none. */
#define MINT_TIMEOUT_MS 3000

struct session_wait {
	struct session_wait *next;
	session_on_known *fn; /* NULL: forgotten */
	void *arg;
};

/* One token: auth is being asked while `waits` may grow, then the answer until `expires_ms`. */
struct entry {
	struct entry *chain; /* in its bucket */
	struct entry *older, *newer; /* all that are in the table, by age */
	unsigned char key[HASH_SIZE];
	struct arena *arena;
	struct session_wait *waits;
	bool is_listed; /* in the table; a revocation takes it out while it is being asked for */
	bool is_known;
	bool is_busy; /* the bus or on_minted() holds it: it is freed there */
	enum err err;
	const char *capability;
	struct actor actor;
	int64_t expires_ms; /* clock_steady_ms() */
};

static struct entry *buckets[BUCKETS];
static struct entry *oldest, *newest;
static size_t entries_n;

static struct entry **bucket_of(const unsigned char key[HASH_SIZE])
{
	return &buckets[(size_t)(key[0] | key[1] << 8) % BUCKETS];
}

/* ---- the table ---- */

static void entry_free(struct entry *entry)
{
	while (entry->waits) {
		struct session_wait *wait = entry->waits;
		entry->waits = wait->next;
		free(wait);
	}
	arena_free(entry->arena);
	free(entry);
}

static void list(struct entry *entry)
{
	struct entry **bucket = bucket_of(entry->key);
	entry->chain = *bucket;
	*bucket = entry;
	entry->older = newest;
	*(newest ? &newest->newer : &oldest) = entry;
	newest = entry;
	entry->is_listed = true;
	entries_n++;
}

static void unlist(struct entry *entry)
{
	struct entry **at = bucket_of(entry->key);
	while (*at != entry) {
		at = &(*at)->chain;
	}
	*at = entry->chain;
	*(entry->older ? &entry->older->newer : &oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &newest) = entry->older;
	entry->is_listed = false;
	entries_n--;
}

static void drop(struct entry *entry)
{
	unlist(entry);
	if (!entry->is_busy) {
		entry_free(entry);
	}
}

/* Entries live equally long, so the expired ones are the oldest. */
static void drop_expired(void)
{
	int64_t now_ms = clock_steady_ms();
	while (oldest && oldest->is_known && oldest->expires_ms <= now_ms) {
		drop(oldest);
	}
	while (oldest && entries_n >= ENTRIES_MAX) {
		drop(oldest);
	}
}

static struct entry *find(const unsigned char key[HASH_SIZE])
{
	struct entry *entry = *bucket_of(key);
	while (entry && memcmp(entry->key, key, HASH_SIZE) != 0) {
		entry = entry->chain;
	}
	return entry;
}

/* ---- the answer ---- */

struct actor *actor_copy(struct arena *arena, const struct actor *actor)
{
	struct actor *copy = arena_alloc(arena, sizeof *copy);
	*copy = *actor;
	copy->tenant_id = arena_strdup(arena, actor->tenant_id);
	copy->user_id = arena_strdup(arena, actor->user_id);
	copy->session_id = arena_strdup(arena, actor->session_id);
	copy->tenant_key = arena_strdup(arena, actor->tenant_key);
	return copy;
}

/* {"capability":"…"} with a valid signature; anything else is a broken auth. */
static enum err read_capability(struct entry *entry, const struct bus_reply *reply)
{
	const struct json *json = NULL;
	if (reply->err == ERR_UNAUTHENTICATED || reply->err == ERR_NOT_FOUND) {
		return ERR_UNAUTHENTICATED;
	}
	if (reply->err) {
		return reply->err == ERR_FORBIDDEN ? ERR_FORBIDDEN : ERR_UNAVAILABLE;
	}
	if (json_parse(entry->arena, (const char *)reply->body.data, reply->body.n, &json)) {
		return ERR_UNAVAILABLE;
	}
	const char *text = json_text(json_member(json, "capability"));
	if (!text ||
		capability_verify(
			entry->arena, gateway.auth_key, text, clock_unix_ms(), &entry->actor)) {
		return ERR_UNAVAILABLE;
	}
	entry->capability = text;
	return OK;
}

const struct problem *session_problem(enum err err)
{
	if (err == ERR_UNAUTHENTICATED) {
		return &problem_unauthenticated;
	}
	return err == ERR_FORBIDDEN ? &problem_source_refused : &problem_service_unavailable;
}

static void tell(const struct entry *entry, session_on_known *fn, void *arg)
{
	fn(arg, entry->err, entry->err ? "" : entry->capability, entry->err ? NULL : &entry->actor);
}

static int64_t lifetime_ms(const struct entry *entry)
{
	if (entry->err == ERR_UNAVAILABLE) {
		return 0; /* the next request tries again */
	}
	int64_t left_ms = entry->err ? INT64_MAX : entry->actor.expires_unix_ms - clock_unix_ms();
	int64_t most_ms = gateway.conf->session_cache_ms;
	return left_ms < most_ms ? left_ms : most_ms;
}

static void on_minted(void *arg, const struct bus_reply *reply)
{
	struct entry *entry = arg;
	entry->err = read_capability(entry, reply);
	entry->is_known = true;
	entry->expires_ms = clock_steady_ms() + lifetime_ms(entry);
	/* What is told may ask again, forget others, even drop the entry: take them one by one. */
	while (entry->waits) {
		struct session_wait *wait = entry->waits;
		entry->waits = wait->next;
		if (wait->fn) {
			tell(entry, wait->fn, wait->arg);
		}
		free(wait);
	}
	entry->is_busy = false;
	if (!entry->is_listed) {
		entry_free(entry);
	} else if (entry->expires_ms <= clock_steady_ms()) {
		drop(entry);
	}
}

static struct entry *ask_auth(
	const char *token, const char *source, const unsigned char key[HASH_SIZE], bool is_watching)
{
	struct entry *entry = calloc(1, sizeof *entry);
	if (!entry) {
		abort();
	}
	memcpy(entry->key, key, HASH_SIZE);
	entry->is_busy = true;
	entry->arena = arena_new();
	char body[SESSION_TOKEN_LENGTH + 32];
	int n = snprintf(body, sizeof body, "{\"token\":\"%s\"%s}", token,
		is_watching ? ",\"watching\":true" : "");
	struct bus_request request = {
		.service = "auth",
		.operation = "capability_mint",
		.capability = "",
		.source = source,
		.idempotency_key = "",
		.traceparent = "",
		.content_type = "application/json",
		.body = { .data = (const unsigned char *)body, .n = (size_t)n },
		.timeout_ms = MINT_TIMEOUT_MS,
	};
	list(entry);
	(void)ask_send(&request, (struct ask_terms){ 0 }, on_minted, entry);
	crypto_wipe(body, sizeof body);
	return entry;
}

static struct session_wait *wait_for(struct entry *entry, session_on_known *fn, void *arg)
{
	struct session_wait *wait = malloc(sizeof *wait);
	if (!wait) {
		abort();
	}
	*wait = (struct session_wait){ .next = entry->waits, .fn = fn, .arg = arg };
	return entry->waits = wait;
}

static void make_key(const char *token, const char *source, unsigned char key[HASH_SIZE])
{
	char text[SESSION_TOKEN_LENGTH + 1 + INET6_ADDRSTRLEN];
	int n = snprintf(text, sizeof text, "%.*s %s", SESSION_TOKEN_LENGTH, token, source);
	assert(n < (int)sizeof text);
	crypto_sha256(text, (size_t)n, key);
	crypto_wipe(text, sizeof text);
}

/* Services go by the wall clock: what it says no more, or not yet, they would answer with 401. */
static bool is_good(const struct entry *entry)
{
	return entry->expires_ms > clock_steady_ms() &&
		(entry->err || capability_is_timely(entry->actor.expires_unix_ms, clock_unix_ms()));
}

static struct session_wait *resolve(
	const char *token, const char *source, bool must_ask, session_on_known *fn, void *arg)
{
	unsigned char key[HASH_SIZE];
	make_key(token, source, key);
	drop_expired();
	struct entry *entry = find(key);
	bool is_stale = entry && entry->is_known && (must_ask || !is_good(entry));
	if (is_stale) {
		drop(entry);
		entry = NULL;
	}
	if (entry && entry->is_known) {
		tell(entry, fn, arg);
		return NULL;
	}
	return wait_for(entry ? entry : ask_auth(token, source, key, must_ask), fn, arg);
}

struct session_wait *session_resolve(
	const char *token, const char *source, session_on_known *fn, void *arg)
{
	return resolve(token, source, false, fn, arg);
}

struct session_wait *session_recheck(
	const char *token, const char *source, session_on_known *fn, void *arg)
{
	return resolve(token, source, true, fn, arg);
}

void session_forget(struct session_wait *wait)
{
	if (wait) {
		wait->fn = NULL;
	}
}

/* An answer that is under way may have been made before the revocation: those who wait for it came
 * before it too, but nobody may join them. */
void session_drop(const char *session_id)
{
	for (struct entry *entry = oldest, *next; entry; entry = next) {
		next = entry->newer;
		bool is_it = entry->is_known && !entry->err &&
			!strcmp(entry->actor.session_id, session_id);
		if (is_it || !entry->is_known) {
			drop(entry);
		}
	}
}

void session_stop(void)
{
	while (oldest) {
		drop(oldest);
	}
}
