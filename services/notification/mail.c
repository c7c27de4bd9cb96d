/*
 * Mail on its way out: rows written with what they tell of, and the job that sends them.
 *
 * At least once: a crash between the server's "taken" and our noting it sends a mail again, with
 * the same Message-ID. It refuses to hold a transaction open while a mail server thinks.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/db.h"
#include "libcommon/log.h"
#include "libcommon/outbox.h"
#include "libcommon/personal.h"
#include "libcommon/uuid.h"
#include "services/notification/notification.h"

#define BATCH 20 /* with the SMTP timeout of 5 s it stays within the lease of two minutes */

static const char MAIL_INSERT[] =
	"INSERT INTO mail (id, recipient, subject, body) VALUES ($1::uuid, $2, $3, $4)";
static const char TAKE[] = "SELECT tenant_id, id, recipient, subject, body, created_ms"
			   " FROM mail_take($1::integer)";
static const char DONE[] = "SELECT mail_done($1::uuid, $2::uuid)";
static const char PUT_OFF[] = "SELECT mail_put_off($1::uuid, $2::uuid, $3)";

struct notification_conf notification_conf;

/* It says who did something, by the login name. */
static const struct personal_kind mail_body = { .domain = "text", .column = "mail.body" };

static enum err add(struct call *c, const char *address, const char *subject, const char *body)
{
	const char *id = uuid_make(c->arena), *sealed;
	enum err e = personal_seal(
		c, id, (struct personal){ .text = body, .kind = &mail_body }, &sealed);
	return e ? e : db_later(c, MAIL_INSERT, DB_ARGS(id, address, subject, sealed));
}

enum err mail_to_operators(struct call *c, const char *subject, const char *body)
{
	char *rest = arena_strdup(c->arena, notification_conf.operator_mail);
	enum err e = OK;
	for (char *address; !e && (address = strsep(&rest, ", "));)
		if (*address)
			e = add(c, address, subject, body);
	return e;
}

/* ---- the job ---- */

struct taken {
	const char *tenant_id;
	struct mail mail;
};

struct batch {
	struct taken items[BATCH];
	size_t n;
};

static enum err on_row(struct call *c, void *arg, const char *const *columns, size_t n)
{
	struct batch *batch = arg;
	if (batch->n == BATCH)
		return fail(c, ERR_INTERNAL, "mail_take gave too many rows");
	batch->items[batch->n++] = (struct taken){ .tenant_id = columns[0],
		.mail = { .id = columns[1],
			.from = notification_conf.mail_from,
			.to = columns[2],
			.subject = columns[3],
			.body = columns[4],
			.created_unix_ms = strtoll(columns[5], NULL, 10) } };
	return OK;
}

static enum err put_off(struct call *c, const struct taken *taken, const char *reason)
{
	const char *given_up = NULL;
	enum err e = outbox_enter_relay(c);
	if (!e)
		e = db_text(
			c, PUT_OFF, DB_ARGS(taken->tenant_id, taken->mail.id, reason), &given_up);
	if (!e)
		log_event(LOG_LEVEL_WARNING, "mail not sent", LOG_TEXT("mail", taken->mail.id),
			LOG_TEXT("reason", reason), LOG_TEXT("given_up", given_up));
	return e;
}

/* One that does not open is put off; the others go. */
static enum err open_body(struct call *c, const char *tenant_id, struct mail *mail)
{
	enum err e = personal_open_of(c, tenant_id, &mail_body,
		arena_printf(c->arena, "%s:%s", mail->id, mail->body), &mail->body);
	c->failure = (struct failure){ 0 };
	return e;
}

static enum err send_one(struct call *c, struct smtp *smtp, const struct taken *taken)
{
	const char *reason = "the address is none";
	struct mail mail = taken->mail;
	enum err e = ERR_INVALID;
	if (open_body(c, taken->tenant_id, &mail))
		reason = "it does not open";
	else if (is_mail_address(mail.to))
		e = smtp_send(smtp, mail.to, mime_write(c->arena, &mail), &reason);
	if (e)
		return put_off(c, taken, reason);
	e = outbox_enter_relay(c);
	return e ? e : db_exec(c, DONE, DB_ARGS(taken->tenant_id, mail.id));
}

enum err mail_send_due(struct call *c, bool *more)
{
	struct batch *batch = arena_alloc(c->arena, sizeof(*batch));
	/* Each statement is its own transaction. */
	db_rollback(c->db);
	db_begin(c->db, NULL, false);
	enum err e = outbox_enter_relay(c);
	if (e == ERR_UNAVAILABLE || e == ERR_LIMITED)
		return OK; /* auth is away: the bus has told, and the next turn comes soon */
	if (!e)
		e = db_each(c, TAKE, DB_ARGS(db_integer(c, BATCH)), on_row, batch);
	if (e || !batch->n)
		return e;
	struct smtp *smtp = smtp_open(&notification_conf);
	for (size_t i = 0; i < batch->n && !e; i++)
		e = send_one(c, smtp, &batch->items[i]);
	smtp_close(smtp);
	*more = batch->n == BATCH;
	return e;
}
