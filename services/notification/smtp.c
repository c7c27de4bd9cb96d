/* SMTP through libcurl. TLS when the URL says smtps:// or the server offers STARTTLS; never a
 * password in clear, never an unchecked certificate. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "services/notification/notification.h"

#define TIMEOUT_MS 5000L /* a slower server is tried again later; the batch must end */

struct smtp {
	CURL *handle; /* NULL: could not be made */
	const struct notification_conf *conf;
};

/* What is left to send of a message. */
struct source {
	const char *at;
	size_t n;
};

enum err smtp_start(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) ? ERR_INTERNAL : OK;
}

void smtp_stop(void)
{
	curl_global_cleanup();
}

struct smtp *smtp_open(const struct notification_conf *conf)
{
	struct smtp *smtp = calloc(1, sizeof(*smtp));
	if (!smtp)
		abort();
	smtp->handle = curl_easy_init();
	smtp->conf = conf;
	return smtp;
}

void smtp_close(struct smtp *smtp)
{
	curl_easy_cleanup(smtp->handle);
	free(smtp);
}

static size_t on_read(char *out, size_t size, size_t n, void *arg)
{
	struct source *source = arg;
	size_t room = size * n, length = source->n < room ? source->n : room;
	memcpy(out, source->at, length);
	source->at += length;
	source->n -= length;
	return length;
}

static CURLcode set_server(CURL *handle, const struct notification_conf *conf)
{
	bool logs_in = conf->smtp_user && *conf->smtp_user;
	CURLcode code = curl_easy_setopt(handle, CURLOPT_URL, conf->smtp_url);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	if (!code)
		code = curl_easy_setopt(
			handle, CURLOPT_USE_SSL, (long)(logs_in ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (!code && logs_in)
		code = curl_easy_setopt(handle, CURLOPT_USERNAME, conf->smtp_user);
	if (!code && logs_in)
		code = curl_easy_setopt(handle, CURLOPT_PASSWORD, conf->smtp_password);
	return code;
}

static CURLcode set_message(
	CURL *handle, const char *from, const struct curl_slist *to, const struct source *source)
{
	CURLcode code = curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, to);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_READDATA, source);
	return code;
}

static enum err refuse(CURLcode code, const char **reason)
{
	*reason = curl_easy_strerror(code);
	return ERR_UNAVAILABLE;
}

enum err smtp_send(struct smtp *smtp, const char *to, const char *message, const char **reason)
{
	struct source source = { message, strlen(message) };
	CURL *handle = smtp->handle;
	struct curl_slist *recipients = curl_slist_append(NULL, to);
	if (!handle || !recipients) {
		curl_slist_free_all(recipients);
		return refuse(CURLE_OUT_OF_MEMORY, reason);
	}
	curl_easy_reset(handle); /* keeps the connection */
	CURLcode code = set_server(handle, smtp->conf);
	if (!code)
		code = set_message(handle, smtp->conf->mail_from, recipients, &source);
	if (!code)
		code = curl_easy_perform(handle);
	curl_slist_free_all(recipients);
	return code ? refuse(code, reason) : OK;
}
