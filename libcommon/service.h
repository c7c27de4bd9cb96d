/*
 * The daemon skeleton: the only main loop of every service.
 *
 * A service is a table of operations and their handlers. service_main() reads options, opens the
 * log, the database, the cache and the bus, runs the workers and the jobs, and stops in reverse
 * order on SIGTERM. service_dispatch() is the one way into a handler: it checks caller, capability,
 * role, feature, first-login, deadline and limits, opens the transaction, enters the tenant,
 * answers repeated idempotency keys, runs the handler, writes the audit row, commits, and writes
 * the reply.
 */
#ifndef MANABIYA_SERVICE_H
#define MANABIYA_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/bus.h"
#include "libcommon/call.h"
#include "libcommon/conf.h"
#include "libcommon/db.h"
#include "libcommon/shape.h"

/* in and out are structs of the operation's shapes; either may be NULL when there is nothing to
 * read or say. */
typedef enum err op_handler(struct call *c, const void *in, void *out);

enum op_flag {
	OP_WRITES = 1 << 0, /* every method but GET and HEAD: explicit transaction */
	OP_INTERNAL = 1 << 1,
	OP_NO_CAPABILITY = 1 << 2, /* internal, for the peer itself: no x-allow in the schema */
	OP_INITIAL = 1 << 3, /* x-initial: allowed before the first password change */
	OP_CLOSED = 1 << 10, /* x-closed: allowed when the contract is closed */
	OP_IDEMPOTENT_KEY = 1 << 4, /* x-idempotency: required */
	OP_STREAM_REQUEST = 1 << 5,
	OP_STREAM_RESPONSE = 1 << 6,
	OP_STEP_UP = 1 << 8, /* x-step-up: the password was proven within STEP_UP_LIFETIME_MS */
	OP_READS = 1 << 9, /* an audited read: its record is a transaction of its own, before it is
			      answered */
	OP_RAW_BODY = 1 << 7, /* the request body goes into the in shape's bytes field `body` */
	OP_SEEKS = 1 << 11, /* finds by a text (`q`), perhaps what is left out of the answer */
};

/* What to write about a call (OCSF 1.8): class and activity, from x-audit. NULL name: nothing. */
struct audit_kind {
	const char *name; /* "account_change.create" */
	int class_uid;
	int activity_id;
};

/* x-object: the id of an object that may have a class of its own, in the input; and the statement
 * that finds this class where the object was raised, `I` to `III`. */
struct op_object {
	size_t id;
	const char *sql;
};

/* One row of the generated <service>_ops[], sorted by name. */
struct op {
	const char *name;
	op_handler *handler;
	const struct shape *in, *out;
	unsigned allow; /* roles */
	unsigned feature; /* that must not be denied; 0 none */
	unsigned flags;
	unsigned status; /* HTTP status of success */
	const char *const *callers; /* who may call it over the bus, NULL-terminated; the gateway
				       may call all that is not internal */
	const char *content_type; /* of the reply; NULL: no body */
	enum label label; /* of what it touches; LABEL_NONE: nothing of anybody's */
	const struct op_object *object; /* NULL: names none */
	struct audit_kind audit;
	int audit_shared_s; /* x-audit-shared-s: for so long alike calls share an event (recorded.h)
			     */
};

struct worker;

/* Something done again and again by the job thread, with a call of its own (no actor, no tenant).
 */
struct job {
	const char *name;
	int64_t every_ms;
	/* *more: call again at once. An error is logged and tried again within seconds. Runs in a
	 * transaction of its own. */
	enum err (*run)(struct call *c, bool *more);
};

/* Whether a service has personal data to seal or open, and who makes the tenants' keys. */
enum keyring_use { KEYRING_NONE, KEYRING_READS, KEYRING_WRITES };

struct sealed_column;

struct service {
	const char *name;
	const struct op *ops;
	size_t ops_n;
	const struct option *options; /* of its own */
	size_t options_n;
	void *conf; /* what they fill */
	const struct job *jobs;
	size_t jobs_n;
	enum keyring_use keyring; /* brings the options --keyring and --keyring-root */
	const struct sealed_column *sealed; /* reseal.h: every column that keeps something sealed;
					       no other keys are given to the service */
	size_t sealed_n;
	int64_t workers; /* default of the option --workers */
	enum err (*start)(void); /* after conf, before workers */
	void (*stop)(void);
	/* More samples for /metrics, on a worker's thread; NULL: none. */
	void (*metrics)(struct buf *out);
	/* auth mints service capabilities by itself; NULL: ask auth. */
	enum err (*service_capability)(
		struct call *c, const char *tenant_id, const char **capability);
};

int service_main(int argc, char **argv, const struct service *service);

/* How many workers run (--workers); known from start() on. */
int64_t service_workers(void);

/* What c->keyring is; known from start() on. */
struct keyring *service_keyring(void);

/* ---- for tests, and for the worker loop ---- */

struct reply {
	enum err err;
	unsigned status;
	struct buf headers;
	const char *content_type;
	struct bytes body;
	int64_t total_bytes, next_offset;
	enum label label; /* the gravest of what was asked for and told, a refused object too */
	bool executed;
};

/*
 * One request in, one reply out, in c->arena. The caller fills of `c`: arena, db, cache, bus,
 * service, caller, deadline. Nothing here touches sockets but db, cache and, for handlers that call
 * others, the bus. `key` is auth's public key.
 */
void service_dispatch(struct call *c, const unsigned char key[PUBLIC_KEY_SIZE],
	const struct frame *request, struct reply *reply);

/* ---- for handlers and jobs ---- */

/* Call an internal operation of another service with the call's capability; used by generated
 * stubs. The other's failure becomes ours. */
struct client_op {
	const char *service;
	const char *operation;
	const struct shape *in, *out;
	int64_t timeout_ms;
};
must_check enum err service_call(
	struct call *c, const struct client_op *op, const void *in, void *out);

/* Act as this service within a tenant: c gets a service actor and capability, and the transaction
 * enters the tenant. For jobs and for opening contracts. */
must_check enum err service_enter_tenant(struct call *c, const char *tenant_id);

/* A capability of this service within a tenant, for calls that no user asked for; cached while it
 * is fresh. */
must_check enum err service_capability(
	struct call *c, const char *tenant_id, const char **capability);

/* Push a hint to every subscriber of this service (bus.h), but only if and after the call's
 * transaction commits. */
void call_push_after_commit(struct call *c, const char *topic, const char *json);

/* Wake the outbox relay now rather than at its next turn. */
void service_wake_relay(void);

#endif
