/*
 * Writing outbox and inbox rows, in the transaction of what they tell; see outbox.h. The relay that
 * ships them is outbox_relay.c.
 */
#include "libcommon/outbox.h"

#include <string.h>

#include "libcommon/clock.h"
#include "libcommon/db.h"
#include "libcommon/ocsf.h"
#include "libcommon/personal.h"
#include "libcommon/service.h"
#include "libcommon/uuid.h"

static const char OUTBOX_INSERT[] =
	"INSERT INTO outbox (consumer, kind, type, event_id, body) VALUES ($1, $2, $3, $4, $5)";
static const char INBOX_INSERT[] =
	"INSERT INTO inbox (event_id, proof) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const struct personal_kind outbox_body = { .domain = "outbox", .column = "outbox.body" };

static enum err seal_body(
	struct call *c, const char *event_id, const char *user_id, const char **body)
{
	const struct personal plain = { .text = *body, .kind = &outbox_body };
	const struct personal_place place = { .row_id = event_id, .user_id = user_id };
	return c->keyring ? personal_seal_for(c, &place, plain, body) : OK;
}

enum err event_emit(struct call *c, const struct event_type *type, const void *data)
{
	return event_emit_about(c, type, NULL, data);
}

enum err event_emit_about(
	struct call *c, const struct event_type *type, const char *user_id, const void *data)
{
	struct buf body = { .arena = c->arena };
	shape_write_json(type->shape, data, &body);
	const char *id = uuid_make(c->arena), *text = body.data;
	enum err e = seal_body(c, id, user_id, &text);
	for (const char *const *consumer = type->consumers; *consumer && !e; consumer++)
		e = db_later(c, OUTBOX_INSERT, DB_ARGS(*consumer, "event", type->name, id, text));
	return e;
}

enum err event_take(struct call *c, const char *event_id, const char *proof)
{
	int64_t taken = 0;
	enum err e = db_count(c, INBOX_INSERT, DB_ARGS(event_id, proof), &taken);
	if (!e && !taken)
		e = fail(c, ERR_CONFLICT, "event %s was taken before", event_id);
	return e;
}

static enum err give(
	struct call *c, const struct event_taker *takers, const struct event_text *event)
{
	const struct event_taker *taker = takers;
	while (taker->type && strcmp(taker->type->name, event->type) != 0)
		taker++;
	if (!taker->type)
		return fail(c, ERR_INVALID, "event type %s is not taken here", event->type);
	const struct shape *shape = taker->type->shape;
	void *data = arena_alloc(c->arena, shape->size);
	enum err e = shape_read_json(c, shape, event->data, strlen(event->data), data);
	return e ? e : taker->take(c, event, data);
}

enum err event_accept(
	struct call *c, const struct event_taker *takers, const struct event_text *event)
{
	enum err e = event_take(c, event->id, event->proof);
	if (e == ERR_CONFLICT)
		return OK;
	return e ? e : give(c, takers, event);
}

enum err outbox_audit(struct call *c, const char *event_id, const char *line)
{
	const char *operation = arena_printf(c->arena, "%s.%s", c->service->name, c->op->name);
	return db_later(c, OUTBOX_INSERT, DB_ARGS("audit", "audit", operation, event_id, line));
}

enum err outbox_record(struct call *c, const struct op *op, const char *object_id)
{
	const char *event_id = uuid_make(c->arena);
	c->op = op;
	c->object_id = object_id;
	return outbox_audit(c, event_id, ocsf_line(c, event_id, clock_unix_ms()));
}
