/* notification: who is told what, on the page and by mail. */
#include <string.h>

#include "libcommon/log.h"
#include "libcommon/service.h"
#include "services/notification/notification.h"

#define AT(field_) offsetof(struct notification_conf, field_)

static const struct option options[] = {
	{ "smtp-url", OPTION_TEXT, NULL, AT(smtp_url), 8, 512,
		"mail server, smtp://host:port (STARTTLS if offered) or smtps://host:port" },
	{ "smtp-user", OPTION_TEXT, "", AT(smtp_user), 0, 128,
		"name to log in with; then TLS is demanded" },
	{ "smtp-password", OPTION_SECRET, "", AT(smtp_password), 0, 256,
		"file with the password of --smtp-user" },
	{ "mail-from", OPTION_TEXT, NULL, AT(mail_from), 3, 254, "sender address of every mail" },
	{ "operator-mail", OPTION_TEXT, "", AT(operator_mail), 0, 2000,
		"system administrators' addresses, comma separated: told of privileged logins" },
};

static const struct job jobs[] = {
	{ .name = "reseal", .every_ms = RESEAL_EVERY_MS, .run = reseal_run },
	{ .name = "mail", .every_ms = 1000, .run = mail_send_due },
};

/* A typing mistake must stop the start, not the mail at the first login of a stranger. */
static enum err check_addresses(void)
{
	char list[2001], *rest = list;
	memccpy(list, notification_conf.operator_mail, '\0', sizeof(list));
	bool good = is_mail_address(notification_conf.mail_from);
	for (const char *address; (address = strsep(&rest, ", "));)
		good = good && (!*address || is_mail_address(address));
	if (good)
		return OK;
	log_error("--mail-from or --operator-mail holds what is no mail address");
	return ERR_INVALID;
}

static enum err notification_start(void)
{
	enum err e = check_addresses();
	return e ? e : smtp_start();
}

int main(int argc, char **argv)
{
	static const struct service notification = {
		.name = "notification",
		.ops = notification_ops,
		.ops_n = NOTIFICATION_OPS_N,
		.options = options,
		.options_n = sizeof(options) / sizeof(options[0]),
		.conf = &notification_conf,
		.jobs = jobs,
		.jobs_n = sizeof(jobs) / sizeof(jobs[0]),
		.keyring = KEYRING_READS,
		.sealed = notification_sealed,
		.sealed_n = NOTIFICATION_SEALED_N,
		.workers = 4,
		.start = notification_start,
		.stop = smtp_stop,
	};
	return service_main(argc, argv, &notification);
}
