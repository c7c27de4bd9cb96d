/* Two identities, and a timer that looks whether their files changed; see certificates.h. */
#include "services/gateway/certificates.h"

#include "libcommon/log.h"

enum { PUBLIC, ADMIN, LISTENERS_KINDS };

static struct certificate {
	const char *label; /* for the log */
	struct tls_settings settings;
	struct tls_identity *identity;
	uint64_t stamp; /* of the files as they were last read, well or badly */
} certificates[LISTENERS_KINDS];

static struct loop *loop;
static struct timer *timer;
static int64_t check_ms;

/* The stamp is taken first: a file that changes meanwhile is seen the next time. */
static enum err load(struct certificate *certificate)
{
	certificate->stamp = tls_identity_stamp(&certificate->settings);
	struct tls_identity *fresh = tls_identity_load(&certificate->settings);
	if (!fresh)
		return ERR_INVALID;
	tls_identity_free(certificate->identity);
	certificate->identity = fresh;
	return OK;
}

static enum err reload(struct certificate *certificate)
{
	enum err e = load(certificate);
	log_event(e ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		e ? "the old TLS certificate stays in use" : "TLS certificate loaded",
		LOG_TEXT("listener", certificate->label));
	return e;
}

/* A pair is replaced file by file: what does not fit together yet fits at the next look. */
static void on_check(void *arg)
{
	for (size_t i = 0; i < LISTENERS_KINDS; i++) {
		struct certificate *certificate = &certificates[i];
		if (tls_identity_stamp(&certificate->settings) != certificate->stamp) {
			enum err ignored = reload(certificate); /* logged; the old one is good */
			(void)ignored;
		}
	}
	timer = loop_after(loop, check_ms, on_check, NULL);
}

static struct tls_settings public_settings(const struct gateway_conf *conf)
{
	return (struct tls_settings){
		.certificate = conf->tls_certificate,
		.key = conf->tls_key,
		.directory = conf->tls_directory,
		.client_ca = "",
		.has_tls12 = conf->tls12,
		.has_tickets = true,
	};
}

/* No tickets: whoever resumes would not have to show a client's certificate again. */
static struct tls_settings admin_settings(const struct gateway_conf *conf)
{
	bool has_own = *conf->admin_tls_certificate;
	return (struct tls_settings){
		.certificate = has_own ? conf->admin_tls_certificate : conf->tls_certificate,
		.key = has_own ? conf->admin_tls_key : conf->tls_key,
		.directory = "",
		.client_ca = conf->admin_client_ca,
	};
}

enum err certificates_start(const struct gateway_conf *conf, struct loop *of)
{
	loop = of;
	check_ms = conf->tls_check_ms;
	tls_tickets_start(conf->tls_ticket_lifetime_s * 1000);
	certificates[PUBLIC] = (struct certificate){ "public", public_settings(conf), NULL, 0 };
	certificates[ADMIN] = (struct certificate){ "admin", admin_settings(conf), NULL, 0 };
	enum err e = load(&certificates[PUBLIC]);
	if (!e)
		e = load(&certificates[ADMIN]);
	if (!e)
		timer = loop_after(loop, check_ms, on_check, NULL);
	return e;
}

void certificates_stop(void)
{
	loop_cancel(loop, timer);
	timer = NULL;
	for (size_t i = 0; i < LISTENERS_KINDS; i++) {
		tls_identity_free(certificates[i].identity);
		certificates[i].identity = NULL;
	}
	tls_tickets_stop();
}

enum err certificates_reload(void)
{
	enum err e = reload(&certificates[PUBLIC]);
	enum err of_admin = reload(&certificates[ADMIN]);
	return e ? e : of_admin;
}

struct tls_identity *certificates_identity(bool is_admin)
{
	return certificates[is_admin ? ADMIN : PUBLIC].identity;
}
