/*
 * Slowing down guesses: by login name in the database, by source address in the cache.
 *
 * An attempt is charged before it is made. A name that nobody has is charged like any other. Nobody
 * is locked out for good: the wait ends at a quarter of an hour.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/cache.h"
#include "libcommon/clock.h"
#include "services/auth/auth.h"

static const struct problem TOO_MANY = { ERR_LIMITED, 429, "too_many_attempts",
	"ログインの失敗が続いたため、しばらく待ってからもう一度お試しください。",
	"Too many failed attempts. Please wait before trying again." };

static enum err refuse(struct call *c, int64_t wait_s)
{
	enum err e = fail_with(c, &TOO_MANY, "wait");
	c->failure.retry_after_s = wait_s < 1 ? 1 : (int)wait_s;
	return e;
}

/* ---- by login name ---- */

/* Free failures: people mistype. Then 1 s, 2 s, 4 s … 900 s until the next attempt. A day without
 * failures forgets them. No row: it is too early. */
static const char CHARGE[] =
	"INSERT INTO throttle AS t (subject, failures, next_attempt_at, updated_at)"
	" VALUES ($1::bytea, 1, " MOMENT(2) ", " MOMENT(
		2) ")"
		   " ON CONFLICT (subject) DO UPDATE SET"
		   "  failures = CASE WHEN t.updated_at < excluded.updated_at - interval '1 day' "
		   "THEN 1"
		   "   ELSE t.failures + 1 END,"
		   "  next_attempt_at = excluded.updated_at + interval '1 second' * CASE"
		   "   WHEN t.failures + 1 < 5 OR t.updated_at < excluded.updated_at - interval '1 "
		   "day' THEN 0"
		   "   ELSE least(2.0 ^ least(t.failures + 1 - 5, 20), 900) END,"
		   "  updated_at = excluded.updated_at"
		   " WHERE t.next_attempt_at <= excluded.updated_at";
static const char WAIT[] = "SELECT ceil(extract(epoch FROM next_attempt_at - " MOMENT(
	2) "))::bigint"
	   " FROM throttle WHERE subject = $1::bytea";
static const char CLEAR[] = "DELETE FROM throttle WHERE subject = $1::bytea";

enum err throttle_charge(struct call *c, const unsigned char subject[HASH_SIZE])
{
	const char *name = db_bytea(c, subject, HASH_SIZE);
	const char *now = db_integer(c, clock_unix_ms());
	int64_t charged = 0;
	enum err e = db_count(c, CHARGE, DB_ARGS(name, now), &charged);
	if (e || charged)
		return e;
	const char *wait_s;
	e = db_text(c, WAIT, DB_ARGS(name, now), &wait_s);
	if (e && e != ERR_NOT_FOUND)
		return e;
	return refuse(c, e ? 1 : strtoll(wait_s, NULL, 10));
}

enum err throttle_clear(struct call *c, const unsigned char subject[HASH_SIZE])
{
	return db_exec(c, CLEAR, DB_ARGS(db_bytea(c, subject, HASH_SIZE)));
}

/* ---- by source address ---- */

/* A school stands behind one address, so names are counted, not attempts: this many different ones
 * that failed within the window are no class that mistyped. */
#define NAMES_MAX 200
#define WINDOW_MS 900000
#define NAME_DIGITS 8 /* of the subject's hash; a collision counts two names as one */

/* The whole IPv4 address; of IPv6 the /64 that one household or school gets. */
static const char *source_key(struct call *c)
{
	unsigned char address[16];
	if (inet_pton(AF_INET, c->source, address) == 1)
		return arena_printf(c->arena, "source:%s", crypto_hex(c->arena, address, 4));
	if (inet_pton(AF_INET6, c->source, address) == 1)
		return arena_printf(c->arena, "source:%s", crypto_hex(c->arena, address, 8));
	return NULL;
}

/* The names that failed, one behind the other; NULL without a cache or an address. */
static char *failed_names(struct call *c, const char *key)
{
	const char *names = "";
	if (!key)
		return NULL;
	enum err e = cache_get(c->cache, c->arena, key, &names);
	if (e && e != ERR_NOT_FOUND)
		return NULL;
	return arena_strdup(c->arena, e || !names ? "" : names);
}

static char *find_name(char *names, const char *name)
{
	for (char *at = names; strlen(at) >= NAME_DIGITS; at += NAME_DIGITS)
		if (memcmp(at, name, NAME_DIGITS) == 0)
			return at;
	return NULL;
}

static const char *name_of(struct call *c, const unsigned char subject[HASH_SIZE])
{
	return crypto_hex(c->arena, subject, NAME_DIGITS / 2);
}

enum err source_check(struct call *c, const unsigned char subject[HASH_SIZE])
{
	char *names = failed_names(c, source_key(c));
	if (!names || strlen(names) < (size_t)NAMES_MAX * NAME_DIGITS ||
		find_name(names, name_of(c, subject)))
		return OK;
	return refuse(c, WINDOW_MS / 1000);
}

/* Two attempts at once may lose one name: this slows down, it does not account. */
void source_note(struct call *c, const unsigned char subject[HASH_SIZE], bool is_right)
{
	const char *key = source_key(c);
	char *names = failed_names(c, key);
	if (!names)
		return;
	const char *name = name_of(c, subject);
	char *found = find_name(names, name);
	if (is_right == !found || strlen(names) > (size_t)NAMES_MAX * NAME_DIGITS)
		return;
	if (found)
		memmove(found, found + NAME_DIGITS, strlen(found + NAME_DIGITS) + 1);
	else
		names = arena_printf(c->arena, "%s%s", names, name);
	/* Without an answer there is no cache, and nothing to do about it. */
	enum err ignored = cache_set(c->cache, key, names, WINDOW_MS);
	(void)ignored;
}
