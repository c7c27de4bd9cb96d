/* What the nouns of notification share: the options, mail, and the hints to open pages. */
#ifndef MANABIYA_NOTIFICATION_H
#define MANABIYA_NOTIFICATION_H

#include "libcommon/call.h"
#include "libcommon/reseal.h"
#include "notification_proto.h"

struct lesson_happened;
struct page;

struct notification_conf {
	const char *smtp_url; /* smtp://host:port or smtps://… */
	const char *smtp_user, *smtp_password; /* "" for none */
	const char *mail_from;
	const char *operator_mail; /* addresses, comma separated; "" for none */
};
extern struct notification_conf notification_conf;

/* ---- notice.c ---- */

/* One notice per recipient, and a hint to every open page that should know. */
must_check enum err notice_add(struct call *c, const struct lesson_happened *lesson);

/* Sets `unread_count` of a struct of the shape. */
must_check enum err notice_count_unread(struct call *c, const struct shape *shape, void *out);

/* What was about its try goes, without a notice; open pages are told. */
must_check enum err notice_drop(struct call *c, const struct lesson_happened *lesson);

/* What is shut now: notices about it go, but those of whose it is. Nobody's page is told here. */
must_check enum err notice_shut(struct call *c, const struct lesson_happened *lesson);

/* ---- announcement.c ---- */

/* Open pages of whom it is for fetch anew, once the call has committed; what the operator announces
 * is for every tenant. One whose class is not for all of them is not named. */
void announcement_hint(struct call *c, const char *id, const char *audience, const char *label);

/* A page of the announcements for the actor, newest first, with the row that says whether there are
 * more. */
must_check enum err announcements_read(struct call *c, const struct page *page, void *list);

/* ---- mail.c ---- */

/* Put a mail to every system administrator into the outbox, in the call's transaction. */
must_check enum err mail_to_operators(struct call *c, const char *subject, const char *body);

/* Send what is due: a job (service.h). */
must_check enum err mail_send_due(struct call *c, bool *more);

/* ---- mime.c: pure text ---- */

struct mail {
	const char *id; /* becomes the Message-ID, so that a duplicate is recognisable */
	const char *from, *to; /* addresses */
	const char *subject, *body; /* UTF-8 */
	int64_t created_unix_ms;
};

/* The whole message (RFC 5322, 2045, 2047), ASCII with CRLF lines. */
const char *mime_write(struct arena *arena, const struct mail *mail);

/* An address that can stand in a header and on the wire: no blanks, controls, angle brackets. */
bool is_mail_address(const char *text);

/* ---- smtp.c ---- */

/* Once per process, before threads; and after them. */
must_check enum err smtp_start(void);
void smtp_stop(void);

/* A connection that is used for several mails, and made when the first is sent. */
struct smtp;
struct smtp *smtp_open(const struct notification_conf *conf);
void smtp_close(struct smtp *smtp);

/* OK when the server has taken it. Otherwise *reason says why; its text is constant. */
must_check enum err smtp_send(
	struct smtp *smtp, const char *to, const char *message, const char **reason);

/* ---- keys ---- */

/* Every column that keeps something sealed under the tenants' keys (libcommon/reseal.h). */
#define NOTIFICATION_SEALED_N 1
extern const struct sealed_column notification_sealed[NOTIFICATION_SEALED_N];

#endif
