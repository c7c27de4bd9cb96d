/* Asks one URL once. It never turns certificate checks off: a wrong CA is an answer, too. */
#include "ctl/health.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdio.h>

#include "libcommon/conf.h"

#define TIMEOUT_MS 5000L /* a system that needs longer is not ready */

struct settings {
	const char *url;
	const char *ca;
	const char *certificate, *key; /* "" for none */
};

static CURLcode ask(const struct settings *settings, long *status)
{
	CURL *handle = curl_easy_init();
	if (!handle)
		return CURLE_FAILED_INIT;
	CURLcode code = curl_easy_setopt(handle, CURLOPT_URL, settings->url);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https,http");
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	if (!code)
		code = curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	if (!code && settings->ca[0])
		code = curl_easy_setopt(handle, CURLOPT_CAINFO, settings->ca);
	if (!code && settings->certificate[0])
		code = curl_easy_setopt(handle, CURLOPT_SSLCERT, settings->certificate);
	if (!code && settings->key[0])
		code = curl_easy_setopt(handle, CURLOPT_SSLKEY, settings->key);
	if (!code)
		code = curl_easy_perform(handle); /* the body goes to stdout */
	if (!code)
		code = curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(handle);
	return code;
}

int health_command(int argc, char **argv)
{
	static struct settings settings;
	static const struct option options[] = {
		{ "url", OPTION_TEXT, NULL, offsetof(struct settings, url), 1, 2000,
			"what to ask, e.g. https://localhost:9443/readyz" },
		{ "ca", OPTION_TEXT, "", offsetof(struct settings, ca), 0, 4000,
			"file with the certificate authority; default: the system's" },
		{ "certificate", OPTION_TEXT, "", offsetof(struct settings, certificate), 0, 4000,
			"PEM file with the certificate to show, where one is demanded" },
		{ "key", OPTION_TEXT, "", offsetof(struct settings, key), 0, 4000,
			"PEM file with its private key" },
	};
	const struct option_set set = { options, sizeof(options) / sizeof(options[0]), &settings };
	if (conf_read(argc, argv, &set, 1))
		return 2;
	long status = 0;
	CURLcode code = ask(&settings, &status);
	if (code) {
		(void)fprintf(
			stderr, "manabiyactl: %s: %s\n", settings.url, curl_easy_strerror(code));
		return 6;
	}
	return status == 200 ? 0 : 1;
}
