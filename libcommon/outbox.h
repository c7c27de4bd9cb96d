/*
 * The transactional outbox: what must reach another service exactly when this transaction commits.
 *
 * Rows lie in the service's own schema (table outbox, see migrations/) and are shipped by the relay
 * job of the skeleton: in batches, at least once, in the order of commits (xid8 watermark, never
 * `id > cursor`), with back-off per row and a dead-letter state that `manabiyactl outbox` shows and
 * redrives. Consumers store the id.
 *
 * Bodies of events lie sealed (personal.h) where the service has a keyring. Taking and settling
 * rows is for the relay alone: it enters OUTBOX_RELAY, a tenant without data for which auth gives a
 * key to services only, so that a statement injected into a handler gets at nobody's rows.
 */
#ifndef MANABIYA_OUTBOX_H
#define MANABIYA_OUTBOX_H

#include "libcommon/call.h"
#include "libcommon/shape.h"

#define OUTBOX_RELAY "00000000-0000-7000-8000-00000000000f"

/* An event type of events.yaml; generated as `event_<type with _>`. */
struct event_type {
	const char *name; /* "lesson.happened" */
	const struct shape *shape;
	const char *const *consumers; /* service names, NULL-terminated */
};

/* Write an event of the call's tenant, once per consumer. */
must_check enum err event_emit(struct call *c, const struct event_type *type, const void *data);

/* The same for one that tells something personal of a user: while it waits, and in whatever backup
 * of the database it gets into, it lies under that user's key. NULL: nobody's. */
must_check enum err event_emit_about(
	struct call *c, const struct event_type *type, const char *user_id, const void *data);

/* Remember an event's id in the call's transaction. ERR_CONFLICT when it was taken before. With the
 * proof that the sender's relay gave, the event is the reason of what the transaction changes
 * (ledger.h); NULL or another: it is taken, and what it changes is named as a change without an
 * event. */
must_check enum err event_take(struct call *c, const char *event_id, const char *proof);

/* One event of an EventBatch; `data` is the JSON text of the type's shape, `time` the database's
 * when the transaction that tells it began. */
struct event_text {
	const char *id, *type, *time, *data, *proof;
};

/* What a consumer does with events of one type; `data` is a struct of the type's shape. */
struct event_taker {
	const struct event_type *type;
	enum err (*take)(struct call *c, const struct event_text *event, const void *data);
};

/*
 * Let an event take effect by the taker of its type, once: one that was taken before is skipped
 * (OK). INVALID when no taker has its type, or its data does not fit the shape. `takers` ends with
 * a row without type. For `event_accept` handlers, once per event.
 */
must_check enum err event_accept(
	struct call *c, const struct event_taker *takers, const struct event_text *event);

/* How bodies are sealed: for the row of their event's id, some for a user. */
extern const struct personal_kind outbox_body;

/* Write the audit line of c->op into the outbox (the skeleton calls it; handlers do not). */
must_check enum err outbox_audit(struct call *c, const char *event_id, const char *line);

/* Record what a job has done within the tenant that the call has entered: `op` says what it is
 * called (x-jobs) and of which kind it is. `object_id` may be NULL. */
struct op;
must_check enum err outbox_record(struct call *c, const struct op *op, const char *object_id);

/* Enter OUTBOX_RELAY with a key from auth, for statements on what waits for delivery in the name of
 * all tenants. Before each statement: a round may outlast a key. */
must_check enum err outbox_enter_relay(struct call *c);

/*
 * One round of the relay: take up to 500 due rows of each consumer, ship them, delete what was
 * accepted, put off the rest. Nothing while another relay of this service is at it. `c` is the
 * relay job's call. *shipped says how many went. Called by the skeleton until it ships none, then
 * again on a hint or after 200 ms.
 */
must_check enum err outbox_relay(struct call *c, int64_t *shipped);

#endif
