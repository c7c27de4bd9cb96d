/*
 * One call of an operation: what the handler gets, and how it refuses.
 *
 * A handler allocates from c->arena, reads c->actor, uses db_*(c, …), may call other services
 * through generated stubs, and returns OK or `return fail(c, …)`. It never commits, never writes
 * audit records, never logs errors: the skeleton (service.c) does.
 */
#ifndef MANABIYA_CALL_H
#define MANABIYA_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/arena.h"
#include "libcommon/capability.h"
#include "libcommon/err.h"
#include "libcommon/shape.h"

struct bus;
struct bus_job;
struct cache;
struct db;
struct keyring;
struct op;
struct service;

enum language { LANGUAGE_JA, LANGUAGE_EN };

/* One broken field of a request. */
struct field_error {
	const char *pointer; /* JSON Pointer, e.g. /users/3/name */
	const char *ja;
	const char *en;
};
#define FIELD_ERRORS_MAX 100

/* Why the call failed; the skeleton turns it into problem+json and one log line. */
struct failure {
	const struct problem *problem; /* NULL while nothing failed */
	const char *detail; /* for the client, except INTERNAL and UNAVAILABLE: logged only */
	const char *place; /* file:line */
	int retry_after_s; /* 0: none */
	struct field_error fields[FIELD_ERRORS_MAX];
	unsigned fields_n;
};

/* The part of a body that this call carries when the operation streams (x-stream). */
struct window {
	int64_t offset; /* request: of this part within the whole request body. response: of the
			   first byte wanted */
	int64_t length; /* response: how many bytes are wanted at most; request: unused */
	bool last; /* request: the body ends with this part */
	bool continued; /* not the first window of its HTTP request: not audited again */
};

/* A hint for the bus; see service.h, call_push_after_commit(). */
struct push {
	struct push *next;
	const char *topic;
	const char *json;
};

/* The provider's own tenant, known before there is a database: contracts are its rows, every tenant
 * reads its announcements, and what is not about any contract, or about all of them, is in its log.
 */
#define OPERATOR_TENANT "00000000-0000-7000-8000-000000000001"

struct call {
	struct arena *arena;
	struct db *db;
	struct cache *cache;
	struct bus *bus;
	struct bus_job *job; /* what it answers; NULL: its own idea */
	struct keyring *keyring; /* NULL: the service has none */
	const struct service *service;
	const struct op *op;
	const struct actor *actor; /* never NULL; whoever finds out more (a login) may replace it */
	const unsigned char *auth_key; /* auth's public key, PUBLIC_KEY_SIZE bytes */
	const char *capability; /* as received, for calls to other services; "" for none */
	const char *caller; /* the peer's name as the bus knows it */
	const char *call_id; /* UUIDv7: the log and traceId */
	const char *traceparent; /* W3C, "" for none */
	const char *source; /* the client's address as text, "" for none */
	const char *idempotency_key; /* "" for none */
	enum language language;
	int64_t deadline_ms; /* clock_steady_ms() */
	struct window window;
	int64_t total_bytes; /* set by handlers of x-stream: response, or BYTES_UNKNOWN */
	int64_t next_offset; /* with BYTES_UNKNOWN: of the next window; 0: this was the last */
	const char *object_id; /* audit: what the call was about; set by the skeleton, may be
				  overridden */
	const char *owner_id; /* audit: the pupil whose that is; NULL: not said */
	struct {
		const char *user_id; /* NULL: nobody in particular */
		const char *tenant_id; /* NULL: the actor's */
	} about; /* whose key an answer that is kept for a repetition lies under; set by handlers */
	enum label label; /* of the object, where it was raised above its type; audit and checks */
	struct {
		const char *column, *row_id; /* of the first; column NULL: none */
		unsigned n;
	} lost; /* what was read and lies under destroyed keys (personal.h) */
	bool hides; /* a statement left out what the session would see with more proof */
	const char *recorded; /* audit: codes of the input, a JSON object; NULL: none */
	const char *content_type; /* of a reply body that is not JSON; set by handlers */
	struct push *pushes; /* hints to send once the transaction has committed */
	struct failure failure;
};

/* Refuse with the plain problem of `err`. */
#define fail(c_, err_, ...) fail_here((c_), problem_of(err_), __FILE__, __LINE__, __VA_ARGS__)
/* Refuse with a problem of your own; the text is the detail. */
#define fail_with(c_, problem_, ...) fail_here((c_), (problem_), __FILE__, __LINE__, __VA_ARGS__)
/* The same when the problem says it all. */
#define fail_as(c_, problem_) fail_here((c_), (problem_), __FILE__, __LINE__, "%s", "")
enum err fail_here(struct call *c, const struct problem *problem, const char *file, int line,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Note one broken field and refuse with ERR_INVALID (422). May be called several times before
 * returning the result of the last. */
enum err fail_field(struct call *c, const char *pointer, const char *ja, const char *en);

/* The problem+json text of c->failure in c->language, with traceId; INTERNAL and UNAVAILABLE lose
 * their detail. */
const char *failure_json(const struct call *c);

/* Opaque cursors: up to four texts in, the same out. NULL cursor: every part is NULL. A broken one
 * is ERR_INVALID. */
#define CURSOR_PARTS 4
const char *cursor_make(struct call *c, const char *const parts[], size_t n);
must_check enum err cursor_read(struct call *c, const char *cursor, const char *parts[], size_t n);

#endif
