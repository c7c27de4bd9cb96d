/*
 * Capabilities: who acts, in which tenant, with what. PASETO v4.public (Ed25519), at most a minute
 * old.
 *
 * auth mints them; every service verifies them with auth's public key. The payload is JSON:
 *   {"tenant","user","role","denied":[…],"session","initial":0|1,"closed":0|1,"authenticated",
 *    "factors":1|2,"secondFactor":0|1,"tenantKey","iat","exp"}
 * with times in Unix milliseconds.
 */
#ifndef MANABIYA_CAPABILITY_H
#define MANABIYA_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/crypto.h"
#include "libcommon/err.h"

/* Roles as bits, so that an operation's x-allow is one mask. */
enum role {
	ROLE_ANONYMOUS = 1 << 0,
	ROLE_OPERATOR = 1 << 1,
	ROLE_CONTRACTOR = 1 << 2,
	ROLE_INSTRUCTOR = 1 << 3,
	ROLE_STUDENT = 1 << 4,
	ROLE_SERVICE = 1 << 5, /* a service acting on its own within a tenant */
};
const char *role_name(enum role role);
enum role role_from_name(const char *name); /* 0 if unknown */

/* Features as bits; the names are those of common.yaml. */
enum feature {
	FEATURE_VIDEO_UPLOAD = 1 << 0,
	FEATURE_PEER_COMMENT = 1 << 1,
};
enum feature feature_from_name(const char *name); /* 0 if unknown */
const char *feature_name(enum feature feature); /* "" if unknown */

struct actor {
	const char *tenant_id; /* "" when anonymous */
	const char *user_id; /* "" for anonymous; the service's name for ROLE_SERVICE */
	enum role role;
	unsigned denied; /* features, a mask */
	const char *session_id; /* "" when there is none */
	int64_t authenticated_unix_ms; /* the password was last proven; 0: never */
	unsigned factors; /* how many were proven at the login; 0: nobody logged in */
	bool needs_second_factor; /* for what is of class II and above */
	bool initial; /* logged in with a one-time secret: must change it first */
	bool closed; /* the contract is: nothing but its export is open */
	const char
		*tenant_key; /* what the database wants to see before it enters the tenant (db.h) */
	int64_t expires_unix_ms;
};

#define CAPABILITY_LIFETIME_MS                                                                     \
	60000 /* the longest that a revoked right can live on inside a service */

#define STEP_UP_LIFETIME_MS 300000 /* how long a proven password is good for what is dangerous */

/*
 * `key` signs; the text is arena memory. It expires with the actor, at the latest after
 * CAPABILITY_LIFETIME_MS; actor->expires_unix_ms 0 means just that.
 */
const char *capability_mint(struct arena *arena, const unsigned char key[SIGNING_KEY_SIZE],
	const struct actor *actor, int64_t now_unix_ms);

/* ERR_UNAUTHENTICATED for anything but a capability of this key that has not expired. */
must_check enum err capability_verify(struct arena *arena, const unsigned char key[PUBLIC_KEY_SIZE],
	const char *text, int64_t now_unix_ms, struct actor *out);

/* Would what an actor of this expiry came from verify now? Not if the clock was set back or ahead
 * since it did. */
bool capability_is_timely(int64_t expires_unix_ms, int64_t now_unix_ms);

/*
 * The text for the database setting app.tenant: `<tenant uuid>.<expiry, unix seconds>.<hex
 * HMAC-SHA-256 of what stands before>`. PostgreSQL checks it in tenancy.tenant() (migrations/), so
 * an injected statement cannot switch to another tenant.
 */
const char *capability_tenant_key(struct arena *arena, const unsigned char mac_key[KEY_SIZE],
	const char *tenant_id, int64_t expires_unix_ms);

#endif
